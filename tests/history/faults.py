#!/usr/bin/env python3
"""A sweep under faults: real programs, real PostgreSQL, and everything that may go wrong, going wrong.

Sweeps of made-up tasks with dependencies are submitted one after another, while workers and the coordinator are killed or
stopped beyond the lease, PostgreSQL is killed, and a proxy repeats, replays and delays messages. When all have ended,
history_check judges the history. What happens is drawn from the seed, which is printed.

    faults.py [--seed S] [--scale X] [--scenario NAME] [--expect-violation] [--keep]
    (ACSWEEP_BIN: programs, ACSWEEP_TESTS: test tools)
"""
import argparse
import ctypes
import glob
import os
import pwd
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

LEASE, HEARTBEAT = 2.0, 0.3
WORKERS, SLOTS, CREDITS = 4, 4, 16
METRIC = "loss"

# What the sweeps are made of: tasks, depth of the chains, executor, how it behaves, and how many tasks may run as one. At scale
# 1, more than 20,000 tasks.
SWEEPS = [
    ("quick-1", 4000, 4, "noop", ""),
    ("sleepy", 600, 3, "fake", 'sleep_ms = 20; sleep_max_ms = 300;'),
    ("long", 24, 2, "fake", 'sleep_ms = 2500; sleep_max_ms = 5000;'),
    ("quick-2", 4000, 50, "noop", ""),
    ("flaky", 1500, 3, "fake", 'outcome = "fail:code"; fail_attempts = 1;'),
    ("broken", 300, 5, "fake", 'outcome = "fail:data";'),
    ("quick-3", 4000, 2, "noop", ""),
    ("crashing", 150, 2, "fake", 'outcome = "crash"; fail_attempts = 1;'),
    ("sleepy-2", 600, 3, "fake", 'sleep_ms = 20; sleep_max_ms = 300;'),
    ("quick-4", 4000, 10, "noop", ""),
    ("checkpoints", 300, 2, "fake", 'outcome = "checkpoint"; fail_attempts = 2;'),
    ("bundles", 1200, 3, "fake", 'sleep_ms = 0; sleep_max_ms = 30;', 24),
    ("bundles-crashing", 120, 2, "fake", 'outcome = "crash"; fail_attempts = 1;', 16),
    ("bundles-flaky", 300, 2, "fake", 'sleep_max_ms = 20; outcome = "fail:code"; fail_attempts = 1;', 10),
    ("bundles-long", 48, 2, "fake", 'sleep_ms = 200; sleep_max_ms = 600;', 12),
    ("quick-5", 3000, 100, "noop", ""),
]
# For a coordinator without its fence. Workers do nothing but stand still for longer than a lease, while their tasks end: what
# they send when they go on is stale, and its task, leased to another, waits there behind several seconds of work. Who lets
# such a result in starts the tasks behind it before that other worker has finished it: every stop shows several times over.
STALE = [(f"stale-{i}", 160, 4, "fake", 'sleep_ms = 600; sleep_max_ms = 1400;') for i in range(3)]
STALE += [("stale-bundles", 160, 4, "fake", 'sleep_ms = 300; sleep_max_ms = 700;', 4)]
SCENARIOS = {"all": SWEEPS, "stale": STALE}


def die_with_us():
    """In a child before exec: a test that is killed leaves nothing running."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Postgres:
    """A cluster of our own. As root it runs as user postgres, whom PostgreSQL wants instead."""

    def __init__(self, top):
        programs = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda p: int(p.split("/")[4]))
        if not programs:
            sys.exit("no PostgreSQL: apt install postgresql")
        self.bin, self.dir, self.process = programs[-1], os.path.join(top, "postgres"), None
        self.user = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
        os.mkdir(self.dir, 0o700)
        if self.user:
            os.chown(self.dir, self.user.pw_uid, self.user.pw_gid)
        self.conninfo = f"host={self.dir} dbname=postgres user=postgres"
        self.run([self.bin + "/initdb", "-D", self.dir + "/data", "-U", "postgres", "-A", "trust", "-N"]).wait()
        self.start()

    def run(self, argv):
        who = {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []} if self.user else {}
        log = open(self.dir + ".log", "ab")
        return subprocess.Popen(argv, stdout=log, stderr=log, cwd=self.dir, preexec_fn=die_with_us, **who)

    def start(self):
        self.process = self.run([self.bin + "/postgres", "-D", self.dir + "/data", "-k", self.dir,
                                 "-c", "listen_addresses=", "-c", "shared_buffers=32MB", "-c", "fsync=off"])
        deadline = time.monotonic() + 60
        while self.ask("SELECT 1") != "1":
            if time.monotonic() > deadline or self.process.poll() is not None:
                sys.exit(f"PostgreSQL does not start, see {self.dir}.log")
            time.sleep(0.1)

    def stop(self, how):
        self.process.send_signal(how)
        self.process.wait()

    def crash(self, seconds):
        self.stop(signal.SIGQUIT)
        time.sleep(seconds)
        self.start()

    def ask(self, sql):
        """First field of the answer; None while the server is away."""
        p = subprocess.run(["psql", "-XAtqc", sql, self.conninfo], capture_output=True, text=True)
        return p.stdout.strip() if p.returncode == 0 else None


class Program:
    """A program that is started again whenever it ends. That it ends by itself is a failure of the test."""

    def __init__(self, name, argv, log):
        self.name, self.argv, self.log, self.starts, self.stopped_until = name, argv, log, 0, None
        self.killed, self.ended_by_itself = False, []
        self.start()

    def start(self):
        self.starts += 1
        self.killed = False
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                            preexec_fn=die_with_us)

    def tend(self, now):
        if self.stopped_until is not None and now >= self.stopped_until:
            self.stopped_until = None
            self.process.send_signal(signal.SIGCONT)
        code = self.process.poll()
        if code is not None:
            if not self.killed:
                self.ended_by_itself.append(code)
            self.start()

    def kill(self):
        self.stopped_until, self.killed = None, True
        self.process.kill()
        self.process.wait()

    def freeze(self, seconds):
        if self.stopped_until is None and self.process.poll() is None:
            self.process.send_signal(signal.SIGSTOP)
            self.stopped_until = time.monotonic() + seconds

    def end(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class World:
    def __init__(self, options, top):
        self.options, self.top, self.random = options, top, random.Random(options.seed)
        self.bin, self.tests = os.environ["ACSWEEP_BIN"], os.environ["ACSWEEP_TESTS"]
        self.postgres = Postgres(top)
        self.command("db", "init", "-d", self.postgres.conninfo)
        inner, outer = free_port(), free_port()
        self.join = f"acsweep://127.0.0.1:{inner}"
        self.faults = {}
        self.proxy = subprocess.Popen([self.tests + "/noisy_proxy", str(options.seed), f"tcp://127.0.0.1:{outer}",
                                       f"tcp://127.0.0.1:{inner}"], preexec_fn=die_with_us)
        self.coordinator = Program("coordinator", [
            options.coordinator or self.bin + "/acsweep-coordinator", "-d", self.postgres.conninfo, "--listen", f"tcp://127.0.0.1:{inner}",
            "--advertise", f"tcp://127.0.0.1:{outer}", "--lease", f"{LEASE}s", "--heartbeat", f"{HEARTBEAT}s",
            "--strikes", "0"], top + "/coordinator.log")
        self.dirs = [f"{top}/worker-{i}" for i in range(WORKERS)]
        self.workers = [Program(f"worker-{i}", [
            self.bin + "/acsweep-worker", "--coordinator", f"acsweep://127.0.0.1:{outer}", "--slots", str(SLOTS),
            "--credits", str(CREDITS), "--resend", "1s", "--state", d], d + ".log") for i, d in enumerate(self.dirs)]
        self.programs = [self.coordinator, *self.workers]

    def command(self, *args, check=True):
        p = subprocess.run([self.bin + "/acsweep", *args], capture_output=True, text=True, timeout=90)
        if check and p.returncode:
            sys.exit(f"acsweep {' '.join(args)}: exit code {p.returncode}\n{p.stdout}{p.stderr}")
        return p.returncode == 0

    def submit(self, number, name, tasks, depth, executor, fake, bundle=1):
        """Submitting is idempotent: whatever goes wrong in between, once more."""
        path = f"{self.top}/{name}.cfg"
        behaviour = f"fake = {{ {fake} metrics = {{ {METRIC} = 0.5; }}; }};" if executor == "fake" else ""
        with open(path, "w") as f:
            f.write(f'name = "{name}";\nseed = {self.options.seed * 100 + number};\n'
                    f'load = {{ tasks = {tasks}; depth = {depth}; executor = "{executor}"; bundle = {bundle}; {behaviour} }};\n'
                    'retries = { infrastructure = -1; code = 5; backoff = "50ms"; backoff_max = "1s"; };\n')
        deadline = time.monotonic() + 120
        while not self.command("submit", path, "-c", self.join, "--timeout", "5s", check=False):
            if time.monotonic() > deadline:
                sys.exit(f"could not submit {name}")
            self.tend()
            time.sleep(0.2)

    def tend(self):
        for p in self.programs:
            p.tend(time.monotonic())

    def one_fault(self):
        r = self.random
        worker = r.choice(self.workers)
        if self.options.scenario == "stale":
            awake = [w for w in self.workers if w.stopped_until is None]
            if len(awake) > WORKERS / 2: # the others must be there to take its tasks
                r.choice(awake).freeze(r.uniform(LEASE + 0.7, LEASE + 1.7))
                self.faults["worker stopped"] = self.faults.get("worker stopped", 0) + 1
            return
        faults = [
            (6, "worker killed", worker.kill),
            (6, "worker stopped", lambda: worker.freeze(r.uniform(LEASE, 3 * LEASE))),
            (3, "coordinator killed", self.coordinator.kill),
            (2, "coordinator stopped", lambda: self.coordinator.freeze(r.uniform(0.5, 2 * LEASE))),
            (1, "PostgreSQL killed", lambda: self.postgres.crash(r.choice([0, 0, 1, 4]))),
        ]
        weight, name, act = r.choices(faults, [f[0] for f in faults])[0]
        act()
        self.faults[name] = self.faults.get(name, 0) + 1

    def go(self):
        todo, total = [(i, *s) for i, s in enumerate(SCENARIOS[self.options.scenario])], 0
        began = time.monotonic()
        next_submit = next_fault = began
        calm = None
        while True:
            now = time.monotonic()
            self.tend()
            if todo and now >= next_submit:
                number, name, tasks, depth, *how = todo.pop(0)
                tasks = max(depth, int(tasks * self.options.scale) // depth * depth)
                self.submit(number, name, tasks, depth, *how)
                total += tasks
                next_submit = now + self.random.uniform(1, 4)
            if now >= next_fault and calm is None:
                self.one_fault()
                next_fault = now + self.random.uniform(0.3, 1.5)
            if not todo:
                running = self.postgres.ask("SELECT count(*) FROM acsweep.sweep WHERE state = 'running'")
                if running == "0":
                    break
                if calm is None and now > began + self.options.faults_for:
                    calm = now  # enough: what is left must now end by itself
                if calm is not None and now > calm + self.options.patience:
                    print(f"{running} sweeps have not ended {self.options.patience} s after the last fault")
                    break
            time.sleep(0.05)
        print(f"{total} tasks in {time.monotonic() - began:.0f} s; " +
              ", ".join(f"{n} times {what}" for what, n in sorted(self.faults.items())) +
              f"; coordinator started {self.coordinator.starts} times", flush=True)
        return total

    def settle(self):
        """Give the workers time for what they have not been told yet, and end everything."""
        time.sleep(3)
        for p in reversed(self.programs):
            p.end()
        self.proxy.kill()
        self.proxy.wait()

    def judge(self, total):
        ended = [f"{p.name} ended by itself ({', '.join(map(str, p.ended_by_itself))})"
                 for p in self.programs if p.ended_by_itself]
        if ended and not self.options.expect_violation:
            print("; ".join(ended))
            return 2
        died = self.bundles_died()
        print(f"{len(died)} bundles died, of up to {max(died, default=0)} tasks")
        if not died and self.options.scenario == "all":
            print("no bundle died: the scenario does not try what it is to try")
            return 2
        return subprocess.run([self.tests + "/history_check", "--database", self.postgres.conninfo, "--tasks", str(total),
                               "--metric", METRIC, *self.dirs]).returncode

    def bundles_died(self):
        """How many tasks went down with their exec, each time that they were several."""
        sizes = []
        for d in self.dirs:
            with open(d + ".log", errors="replace") as f:
                sizes += [int(n) for n in re.findall(r"event=slot.exec_died .*tasks=(\d+)", f.read())]
        return [n for n in sizes if n > 1]

    def close(self):
        for p in getattr(self, "programs", []):
            p.kill()
        if getattr(self, "proxy", None):
            self.proxy.kill()
            self.proxy.wait()
        if self.postgres.process and self.postgres.process.poll() is None:
            self.postgres.stop(signal.SIGQUIT)


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--seed", type=int, default=int(os.environ.get("ACSWEEP_FAULT_SEED", random.randrange(10**6))))
    a.add_argument("--scale", type=float, default=float(os.environ.get("ACSWEEP_FAULT_SCALE", 1)))
    a.add_argument("--faults-for", type=float, default=120, help="seconds; after that what is left may end in peace")
    a.add_argument("--patience", type=float, default=60, help="seconds for that")
    a.add_argument("--scenario", choices=SCENARIOS, default="all", help="sweeps and faults")
    a.add_argument("--coordinator", default="", help="program to use as coordinator")
    a.add_argument("--expect-violation", action="store_true", help="of a deliberately broken build: fail unless it is noticed")
    a.add_argument("--keep", action="store_true", help="keep logs and database")
    options = a.parse_args()
    print(f"seed {options.seed}, scale {options.scale}", flush=True)
    top = tempfile.mkdtemp(prefix="acsweep-faults.")
    os.chmod(top, 0o755)  # user postgres must pass
    world = None
    failed = True
    try:
        world = World(options, top)
        total = world.go()
        world.settle()
        code = world.judge(total)
        failed = code != (1 if options.expect_violation else 0)
        if failed:
            print("no violation found in a build that is broken on purpose" if code == 0 else "failed")
    finally:
        if world:
            world.close()
        if failed or options.keep:
            print(f"logs and database: {top}")
        else:
            shutil.rmtree(top)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
