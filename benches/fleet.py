#!/usr/bin/env python3
"""Measures several workers on one shared ledger, and compares them with bars.

The workers, the vendor (`ceknik sandbox`) and the PostgreSQL server share this machine. So a bar holds
up to what its cores give: it counts as reached where they have next to nothing left to do. Everything
stays on loopback and in a temporary folder, in memory where there is room. Needs cargo, wrk and
PostgreSQL's programs. `fleet.py NAME ...` measures some of the bars: rates, takeover.
"""

import glob
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time

from bars import ENV, FAILED, Bench, Sandbox, bar, executable

#: Calls in flight of each worker, and the rate that each is to reach at a latency of 20 ms.
IN_FLIGHT = 64
OF_A_WORKER = 2500
#: Share of a rate within which two rates count as equal: the machine is shared.
NOISE = 0.9
#: Share of the cores' time from which on they count as busy.
BUSY = 0.8


class Server:
    """A PostgreSQL server with a cluster of its own."""

    def __init__(self, folder):
        self.programs = sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1:]
        if not self.programs:
            found = shutil.which("initdb") or sys.exit("no PostgreSQL server is installed")
            self.programs = [str(pathlib.Path(found).resolve().parent)]
        self.as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        self.data = tempfile.mkdtemp(prefix="ceknik-bench-pg-", dir=folder)
        if self.as_user:
            shutil.chown(self.data, "postgres")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.call("initdb", "-D", f"{self.data}/db", "-U", "ceknik", "-A", "trust", "-E", "UTF8", "--locale=C")
        options = (
            f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.data} "
            "-c max_connections=200 -c shared_buffers=256MB -c max_wal_size=4GB -c dynamic_shared_memory_type=mmap"
        )
        self.call("pg_ctl", "-D", f"{self.data}/db", "-o", options, "-l", f"{self.data}/log", "-w", "start")

    def call(self, program, *arguments):
        command = [*self.as_user, f"{self.programs[0]}/{program}", *arguments]
        subprocess.run(command, cwd="/", check=True, stdout=subprocess.DEVNULL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.call("pg_ctl", "-D", f"{self.data}/db", "-m", "immediate", "-w", "stop")
        shutil.rmtree(self.data)


class Fleet(Bench):
    """Workers on one ledger."""

    def __init__(self, folder, server):
        self.folder, self.server, self.ledgers = pathlib.Path(folder), server, 0
        self.ceknik = executable("--bin", "ceknik")

    def new_ledger(self, url):
        """Makes a ledger, and returns the settings of its workers."""
        self.ledgers += 1
        address = f"postgres://ceknik@127.0.0.1:{self.server.port}/postgres?schema=l{self.ledgers}"
        key = str(self.folder / f"l{self.ledgers}.key")
        env = {**ENV, "CEKNIK_LEDGER": address, "CEKNIK_KEY_FILE": key, "CEKNIK_BASE_URL": url}
        subprocess.run([self.ceknik, "ledger", "init"], env=env, check=True, stdout=subprocess.DEVNULL)
        return env

    def worker(self, env, file, number, *options):
        flags = ["--rate", "unlimited", "--concurrency", str(IN_FLIGHT), "--once", "bench", "--no-progress"]
        output = str(self.folder / f"o{number}.csv")
        command = [self.ceknik, "run", file, *flags, "-o", output, *options]
        return subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL)

    def rate(self, workers, rows, latency):
        """Returns the calls a second of these workers together in the middle of a run, and how busy the cores were."""
        file = self.people(rows)
        with Sandbox(self.ceknik, "--latency", latency) as sandbox:
            env = self.new_ledger(sandbox.url)
            running = [self.worker(env, file, number) for number in range(workers)]
            begun = self.reached(sandbox, rows * 0.3, running), core_times()
            ended = self.reached(sandbox, rows * 0.7, running), core_times()
            codes = [process.wait(timeout=600) for process in running]
            made = sandbox.requests()
        if any(code not in (0, 3) for code in codes) or made != rows:
            sys.exit(f"{workers} workers ended with {codes} and {made} calls")
        (since, calls), (until, more) = begun[0], ended[0]
        idle, total = (after - before for before, after in zip(begun[1], ended[1]))
        return (more - calls) / (until - since), 1 - idle / total

    @staticmethod
    def reached(sandbox, calls, running):
        """Waits for this number of calls. Returns the time and the number at that time."""
        while (made := sandbox.requests()) < calls:
            if any(process.poll() not in (None, 0, 3) for process in running):
                sys.exit("a worker ended early")
            time.sleep(0.02)
        return time.monotonic(), made

    # ---- the bars ----

    def rates(self):
        """Each number of workers at 20 ms; and a file, wrk and one worker beside it, to compare machines."""
        file, rates = self.people(30_000), {}
        with Sandbox(self.ceknik, "--latency", "20ms") as sandbox:
            wrk = self.wrk(file, sandbox.url, IN_FLIGHT)
            self.run(file, sandbox.url, "file", "--concurrency", str(IN_FLIGHT))
        alone = self.summary()["start_calls_per_second"]
        print(f"     20 ms, {IN_FLIGHT} in flight: wrk {wrk:,.0f}/s, a ledger in a file {alone:,.0f}/s", flush=True)
        for number, rows in ((1, 30_000), (3, 60_000), (10, 100_000)):
            rates[number], busy = sorted(self.rate(number, rows, "20ms") for _ in range(3))[1]
            figure = f"{rates[number]:,.0f}/s, {rates[number] / number:,.0f} a worker, cores {100 * busy:.0f} % busy"
            holds = rates[number] >= OF_A_WORKER * number or busy >= BUSY
            if number > 1:
                bar(f"20 ms, {number} workers", figure, f"{OF_A_WORKER:,} a worker, or {100 * BUSY:.0f} %", holds)
            else:
                print(f"     one worker: {figure}", flush=True)
        for few, many in ((1, 3), (3, 10)):
            share = rates[many] / rates[few]
            bar(f"{many} workers against {few}", f"{share:.2f}", f"{NOISE}: never slower", share >= NOISE)

    def takeover(self):
        """The time from the kill of a worker until its rows are sent by the other one."""
        file = self.people(6000)
        with Sandbox(self.ceknik, "--latency", "20ms") as sandbox:
            env = self.new_ledger(sandbox.url)
            running = [self.worker(env, file, number) for number in range(2)]
            self.reached(sandbox, 3000, running)
            running[1].kill()
            running[1].wait()
            killed = time.monotonic()
            # Within two seconds the first worker has sent its own rows.
            time.sleep(2)
            own = sandbox.requests()
            self.reached(sandbox, own + 100, running[:1])
            seconds = time.monotonic() - killed
            code = running[0].wait(timeout=600)
        figure = f"{seconds:.1f} s after the kill, exit {code}"
        bar("rows of a killed worker", figure, "a lease (15 s) + 2 s", seconds <= 17)


def core_times():
    """Returns the time in which the cores had nothing to do, and all of their time."""
    with open("/proc/stat") as stat:
        times = [int(word) for word in stat.readline().split()[1:9]]
    return times[3] + times[4], sum(times)


def main():
    names = sys.argv[1:] or ["rates", "takeover"]
    memory = "/dev/shm" if shutil.disk_usage("/dev/shm").free > 4 << 30 else None
    with tempfile.TemporaryDirectory(prefix="ceknik-fleet-") as folder, Server(memory) as server:
        fleet = Fleet(folder, server)
        for name in names:
            getattr(fleet, name)()
    if FAILED:
        sys.exit(f"short of the bar: {', '.join(FAILED)}")


if __name__ == "__main__":
    main()
