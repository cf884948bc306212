#!/usr/bin/env python3
"""Lets whole runs find the limit of `ceknik sandbox`, for real: `benches/rates.py [CEKNIK]`.

Each run lasts a minute. What counts is from its 15th second on, because the first climb takes some
of them. Exits 1 if a bar is missed. The models of other vendors are in `benches/rates`, in virtual
time.
"""

import json
import pathlib
import sys
import tempfile

import bars
from bars import Bench, Ended, Sandbox, bar

SECONDS, FROM = 60, 15
# The limit, the share of it that must be answered, and the share that may be refused.
BARS = [(200, 0.88, 0.02), (50, 0.75, 0.02)]


def measure(bench, file, limit, asked):
    """Runs for a minute. Returns the share of the limit that was answered, and of the refused."""
    log = bench.folder / f"calls-{limit}-{asked}.jsonl"
    options = ["--rate", str(limit), "--latency", "50ms", "--calls", str(log), "--port", "0"]
    flags = ["--rate", asked, "--deadline", f"{SECONDS}s", "--concurrency", "256"]
    if asked == "auto":
        flags += ["--rate-max", "5000"]
    with Sandbox(bench.ceknik, *options) as vendor:
        command = bench.command(file, vendor.url, f"{limit}-{asked}.ledger", *flags)
        Ended(command, expect=(0, 3, 15))
    calls = [json.loads(line) for line in log.read_text().splitlines()]
    first = min(call["at_us"] for call in calls)
    counted = [call for call in calls if call["at_us"] - first >= FROM * 1e6]
    refused = sum("RATE_LIMIT" in call["answer"].upper() for call in counted)
    span = (max(call["at_us"] for call in counted) - first) / 1e6 - FROM
    answered = (len(counted) - refused) / span / limit
    return answered, refused / len(counted)


def main():
    with tempfile.TemporaryDirectory() as folder:
        if len(sys.argv) > 1:
            bars.build = lambda: (str(pathlib.Path(sys.argv[1]).resolve()), None)
        bench = Bench(folder)
        file = bench.people(20_000)
        for limit, least, most in BARS:
            for asked in ["auto", str(5 * limit), "unlimited"]:
                answered, refused = measure(bench, file, limit, asked)
                figure = f"{answered:.1%} answered, {refused:.2%} refused"
                target = f">= {least:.0%}, <= {most:.0%}"
                bar(f"{limit}/s, --rate {asked}", figure, target, answered >= least and refused <= most)
    sys.exit(1 if bars.FAILED else 0)


if __name__ == "__main__":
    main()
