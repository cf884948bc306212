"""The program of `compare.sh`: compares a whole run with other programs, and prints ratios."""

import importlib.util
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time

from bars import HERE, Bench, Ended, Sandbox

ROWS, CONCURRENCY, ROUNDS = 100_000, 64, 3
# Slower programs get fewer rows.
SLOW_ROWS = 20_000


def qsv(bench, url, file):
    """qsv, which can only send one request at a time."""
    template = bench.folder / "payload.tpl"
    template.write_text('{"id_number":"{{nik}}","name":"{{nama}}"}')
    headers = ["-H", "X-DF-API-ID: bench", "-H", "X-DF-API-SECRET: bench"]
    command = ["qsv", "fetchpost", f"{url}/verify/id_name", "-t", str(template), "--rate-limit", "0", "--disk-cache-dir",
               str(bench.folder), "--no-cache", *headers, file, "-o", str(bench.folder / "qsv.csv")]  # fmt: skip
    return Ended(command)


def script(bench, url, file):
    """A script as people write it by hand."""
    out = str(bench.folder / "script.csv")
    return Ended([sys.executable, str(HERE / "aiohttp_loop.py"), url, file, str(CONCURRENCY), out])


def ceknik(bench, url, file):
    """A whole run: survey, durable intents and answers, merge, output."""
    bench.forget("compare")
    return bench.run(file, url, "compare", "--concurrency", str(CONCURRENCY))


def bare(bench, url, file):
    """ceknik's HTTP client alone."""
    return Ended([bench.bare, url, file, str(CONCURRENCY)])


def contestants():
    yield "`ceknik run`, everything durable", ceknik, ROWS
    yield "its HTTP client alone", bare, ROWS
    if shutil.which("qsv"):
        yield "`qsv fetchpost`, one request at a time", qsv, SLOW_ROWS
    if importlib.util.find_spec("aiohttp"):
        yield "an aiohttp script", script, SLOW_ROWS


def main():
    found = list(contestants())
    ratios, cpu = {name: [] for name, *_ in found}, {name: [] for name, *_ in found}
    with tempfile.TemporaryDirectory(prefix="ceknik-compare-") as folder:
        bench, ceilings = Bench(folder), []
        with Sandbox(bench.ceknik) as sandbox:
            for _ in range(ROUNDS):
                ceiling = bench.wrk(bench.people(ROWS), sandbox.url, CONCURRENCY, seconds=5)
                ceilings.append(ceiling)
                for name, run, rows in found:
                    ended = run(bench, sandbox.url, bench.people(rows))
                    ratios[name].append(rows / ended.wall / ceiling)
                    cpu[name].append(ended.cpu * 100_000 / rows)
    print(f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores shared with the server, {platform.machine()}, "
          f"0 ms, {CONCURRENCY} in flight; wrk {statistics.median(ceilings):,.0f} calls/s\n")  # fmt: skip
    print("| | of wrk | CPU s per 100k |\n|---|---|---|")
    for name, *_ in found:
        print(f"| {name} | {statistics.median(ratios[name]):.2f} | {statistics.median(cpu[name]):.1f} |")


if __name__ == "__main__":
    main()
