#!/usr/bin/env python3
"""Two coordinators, one database: the second takes over, running tasks stay, and whoever was left behind changes nothing.

1. The leader is killed: the standby leads under a new epoch; what ran goes on under its old token, on its first attempt.
2. A worker is stopped beyond the lease, while its tasks finish: they are done elsewhere, and its results are refused.
3. The leader is stopped and loses the database meanwhile: the other takes over, and the old one, awake again, stands by.

                                                               (ACSWEEP_BIN: programs, ACSWEEP_TESTS: test tools)
"""
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from faults import METRIC, Postgres, Program, free_port

SLOTS = 4


class Cluster:
    def __init__(self, top):
        self.top, self.bin, self.tests = top, os.environ["ACSWEEP_BIN"], os.environ["ACSWEEP_TESTS"]
        self.postgres, self.programs, self.total = Postgres(top), [], 0
        self.acsweep("db", "init", "-d", self.postgres.conninfo)
        self.ports = [free_port(), free_port()]
        addresses = ",".join(f"127.0.0.1:{p}" for p in self.ports)
        self.join = f"acsweep://{addresses}"
        self.coordinators = []
        for i in range(2):
            self.coordinators.append(self.start(f"coordinator-{i}", [
                self.bin + "/acsweep-coordinator", "-d", self.postgres.conninfo, "--name", f"coordinator-{i}", "--listen",
                f"tcp://127.0.0.1:{self.ports[i]}", "--lease", "3s", "--heartbeat", "500ms"]))
            self.wait(lambda: self.leader() == "coordinator-0", "coordinator-0 to lead")
        self.dirs = [f"{top}/worker-{i}" for i in range(2)]
        self.workers = [self.start(f"worker-{i}", [
            self.bin + "/acsweep-worker", "--coordinator", self.join, "--slots", str(SLOTS), "--credits", "1", "--resend",
            "1s", "--state", d]) for i, d in enumerate(self.dirs)]

    def start(self, name, argv):
        self.programs.append(Program(name, argv, f"{self.top}/{name}.log"))
        return self.programs[-1]

    def acsweep(self, *args):
        p = subprocess.run([self.bin + "/acsweep", *args], capture_output=True, text=True, timeout=90)
        if p.returncode:
            sys.exit(f"acsweep {' '.join(args)}: exit code {p.returncode}\n{p.stdout}{p.stderr}")

    def submit(self, name, leader, tasks, sleep_ms):
        path = f"{self.top}/{name}.cfg"
        with open(path, "w") as f:
            f.write(f'name = "{name}";\nseed = {self.total};\nload = {{ tasks = {tasks}; executor = "fake";\n'
                    f'  fake = {{ sleep_ms = {sleep_ms}; metrics = {{ {METRIC} = 0.5; }}; }}; }};\n')
        self.acsweep("submit", path, "-c", f"acsweep://127.0.0.1:{self.ports[leader]}")
        self.total += tasks

    def ask(self, sql):
        return self.postgres.ask(sql) or ""

    def number(self, sql):
        return int(self.ask(sql) or -1)

    def leader(self):
        return self.ask("SELECT coordinator FROM acsweep.leader")

    def tasks(self, sweep, condition):
        return self.number(f"SELECT count(*) FROM acsweep.sweep s JOIN acsweep.sweep_task USING (sweep_id) "
                           f"JOIN acsweep.task t USING (task_id) WHERE s.name = '{sweep}' AND {condition}")

    def wait(self, condition, what, seconds=30):
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError(f"waited {seconds} s for {what}")
            time.sleep(0.1)

    def log(self, worker, event, what):
        with open(f"{self.dirs[worker]}/history.jsonl") as f:
            return sum(f'"event":"{event}"' in line and f'"what":"{what}"' in line for line in f)

    def close(self):
        for p in self.programs:
            p.end()
        self.postgres.stop(signal.SIGQUIT)


def same(got, want, what):
    if got != want:
        raise AssertionError(f"{what}: {got} instead of {want}")


def leader_killed(c):
    c.submit("first", 0, 2 * SLOTS, 5000)
    c.wait(lambda: c.tasks("first", "t.state = 'leased'") == 2 * SLOTS, "every slot to be busy")
    epoch = c.number("SELECT epoch FROM acsweep.leader")
    c.coordinators[0].kill()
    c.wait(lambda: c.leader() == "coordinator-1", "the standby to lead", 10)
    same(c.number("SELECT epoch FROM acsweep.leader"), epoch + 1, "epoch of the new leader")
    c.coordinators[0].start()  # comes back as standby
    c.wait(lambda: c.tasks("first", "t.state = 'done'") == 2 * SLOTS, "the running tasks to end")
    same(c.tasks("first", f"t.attempt = 1 AND t.lease_epoch = {epoch}"), 2 * SLOTS, "tasks done on their first attempt")


def worker_stopped(c):
    c.submit("second", 1, 2 * SLOTS, 1500)
    c.wait(lambda: c.tasks("second", "t.state = 'leased'") == 2 * SLOTS, "every slot to be busy")
    c.workers[0].process.send_signal(signal.SIGSTOP)
    c.wait(lambda: c.tasks("second", "t.state = 'done'") == 2 * SLOTS, "the other worker to do all")
    c.workers[0].process.send_signal(signal.SIGCONT)
    c.wait(lambda: c.log(0, "acked", "fenced") == SLOTS, "the stopped worker's results to be refused")
    same(c.number("SELECT count(*) FROM acsweep.event WHERE kind = 'result.fenced'"), SLOTS, "refusals on record")
    same(c.tasks("second", "t.attempt = 2"), SLOTS, "tasks that needed a second attempt")
    same(c.number("SELECT count(*) FROM acsweep.attempt WHERE charged"), 0, "attempts charged")


def leader_stopped(c):
    c.submit("third", 1, 2 * SLOTS, 5000)
    c.wait(lambda: c.tasks("third", "t.state = 'leased'") == 2 * SLOTS, "every slot to be busy")
    c.coordinators[1].process.send_signal(signal.SIGSTOP)
    c.ask("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted")
    c.wait(lambda: c.leader() == "coordinator-0", "the other coordinator to lead", 10)
    c.wait(lambda: c.tasks("third", "t.state IN ('leased', 'done')") == 2 * SLOTS, "the tasks to be taken over")
    c.coordinators[1].process.send_signal(signal.SIGCONT)
    c.wait(lambda: c.tasks("third", "t.state = 'done'") == 2 * SLOTS, "the tasks to end", 60)
    same(c.leader(), "coordinator-0", "leader")
    c.submit("fourth", 0, SLOTS, 1)
    c.wait(lambda: c.tasks("fourth", "t.state = 'done'") == SLOTS, "new tasks to run")


def main():
    top = tempfile.mkdtemp(prefix="acsweep-standby.")
    os.chmod(top, 0o755)  # user postgres must pass
    c, failed = None, True
    try:
        c = Cluster(top)
        for step in (leader_killed, worker_stopped, leader_stopped):
            began = time.monotonic()
            step(c)
            print(f"{step.__name__}: {time.monotonic() - began:.1f} s", flush=True)
        time.sleep(2)
        for p in c.workers:
            p.end()
        failed = subprocess.run([c.tests + "/history_check", "--database", c.postgres.conninfo, "--tasks", str(c.total),
                                 "--metric", METRIC, *c.dirs]).returncode != 0
    except AssertionError as why:
        print(f"FAILED: {why}")
    finally:
        if c:
            c.close()
        if failed:
            print(f"logs and database: {top}")
        else:
            shutil.rmtree(top)
    sys.exit(failed)


if __name__ == "__main__":
    main()
