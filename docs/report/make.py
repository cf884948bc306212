#!/usr/bin/env python3
"""Makes docs/report/night.html and its picture: the report of a large night against the sandbox.

    python3 docs/report/make.py [CEKNIK]

100,000 rows of made-up customers, three smaller nights before it, a vendor that allows 200 calls a second, an outage of
a minute, lost answers, and a start that is stopped after a while. It takes about ten minutes. The picture needs Chromium.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
PORT = 8087
ROWS = 100_000
FIRST = ["Siti", "Budi", "Agus", "Dewi", "Rina", "Joko", "Putri", "Andi", "Wati", "Hendra", "Lestari", "Yusuf"]
LAST = ["Aminah", "Santoso", "Wijaya", "Hartono", "Pratama", "Susanti", "Nugroho", "Saputra", "Rahayu", "Kusuma"]
# The last four digits of a NIK decide what the sandbox answers; their shares.
ENDINGS = [(2, 0.13), (3, 0.03), (4, 0.02), (13, 0.0005), (14, 0.0004), (12, 0.0006), (5, 0.0015)]


def nik(dice):
    """A made-up NIK."""
    province, regency, district = dice.choice([31, 32, 33, 34, 35, 36]), dice.randint(71, 78), dice.randint(1, 20)
    day, month, year = dice.randint(1, 28), dice.randint(1, 12), dice.randint(60, 99)
    chance = dice.random()
    serial = dice.randint(1000, 8999)
    for ending, share in ENDINGS:
        if chance < share:
            serial = ending
            break
        chance -= share
    return f"{province}{regency}{district:02}{day:02}{month:02}{year:02}{serial:04}"


def customers(path, rows, dice):
    """Writes a file of customers: some repeat, some have a NIK that is too short."""
    people = []
    with path.open("w") as out:
        out.write("no,nik,nama\n")
        for no in range(1, rows + 1):
            if people and dice.random() < 0.015:
                person = dice.choice(people)
            else:
                digits = nik(dice)
                digits = digits[:15] if dice.random() < 0.015 else digits
                person = (digits, f"{dice.choice(FIRST)} {dice.choice(LAST)} {dice.choice(LAST)}")
                people.append(person)
            out.write(f"{no},{person[0]},{person[1]}\n")


def main():
    ceknik = Path(sys.argv[1] if len(sys.argv) > 1 else "target/release/ceknik").resolve()
    environment = {"CEKNIK_API_ID": "demo", "CEKNIK_API_SECRET": "demo", "PATH": os.environ["PATH"]}
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        dice = random.Random(11)

        def sandbox(*more):
            flags = ["sandbox", "--port", str(PORT), "--latency", "15ms", "--rate", "200", "--seed", "3", *more]
            vendor = subprocess.Popen([ceknik, *flags], cwd=folder, env=environment, stderr=subprocess.DEVNULL)
            time.sleep(1)
            return vendor

        def run(name, *more):
            flags = ["--base-url", f"http://127.0.0.1:{PORT}", "--ledger", "night.ledger", "--price", "1500"]
            flags += ["--concurrency", "48", "--rate-max", "1000", "--time-zone", "WIB", "--operator", "night job"]
            flags += ["--timeout", "5s", "--yes", "--overwrite", "-o", f"{name}.out.csv", *more]
            return subprocess.Popen([ceknik, "run", f"{name}.csv", *flags], cwd=folder, env=environment)

        vendor = sandbox("--chaos", "0.001")
        for night in range(3):
            customers(folder / f"night-{night + 1}.csv", 3000 + 1000 * night, dice)
            run(f"night-{night + 1}").wait()
        vendor.terminate()
        vendor.wait()
        vendor = sandbox("--chaos", "0.0005", "--outage", "150s..210s")
        customers(folder / "customers.csv", ROWS, dice)
        report = ["--max-charges", "95000", "--report", "night.html"]
        first = run("customers", *report)
        time.sleep(330)
        first.send_signal(signal.SIGINT)
        first.wait()
        run("customers", *report).wait()
        vendor.terminate()
        vendor.wait()
        shutil.copy(folder / "night.html", HERE / "night.html")
    chromium = shutil.which("chromium") or sys.exit("the picture needs Chromium")
    flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1100,1080"]
    picture = f"--screenshot={HERE / 'night.png'}"
    subprocess.run([chromium, *flags, picture, (HERE / "night.html").as_uri()], check=True, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
