#!/usr/bin/env python3
"""Long runs of the release build against `ceknik sandbox`, each held against the vendor's own call log.

`load.py full [ROWS]`: 10M distinct rows without faults, memory watched. `load.py soak [SECONDS]`: an hour at 500 calls a
second, 2 % of them with faults of every kind. Everything stays on loopback and in a temporary folder (LOAD_FOLDER
names another), and every run is bounded. Prints a table; exits 1 where something does not hold.
"""

import csv
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

from bars import ENV, FAILED, Bench, Sandbox, bar, fullest_second

CALL = re.compile(r'"at_us":(\d+),"pair":"(\w+)","answer":"(\w*)","http":\d+,"charged":(\w+),"n":(\d+)')
# Answers after which the same pair may be sent again.
PASSING = {
    "INTERNAL_ERROR", "QUERY_FAILED", "RATE_LIMIT_EXCEEDED", "SOURCE_SERVICE_UNAVAILABLE",
    "SOURCE_SERVICE_TIMEOUT", "html502",
}  # fmt: skip


class Watched:
    """A run whose memory is measured each second."""

    def __init__(self, command, log):
        self.memory, began = [], time.monotonic()
        with open(log, "w") as err:
            process = subprocess.Popen(command, env=ENV, stderr=err)
            while process.poll() is None:
                time.sleep(1)
                self.memory.append((time.monotonic() - began, rss_mb(process.pid)))
        self.code, self.wall = process.returncode, time.monotonic() - began


def rss_mb(pid):
    try:
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024
    except (OSError, TypeError):
        return 0.0


def audit(name, calls, summary, output, given):
    """Compares the vendor's log, the summary, the output and the input."""
    billed, ended, again, times = 0, set(), 0, []
    with open(calls) as log:
        for at, pair, answer, charged, nth in (CALL.search(line).groups() for line in log):
            billed += charged == "true"
            times.append(int(at))
            if nth != "1" and pair in ended:
                again += 1
            if answer not in PASSING:
                ended.add(pair)
    charged = possible = rows = disorder = 0
    with open(output, newline="") as out, open(given, newline="") as rows_in:
        for row, own in zip(csv.DictReader(out), csv.DictReader(rows_in), strict=True):
            rows += 1
            disorder += any(row[column] != own[column] for column in own)
            charged += row["ck_charged"] == "yes"
            possible += int(row["ck_possible"])
    spending = summary["spending"]
    least, most = spending["owed_at_least"], spending["owed_at_most"]
    bar(f"{name}: pairs sent again after their answer", str(again), "0", again == 0)
    figure = f"{least:,} <= {billed:,} <= {most:,}"
    bar(f"{name}: confirmed <= billed <= with possible", figure, "holds", least <= billed <= most)
    figure = f"{charged:,} and {possible:,}"
    holds = (charged, charged + possible) == (least, most)
    bar(f"{name}: the output says the same", figure, f"{least:,} and {most - least:,}", holds)
    figure = f"{rows:,} rows, {disorder} out of order or changed"
    total = sum(summary["outcomes"].values())
    bar(f"{name}: rows in = rows out = outcomes", figure, f"{summary['rows']:,}", rows == summary["rows"] == total and not disorder)
    return sorted(times)


def full(bench, rows):
    file, calls = bench.people(rows), bench.folder / "calls"
    with Sandbox(bench.ceknik, "--calls", str(calls)) as sandbox:
        run = Watched(bench.command(file, sandbox.url, "full"), bench.folder / "log")
    if run.code != 0:
        sys.exit(f"ended with {run.code}: {(bench.folder / 'log').read_text()[-2000:]}")
    summary = bench.summary()
    times = audit("full", calls, summary, bench.folder / "out.csv", file)
    calling = (times[-1] - times[0]) / 1e6
    print(f"     {rows:,} rows in {run.wall:,.0f} s, {len(times) / calling:,.0f} calls a second while calling")
    seen = [memory for at, memory in run.memory if at > 0.1 * run.wall and at < 0.9 * run.wall]
    fifth = max(1, len(seen) // 5)
    early, late = statistics.median(seen[:fifth]), statistics.median(seen[-fifth:])
    peak = max(memory for _, memory in run.memory)
    bar("full: memory while calling, early and late", f"{early:.0f} and {late:.0f} MB, peak {peak:.0f}", "flat within 5 %", late <= 1.05 * early)


def soak(bench, seconds):
    rate = 500
    file, calls = bench.people(rate * seconds), bench.folder / "calls"
    with Sandbox(bench.ceknik, "--chaos", "0.02", "--latency", "20ms", "--calls", str(calls)) as sandbox:
        options = ["--rate", str(rate), "--deadline", f"{seconds}s", "--backoff", "100ms"]
        run = Watched(bench.command(file, sandbox.url, "soak", *options), bench.folder / "log")
    if run.code not in (3, 15):
        sys.exit(f"ended with {run.code}: {(bench.folder / 'log').read_text()[-2000:]}")
    output = bench.folder / ("out.csv" if run.code == 3 else "out.partial.csv")
    summary = bench.summary()
    times = audit("soak", calls, summary, output, file)
    span, most = (times[-1] - times[0]) / 1e6, fullest_second(times)
    print(f"     {len(times):,} calls in {span:,.0f} s ({len(times) / span:,.0f} a second), {summary['outcomes']}")
    bar("soak: the fullest second", str(most), f"{rate + rate // 100}", most <= rate + rate // 100)
    peak = max(memory for _, memory in run.memory)
    bar("soak: peak memory", f"{peak:.0f} MB", "200 MB", peak < 200)


def main():
    name, number = sys.argv[1] if len(sys.argv) > 1 else "", sys.argv[2:]
    if name not in ("full", "soak"):
        sys.exit(__doc__)
    folder = os.environ.get("LOAD_FOLDER")
    with tempfile.TemporaryDirectory(prefix="ceknik-load-", dir=folder) as folder:
        bench = Bench(folder)
        if name == "full":
            full(bench, int(number[0]) if number else 10_000_000)
        else:
            soak(bench, int(number[0]) if number else 3600)
    if FAILED:
        sys.exit(f"does not hold: {', '.join(FAILED)}")


if __name__ == "__main__":
    main()
