#!/bin/sh
# The whole run beside others, in turn: wrk (the ceiling: it does nothing with the answers), and, where they are
# installed, `qsv fetchpost` and a small aiohttp script. Prints ratios. Everything stays on loopback and is bounded.
# Needs cargo, Python and wrk.
set -eu
cd "$(dirname "$0")"
exec python3 compare.py "$@"
