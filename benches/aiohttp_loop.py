#!/usr/bin/env python3
"""A script as people write it by hand: aiohttp, 64 calls in flight, verdicts to a CSV.

`aiohttp_loop.py URL FILE CONCURRENCY OUTPUT`. The file has the columns id,nik,nama. For comparison
only: nothing is durable before the end.
"""

import asyncio
import csv
import sys

import aiohttp


async def worker(session, url, rows, out):
    for row in rows:
        body = {"id_number": row["nik"], "name": row["nama"]}
        async with session.post(f"{url}/verify/id_name", json=body) as answer:
            result = (await answer.json()).get("result", {}).get("result", "")
            out.writerow([*row.values(), result])


async def main(url, file, concurrency, output):
    headers = {"X-DF-API-ID": "bench", "X-DF-API-SECRET": "bench"}
    connector = aiohttp.TCPConnector(limit=int(concurrency))
    with open(file, newline="") as rows, open(output, "w", newline="") as out:
        rows, out = csv.DictReader(rows), csv.writer(out)
        async with aiohttp.ClientSession(headers=headers, connector=connector) as session:
            await asyncio.gather(*(worker(session, url, rows, out) for _ in range(int(concurrency))))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
