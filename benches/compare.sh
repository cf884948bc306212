#!/bin/sh
# Compares a whole run with other programs, one after the other: wrk (the upper limit, since it does
# nothing with the answers) and, where they are installed, `qsv fetchpost` and a small aiohttp
# script. Prints ratios. Everything stays on loopback and is bounded. Needs cargo, Python and wrk.
set -eu
cd "$(dirname "$0")"
exec python3 compare.py "$@"
