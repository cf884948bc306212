#!/usr/bin/env python3
"""Measures whole runs of the release build against `ceknik sandbox`, and compares them with bars.

A bar is a target that a figure must reach. Prints a table with one line for each bar; exits 1 if a
bar is missed. Everything stays on loopback and in a temporary folder, and every run is bounded.
Needs cargo and wrk. `bars.py NAME ...` measures some of the bars: start, plan, workbook,
throughput, latency, rate, memory, resume.
"""

import json
import os
import pathlib
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
ENV = {**os.environ, "CEKNIK_API_ID": "bench", "CEKNIK_API_SECRET": "bench"}
FAILED = []


def bar(name, figure, target, holds):
    """Prints one line of the table."""
    print(f"{'ok  ' if holds else 'LOW '} {name:<44} {figure:<40} {target}", flush=True)
    if not holds:
        FAILED.append(name)


class Ended:
    """The result of a command: wall and CPU seconds, peak memory, exit code, output."""

    def __init__(self, command, expect=(0, 3)):
        began = time.monotonic()
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            process = subprocess.Popen(command, env=ENV, stdout=out, stderr=err)
            _, status, usage = os.wait4(process.pid, 0)
            self.wall = time.monotonic() - began
            process.returncode = os.waitstatus_to_exitcode(status)
            self.code = process.returncode
            self.cpu = usage.ru_utime + usage.ru_stime
            self.rss_mb = usage.ru_maxrss / 1024
            out.seek(0), err.seek(0)
            self.out, self.err = out.read().decode(), err.read().decode()
        if self.code not in expect:
            sys.exit(f"{command} ended with {self.code}:\n{self.out}{self.err}")


class Sandbox:
    """The stand-in vendor as a separate process."""

    def __init__(self, ceknik, *options):
        command = [ceknik, "sandbox", *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.url = self.process.stdout.readline().decode().strip()

    def requests(self):
        with urllib.request.urlopen(self.url + "/stats") as answer:
            return json.load(answer)["requests"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


class Bench:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.ceknik, self.bare = build()

    def people(self, rows):
        """A file of distinct made-up people. No NIK chooses a special answer of the sandbox."""
        path = self.folder / f"{rows}.csv"
        if not path.exists():
            with path.open("w") as out:
                out.write("id,nik,nama\n")
                for n in range(rows):
                    serial = 1001 + n // 10 * 9973 % 8000 // 10 * 10 + n % 9
                    nik = f"32{n % 79 + 1:02}{n // 79 % 20 + 1:02}{n % 28 + 1:02}{n % 12 + 1:02}"
                    letters = "".join(chr(65 + n // 26**k % 26) for k in range(6))
                    out.write(f"{n},{nik}{n // 7 % 100:02}{serial:04},WARGA {letters}\n")
        return str(path)

    def command(self, file, url, ledger, *options):
        rate = [] if "--rate" in options else ["--rate", "unlimited"]
        return [
            self.ceknik, "run", file, "--base-url", url, "--ledger", str(self.folder / ledger),
            "-o", str(self.folder / "out.csv"), "--no-progress", *rate, *options,
        ]  # fmt: skip

    def run(self, file, url, ledger, *options, expect=(0, 3)):
        return Ended(self.command(file, url, ledger, *options), expect)

    def forget(self, ledger):
        for path in self.folder.glob(f"{ledger}*"):
            path.unlink()

    def wrk(self, file, url, connections, seconds=8):
        script = str(HERE / "post.lua")
        command = ["wrk", "-t2", f"-c{connections}", f"-d{seconds}s", "-s", script, url, "--", file]
        said = Ended(command).out
        return float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1])

    def summary(self):
        return json.loads((self.folder / "out.csv.summary.json").read_text())

    # ---- the bars ----

    def throughput(self):
        """Latency 0 ms, 64 in flight: wrk, the HTTP client alone and ceknik, in turn."""
        file, wrk, bare, rows, cpu, calling = self.people(200_000), [], [], [], [], []
        with Sandbox(self.ceknik) as sandbox:
            for _ in range(3):
                wrk.append(self.wrk(file, sandbox.url, 64))
                bare.append(float(Ended([self.bare, sandbox.url, file, "64"]).out))
                self.forget("fast")
                ended = self.run(file, sandbox.url, "fast", "--concurrency", "64")
                rows.append(200_000 / ended.wall)
                cpu.append(ended.cpu / 2)
                calling.append(self.summary()["start_calls_per_second"])
        of_wrk = statistics.median(r / w for r, w in zip(rows, wrk))
        median = statistics.median
        print(
            f"     0 ms, 64 in flight: wrk {median(wrk):,.0f}/s, client alone {median(bare):,.0f}/s, "
            f"ceknik {median(rows):,.0f} rows/s (while calling {median(calling):,.0f}/s)"
        )
        bar("0 ms: rows/s of wrk's calls/s", f"{of_wrk:.2f}", "0.25, aim 0.35", of_wrk >= 0.25)
        seconds = median(cpu)
        bar("CPU s per 100k rows, whole process", f"{seconds:.2f}", "8, aim 5.5", seconds <= 8)

    def latency(self):
        """Latency 20 ms, 256 in flight."""
        file, shares = self.people(100_000), []
        with Sandbox(self.ceknik, "--latency", "20ms") as sandbox:
            for _ in range(3):
                wrk = self.wrk(file, sandbox.url, 256)
                self.forget("slow")
                ended = self.run(file, sandbox.url, "slow", "--concurrency", "256")
                shares.append((100_000 / ended.wall / wrk, wrk, 100_000 / ended.wall))
        share, wrk, rows = sorted(shares)[1]
        figure = f"{share:.2f} ({rows:,.0f} of {wrk:,.0f}/s)"
        bar("20 ms, 256 in flight: rows/s of wrk's", figure, "0.80, aim 0.95", share >= 0.8)

    def rate(self):
        """From the vendor's log: the rate that was reached, and the most calls in one second."""
        file = self.people(100_000)
        for rate in (10, 50, 200, 1000):
            calls = self.folder / f"calls-{rate}"
            with Sandbox(self.ceknik, "--calls", str(calls)) as sandbox:
                limit = ["--rate", str(rate), "--limit", str(rate * 10)]
                self.run(file, sandbox.url, f"rate-{rate}", *limit, expect=(13,))
            times = sorted(json.loads(line)["at_us"] for line in calls.open())
            kept = (len(times) - 1) / ((times[-1] - times[0]) / 1e6) / rate
            fullest = fullest_second(times)
            most = rate + max(1, rate / 100)
            figure = f"{100 * kept:.1f} %, fullest second {fullest} of {most:g}"
            holds = kept >= 0.99 and fullest <= most
            bar(f"rate {rate}/s for 10 s", figure, "99 %, rate + max(1, 1 %)", holds)

    def memory(self):
        """Peak memory with 100k and 1M distinct rows, then a second run of the 1M rows."""
        with Sandbox(self.ceknik) as sandbox:
            small = self.run(self.people(100_000), sandbox.url, "small").rss_mb
            self.forget("large")
            large = self.run(self.people(1_000_000), sandbox.url, "large").rss_mb
            self.again_at(sandbox)
        growth = (large - small) * 1024 * 1024 / 900_000
        bar("peak memory at 1M rows", f"{large:.0f} MB", "120 MB", large < 120)
        bar("growth a distinct row", f"{growth:.0f} bytes", "64, aim 32", growth <= 64)

    def again_at(self, sandbox):
        before = sandbox.requests()
        ended = self.run(self.people(1_000_000), sandbox.url, "large")
        calls, speed = sandbox.requests() - before, 1_000_000 / ended.wall
        figure = f"{calls} calls, {speed:,.0f} rows/s"
        bar("nothing to buy: 1M rows again", figure, "0 calls, 200k/s", calls == 0 and speed >= 2e5)

    def resume(self):
        """A kill at 50 % of 1M rows, then the time from the next start to its first call."""
        file = self.people(1_000_000)
        with Sandbox(self.ceknik) as sandbox:
            command = self.command(file, sandbox.url, "killed")
            process = subprocess.Popen(command, env=ENV, stderr=subprocess.DEVNULL)
            while sandbox.requests() < 500_000:
                time.sleep(0.05)
            process.kill()
            process.wait()
            time.sleep(0.5)
            before, began = sandbox.requests(), time.monotonic()
            process = subprocess.Popen(command, env=ENV, stderr=subprocess.DEVNULL)
            while sandbox.requests() == before:
                time.sleep(0.005)
            seconds = time.monotonic() - began
            process.kill()
            process.wait()
        bar("resume at 50 % of 1M: to the first call", f"{seconds:.2f} s", "5 s", seconds <= 5)

    def plan(self):
        """`ceknik plan` before and after the file is bought."""
        small, large = self.people(1_000_000), self.people(10_000_000)
        ends = [self.planned(small, "none") for _ in range(3)]
        speed = statistics.median(1_000_000 / ended.wall for ended in ends)
        memory = max(ended.rss_mb for ended in ends)
        bar("plan of 1M rows, no ledger", f"{speed:,.0f} rows/s", "1.2M, aim 2M", speed >= 1.2e6)
        bar("its peak memory", f"{memory:.0f} MB", "100 MB", memory < 100)
        ended = self.planned(large, "none")
        share = 10_000_000 / ended.wall / speed
        figure = f"{share:.2f} of the speed at 1M ({10_000_000 / ended.wall:,.0f} rows/s)"
        bar("plan of 10M rows", figure, "0.80", share >= 0.8)
        bar("its peak memory", f"{ended.rss_mb:.0f} MB", "500 MB", ended.rss_mb < 500)
        with Sandbox(self.ceknik) as sandbox:
            self.run(small, sandbox.url, "bought")
            ended = self.planned(small, "bought", sandbox.url)
        plan = json.loads(ended.out)
        speed = 1_000_000 / ended.wall
        figure = f"{speed:,.0f} rows/s, {plan['to_send']} to send"
        holds = speed >= 2.5e5 and plan["to_send"] == 0
        bar("plan of 1M rows, all in the ledger", figure, "250k rows/s, 0", holds)

    def planned(self, file, ledger, url="http://127.0.0.1:9"):
        ledger = str(self.folder / ledger)
        options = ["--base-url", url, "--ledger", ledger, "--json", "-q"]
        return Ended([self.ceknik, "plan", file, *options], expect=(0,))

    def workbook(self):
        """`ceknik plan` of a workbook with shared texts, as Excel writes them."""
        file = workbook_of(self.people(100_000))
        ends = [self.planned(file, "none") for _ in range(3)]
        seconds, memory = max(e.wall for e in ends), max(e.rss_mb for e in ends)
        bar("plan of a 100k-row workbook", f"{seconds:.2f} s", "3 s", seconds <= 3)
        bar("its peak memory", f"{memory:.0f} MB", "200 MB", memory < 200)

    def start(self):
        version = min(Ended([self.ceknik, "--version"]).wall for _ in range(10))
        bar("ceknik --version", f"{1000 * version:.1f} ms", "50 ms", version < 0.05)
        fixture = self.folder / "customers.csv"
        shutil.copy(ROOT / "fixtures" / "customers.csv", fixture)
        ledger = str(self.folder / "fixture")
        slowest = 0
        for _ in range(3):
            self.forget("fixture")
            command = [self.ceknik, "run", str(fixture), "--sandbox", "--ledger", ledger]
            slowest = max(slowest, Ended(command).wall)
        bar("the fixture with --sandbox, slowest of 3", f"{slowest:.1f} s", "10 s", slowest < 10)


def workbook_of(file):
    """Writes the rows as a workbook, with each text once in the list of shared texts."""
    path, texts, rows = f"{file}.xlsx", {}, []
    with open(file) as lines:
        for row, line in enumerate(lines, 1):
            shared = [texts.setdefault(cell, len(texts)) for cell in line.rstrip("\n").split(",")]
            cells = (f'<c r="{"ABC"[at]}{row}" t="s"><v>{n}</v></c>' for at, n in enumerate(shared))
            rows.append(f'<row r="{row}">{"".join(cells)}</row>')
    schema = "http://schemas.openxmlformats.org"
    link = f"{schema}/officeDocument/2006/relationships"
    relations = f'<Relationships xmlns="{schema}/package/2006/relationships">'
    relation = '<Relationship Id="rId{}" Type="' + link + '/{}" Target="{}"/>'
    main = f'xmlns="{schema}/spreadsheetml/2006/main"'
    items = "".join(f"<si><t>{text}</t></si>" for text in texts)
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{schema}/package/2006/content-types"/>',
        "_rels/.rels": relations + relation.format(1, "officeDocument", "xl/workbook.xml") + "</Relationships>",
        "xl/_rels/workbook.xml.rels": relations
        + relation.format(1, "worksheet", "worksheets/sheet1.xml")
        + relation.format(2, "sharedStrings", "sharedStrings.xml")
        + "</Relationships>",
        "xl/workbook.xml": f'<workbook {main} xmlns:r="{link}"><sheets><sheet name="Nasabah" sheetId="1" r:id="rId1"/></sheets></workbook>',
        "xl/sharedStrings.xml": f'<sst {main} uniqueCount="{len(texts)}">{items}</sst>',
        "xl/worksheets/sheet1.xml": f'<worksheet {main}><sheetData>{"".join(rows)}</sheetData></worksheet>',
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as book:
        for name, text in parts.items():
            book.writestr(name, text)
    return path


def fullest_second(times):
    """The most calls in any second. The times are in microseconds and sorted."""
    most, start = 0, 0
    for end, at in enumerate(times):
        while times[start] <= at - 1_000_000:
            start += 1
        most = max(most, end - start + 1)
    return most


def build():
    """Builds the release binary as users get it, and the bare loop. Returns their paths."""
    return tuple(executable(*target) for target in (("--bench", "bare_loop"), ("--bin", "ceknik")))[::-1]


def executable(kind, name):
    """Builds one target. Build the binary last: a bench builds it too, with the tests' features."""
    command = ["cargo", "build", "--release", kind, name, "--message-format", "json"]
    said = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout
    messages = (json.loads(line) for line in said.splitlines())
    return [m["executable"] for m in messages if m.get("executable") and m["target"]["name"] == name][-1]


def main():
    names = sys.argv[1:] or ["start", "plan", "workbook", "throughput", "latency", "rate", "memory", "resume"]
    with tempfile.TemporaryDirectory(prefix="ceknik-bars-") as folder:
        bench = Bench(folder)
        for name in names:
            getattr(bench, name)()
    if FAILED:
        sys.exit(f"short of the bar: {', '.join(FAILED)}")


if __name__ == "__main__":
    main()
