#!/usr/bin/env python3
"""How fast tasks go through the coordinator, beside queues that one may know. docs/bench.md says how to read it.

    bench/dispatch.py                      the whole table: dispatcher, held snapshot, exec tasks, peers
    bench/dispatch.py --only noop          one part (repeatable)
    bench/dispatch.py --tasks 1000000 --only flat

Everything runs in a fresh directory with its own PostgreSQL (fsync on) and is taken down at the end. A peer that is not
installed is left out and named. Standard library only."""
import argparse
import json
import os
import pwd
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
HERE = Path(__file__).resolve().parent
TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


# ---- processes ------------------------------------------------------------------------------------------------------

def cpu_seconds(pid):
    """User and system time of a process and of the children it has waited for."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return sum(int(x) for x in fields[11:15]) / TICK


def children(pid):
    out = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        out += [int(x) for x in task.read_text().split()]
    return out


def tree_cpu(pid):
    """Of the process and its living children: a postmaster with its backends, counted once each."""
    return cpu_seconds(pid) + sum(cpu_seconds(c) for c in children(pid))


def peak_rss(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    return 0


def wait_for(what, seconds, test):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if test():
            return
        time.sleep(0.05)
    raise SystemExit(f"bench: {what} did not happen within {seconds} s")


def stop(process, how=signal.SIGTERM):
    if process.poll() is None:
        process.send_signal(how)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Postgres:
    """A private server in `dir`, with Debian's defaults but for the size of the WAL; fsync and synchronous_commit on."""

    def __init__(self, dir, statements, max_wal="2GB"):
        self.dir = dir
        self.bin = self.find()
        self.user = pwd.getpwnam("postgres") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
        for name in ("data", "socket"):
            (dir / name).mkdir()
            os.chown(dir / name, self.user.pw_uid, self.user.pw_gid)
            os.chmod(dir / name, 0o700)
        self.log = open(dir / "postgres.log", "w")
        subprocess.run([self.bin / "initdb", "-D", dir / "data", "-A", "trust", "-U", "bench", "--no-locale", "-E", "UTF8",
                        "--no-sync"], check=True, stdout=self.log, stderr=self.log, **self.as_user())
        os.sync()
        settings = ["listen_addresses=", f"unix_socket_directories={dir}/socket", "fsync=on", "synchronous_commit=on",
                    f"max_wal_size={max_wal}", "wal_compression=on", "jit=off"]
        if statements:
            settings.append("shared_preload_libraries=pg_stat_statements")
        self.process = subprocess.Popen([self.bin / "postgres", "-D", dir / "data"] +
                                        [x for s in settings for x in ("-c", s)],
                                        stdout=self.log, stderr=self.log, **self.as_user())
        self.conninfo = f"host={dir}/socket user=bench dbname=postgres"
        wait_for("PostgreSQL's start", 30, lambda: subprocess.run(
            [self.bin / "pg_isready", "-q", "-h", dir / "socket"]).returncode == 0)
        if statements:
            self.query("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")

    @staticmethod
    def find():
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
        if not found:
            raise SystemExit("bench: no PostgreSQL under /usr/lib/postgresql; apt-get install postgresql")
        return found[-1].parent

    def as_user(self):
        if os.geteuid() != 0:
            return {"cwd": "/"}
        return {"cwd": "/", "user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []}

    def query(self, text):
        out = subprocess.run(["psql", "-XAtq", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-c", text, self.conninfo], check=True,
                             capture_output=True, text=True).stdout
        return [line.split("\t") for line in out.splitlines()]

    def hold_snapshot(self):
        """A second connection that sits in a transaction with a snapshot, as an analyst's long query does."""
        p = subprocess.Popen(["psql", "-Xq", self.conninfo], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        p.stdin.write(b"BEGIN ISOLATION LEVEL REPEATABLE READ;\nSELECT count(*) FROM pg_class;\n")
        p.stdin.flush()
        wait_for("a held snapshot", 10, lambda: self.query(
            "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction' AND backend_xmin IS NOT NULL")
            [0][0] != "0")
        return p

    def stop(self):
        stop(self.process, signal.SIGINT)
        self.log.close()


# ---- acsweep --------------------------------------------------------------------------------------------------------

class Farm:
    """A coordinator and workers on a PostgreSQL of their own."""

    def __init__(self, o, dir, credits, slots=1, max_wal="2GB"):
        self.o = o
        self.dir = dir
        self.bin = o.bin
        self.postgres = Postgres(dir, o.statements, max_wal)
        self.run("db", "init", "--database", self.postgres.conninfo)
        self.processes = []
        self.coordinator = self.start("acsweep-coordinator", "--database", self.postgres.conninfo, "--listen",
                                      "tcp://127.0.0.1:*", "--state", dir, log="coordinator")
        wait_for("the coordinator's start", 30, lambda: (dir / "coordinator.json").exists())
        endpoint = json.loads((dir / "coordinator.json").read_text())["endpoint"]
        self.join = "acsweep://" + endpoint.removeprefix("tcp://")
        self.workers = [self.start("acsweep-worker", "--coordinator", self.join, "--state", dir / f"worker-{i}", "--slots",
                                   str(slots), "--credits", str(credits), log=f"worker-{i}") for i in range(o.workers)]
        wait_for("the workers' joining", 30, lambda: self.postgres.query(
            "SELECT count(*) FROM acsweep.worker WHERE state = 'joined'")[0][0] == str(o.workers))

    def start(self, program, *args, log):
        p = subprocess.Popen([self.bin / program, *map(str, args), "--log-level", "warn"],
                             stdout=subprocess.DEVNULL, stderr=open(self.dir / f"{log}.log", "w"))
        self.processes.append(p)
        return p

    def run(self, *args):
        subprocess.run([self.bin / "acsweep", *map(str, args)], check=True, stdout=subprocess.DEVNULL)

    def config(self, tasks, depth, executor, seed):
        path = self.dir / f"{executor}-{seed}.cfg"
        fake = "fake = { sleep_ms = 0; sleep_max_ms = 0; };" if executor == "fake" else ""
        path.write_text(f'name = "{executor}{seed}"; seed = {seed};\n'
                        f'load = {{ tasks = {tasks}; depth = {depth}; executor = "{executor}"; {fake} }};\n'
                        'retries = { infrastructure = 20; backoff = "100ms"; backoff_max = "10s"; };\n')
        return path

    def sweep(self, tasks, depth, executor="noop", seed=1, sample=None):
        """Submit, wait for the end, return what it took. The clock runs from the start of `acsweep submit`."""
        config = self.config(tasks, depth, executor, seed)
        name = config.stem.replace("-", "")
        before = self.cpu()
        begin = time.monotonic()
        self.run("submit", config, "--coordinator", self.join)
        submitted = time.monotonic() - begin
        while True:
            state = self.postgres.query(f"SELECT state, finished_at FROM acsweep.sweep WHERE name = '{name}'")[0][0]
            if state != "running":
                break
            if sample:
                sample(time.monotonic() - begin)
            if self.coordinator.poll() is not None or time.monotonic() - begin > self.o.patience:
                raise SystemExit(f"bench: the sweep did not end; see {self.dir}/coordinator.log")
            time.sleep(0.3)
        # The poll above is coarse; the database knows when the sweep ended.
        ended = float(self.postgres.query(
            "SELECT extract(epoch FROM clock_timestamp() - finished_at) "
            f"FROM acsweep.sweep WHERE name = '{name}'")[0][0])
        wall = time.monotonic() - begin - ended
        after = self.cpu()
        done = int(self.postgres.query(
            f"SELECT count(*) FROM acsweep.attempt a JOIN acsweep.task t USING (task_id) "
            f"JOIN acsweep.sweep_task s USING (task_id) JOIN acsweep.sweep w USING (sweep_id) "
            f"WHERE w.name = '{name}' AND t.state = 'done' AND a.outcome = 'succeeded'")[0][0])
        if state != "done" or done != tasks:
            raise SystemExit(f"bench: the sweep ended '{state}' with {done} of {tasks} attempts in the history")
        return {"tasks": tasks, "wall_s": wall, "submit_s": submitted, "rate": tasks / wall,
                "cpu_us": {k: (after[k] - before[k]) / tasks * 1e6 for k in after},
                "rss": peak_rss(self.coordinator.pid)}

    def cpu(self):
        return {"coordinator": cpu_seconds(self.coordinator.pid), "postgres": tree_cpu(self.postgres.process.pid),
                "workers": sum(tree_cpu(w.pid) for w in self.workers)}

    def latencies(self):
        """Microseconds from the coming of an assignment to the committed acknowledgement, from the workers' own logs."""
        out = []
        for path in self.dir.glob("worker-*/history.jsonl"):
            begun = {}
            for line in path.open():
                r = json.loads(line)
                key = (r.get("task"), r.get("attempt"))
                if r["event"] == "assign":
                    begun[key] = r["t"]
                elif r["event"] == "acked" and key in begun:
                    out.append(r["t"] - begun.pop(key))
        return sorted(out)

    def stop(self):
        for p in reversed(self.processes):
            stop(p)
        self.postgres.stop()


# ---- what is measured -----------------------------------------------------------------------------------------------

def percentile(sorted_values, p):
    return sorted_values[min(len(sorted_values) - 1, int(len(sorted_values) * p))] if sorted_values else float("nan")


def say(name, r, extra=""):
    cpu = "  ".join(f"{k} {v:.1f}" for k, v in r.get("cpu_us", {}).items())
    print(f"{name:34s} {r['tasks']:8d} tasks  {r['rate']:9.0f} /s" + (f"  CPU us/task: {cpu}" if cpu else "") +
          (f"  RSS {r['rss'] / 2**20:.0f} MiB" if "rss" in r else "") + extra, flush=True)


def statements_report(farm):
    rows = farm.postgres.query(
        "SELECT round(total_exec_time::numeric, 0), calls, rows, shared_blks_hit + shared_blks_read, wal_fpi, wal_bytes, "
        "left(regexp_replace(query, '\\s+', ' ', 'g'), 100) FROM pg_stat_statements ORDER BY 1 DESC LIMIT 10")
    for r in farm.postgres.query("SELECT relname, n_tup_upd, n_tup_hot_upd, pg_relation_size(relid) >> 20, "
                                 "pg_indexes_size(relid) >> 20 FROM pg_stat_user_tables WHERE relname IN ('task', 'attempt')"):
        print(f"    {r[0]}: {r[1]} updates, {r[2]} of them HOT, {r[3]} MiB and {r[4]} MiB of indexes")
    print(f"{'ms':>8} {'calls':>8} {'rows':>9} {'blocks':>9} {'images':>7} {'WAL KiB':>8}  statement")
    for r in rows:
        print(f"{r[0]:>8} {r[1]:>8} {r[2]:>9} {r[3]:>9} {r[4]:>7} {int(r[5]) >> 10:>8}  {r[6]}")


def part_noop(o, dir, held=False):
    farm = Farm(o, dir, o.credits)
    snapshot = farm.postgres.hold_snapshot() if held else None
    try:
        r = farm.sweep(o.tasks, 2, seed=1)
        latencies = farm.latencies()
        r["p50_ms"], r["p99_ms"] = (percentile(latencies, p) / 1000 for p in (0.5, 0.99))
        say("acsweep noop" + (", held snapshot" if held else ""), r,
            f"  submit {r['submit_s']:.2f} s  assigned->committed p50 {r['p50_ms']:.1f} p99 {r['p99_ms']:.1f} ms")
        if o.statements:
            statements_report(farm)
        if not held:
            chain = farm.sweep(o.chain, o.chain, seed=2)
            r["hop_ms"] = chain["wall_s"] / o.chain * 1000
            say("acsweep, one chain (latency)", chain, f"  {r['hop_ms']:.2f} ms for each hop, two commits")
        return r
    finally:
        if snapshot:
            snapshot.kill()
            snapshot.wait()
        farm.stop()


def part_exec(o, dir):
    farm = Farm(o, dir, 8)
    try:
        r = farm.sweep(o.exec_tasks, 2, executor="fake", seed=1)
        say("acsweep exec (fake, no sleep)", r)
        return r
    finally:
        farm.stop()


def part_flat(o, dir):
    """CPU and buffers for each task, in the last tenth of a long sweep against the first. The WAL may grow to 16 GB: a
    checkpoint within the run makes every page's next change an image of the whole page, which is a step and no slope."""
    farm = Farm(o, dir, o.credits, max_wal="16GB")
    snapshot = farm.postgres.hold_snapshot() if o.held else None
    points = []

    def look(t):
        # Both from the statistics, which a backend hands in together; counting rows would itself touch buffers.
        row = farm.postgres.query("SELECT blks_hit + blks_read, (SELECT n_tup_ins FROM pg_stat_user_tables "
                                  "WHERE relname = 'attempt') FROM pg_stat_database WHERE datname = 'postgres'")[0]
        cpu = farm.cpu()
        points.append((int(row[1]), t, int(row[0]), cpu["coordinator"] + cpu["postgres"]))
        time.sleep(0.3)  # a busy backend hands in its statistics once a second

    try:
        r = farm.sweep(o.tasks, 2, seed=1, sample=look)
        say("acsweep noop, flatness", r)
        points = [p for p in points if p[0]]

        def span(inside):
            if len(inside) < 2 or inside[-1][0] - inside[0][0] > 0.2 * o.tasks:
                raise SystemExit("bench: too few looks for the flatness; take more --tasks")
            n = inside[-1][0] - inside[0][0]
            return {"us": (inside[-1][3] - inside[0][3]) / n * 1e6, "blocks": (inside[-1][2] - inside[0][2]) / n,
                    "rate": n / (inside[-1][1] - inside[0][1])}
        before = max(i for i, p in enumerate(points) if p[0] <= 0.9 * o.tasks)
        after = min(i for i, p in enumerate(points) if p[0] >= 0.1 * o.tasks)
        first, last = span(points[:after + 1]), span(points[before:])
        for key, unit in (("us", "us of CPU"), ("blocks", "buffers"), ("rate", "tasks/s")):
            print(f"    {unit:10s} first 10 % {first[key]:9.1f}  last 10 % {last[key]:9.1f}  "
                  f"ratio {last[key] / first[key]:.2f}")
        return {**r, "first": first, "last": last}
    finally:
        if snapshot:
            snapshot.kill()
            snapshot.wait()
        farm.stop()


# ---- peers: each with the number of tasks it can bear, submission inside the clock ---------------------------------

def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def answers(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def missing(name, why):
    print(f"{name:34s} left out: {why}", flush=True)


class Server:
    """A peer's daemon on a port of its own."""

    def __init__(self, dir, port, *args):
        self.log = open(dir / "server.log", "w")
        self.process = subprocess.Popen([str(a) for a in args], stdout=self.log, stderr=self.log, cwd=dir)
        wait_for(f"{args[0]}'s start", 10, lambda: answers(port))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        stop(self.process)
        self.log.close()


def timed(name, tasks, durable, *command):
    """The program prints the seconds it took."""
    out = subprocess.run([str(c) for c in command], check=True, capture_output=True, text=True, timeout=600).stdout
    r = {"tasks": tasks, "rate": tasks / float(out.split()[-1])}
    say(name, r, "  fsync" if durable else "  not durable")
    return r


def peer_beanstalkd(o, dir):
    if not shutil.which("beanstalkd"):
        return missing("beanstalkd", "apt-get install beanstalkd")
    port = free_port()
    with Server(dir, port, "beanstalkd", "-l", "127.0.0.1", "-p", port):
        return timed("beanstalkd, in memory", 50000, False, sys.executable, HERE / "beanstalk_peer.py", "127.0.0.1", port,
                     50000, o.workers)


def peer_beanstalkd_fsync(o, dir):
    if not shutil.which("beanstalkd"):
        return missing("beanstalkd, fsync", "apt-get install beanstalkd")
    port = free_port()
    with Server(dir, port, "beanstalkd", "-l", "127.0.0.1", "-p", port, "-b", dir, "-f0"):
        return timed("beanstalkd, fsync for each job", 1000, True, sys.executable, HERE / "beanstalk_peer.py", "127.0.0.1",
                     port, 1000, o.workers)


def peer_gearman(o, dir):
    if not shutil.which("gearmand"):
        return missing("gearman", "apt-get install gearman-job-server libgearman-dev")
    built = subprocess.run(["cc", "-O2", "-o", dir / "peer", HERE / "gearman_peer.c", "-lgearman"], capture_output=True)
    if built.returncode:
        return missing("gearman", "its client does not build: apt-get install libgearman-dev")
    port = free_port()
    with Server(dir, port, "gearmand", "-L", "127.0.0.1", "-p", port, "-l", "stderr", *(
            ["-u", "nobody"] if os.geteuid() == 0 else [])):
        return timed("gearman", 50000, False, dir / "peer", port, 50000, o.workers)


def peer_skip_locked(o, dir):
    """The usual queue in a table: claim one, commit, complete it, commit."""
    tasks = 8000
    postgres = Postgres(dir, False)
    try:
        script = dir / "work.sql"
        script.write_text(
            "WITH c AS (SELECT id FROM q WHERE state = 0 ORDER BY prio, id LIMIT 1 FOR UPDATE SKIP LOCKED) "
            "UPDATE q SET state = 1 FROM c WHERE q.id = c.id RETURNING q.id AS id \\gset\n"
            "UPDATE q SET state = 2 WHERE id = :id;\n")
        postgres.query("CREATE TABLE q (id bigserial PRIMARY KEY, prio int NOT NULL DEFAULT 0, state int NOT NULL DEFAULT 0, "
                       "body text) WITH (fillfactor = 50); CREATE INDEX ON q (prio, id) WHERE state = 0")
        begin = time.monotonic()
        postgres.query(f"INSERT INTO q (body) SELECT 'noop' FROM generate_series(1, {tasks})")
        subprocess.run([postgres.bin / "pgbench", "-n", "-c", str(o.workers), "-j", "1", "-t", str(tasks // o.workers), "-M",
                        "prepared", "-f", script, postgres.conninfo], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        wall = time.monotonic() - begin
        done = int(postgres.query("SELECT count(*) FROM q WHERE state = 2")[0][0])
        if done != tasks:
            raise SystemExit(f"bench: the SKIP LOCKED queue did {done} of {tasks}")
        r = {"tasks": tasks, "rate": tasks / wall}
        say("SKIP LOCKED queue, one a commit", r, "  fsync")
        return r
    finally:
        postgres.stop()


def has_module(name):
    return subprocess.run(["/usr/bin/python3", "-c", f"import {name}"], capture_output=True).returncode == 0


def peer_dask(o, dir):
    if not has_module("distributed"):
        return missing("dask.distributed", "apt-get install python3-distributed")
    script = dir / "dask_peer.py"
    script.write_text(
        "import sys, time\n"
        "from distributed import Client, LocalCluster\n"
        "def noop(i):\n    return None\n"
        "if __name__ == '__main__':\n"
        "    n, w = int(sys.argv[1]), int(sys.argv[2])\n"
        "    with LocalCluster(n_workers=w, threads_per_worker=1, dashboard_address=None) as cl, Client(cl) as c:\n"
        "        c.gather(c.map(noop, range(w)))\n"
        "        t = time.monotonic()\n"
        "        c.gather(c.map(noop, range(w, w + n), pure=False))\n"
        "        print(time.monotonic() - t)\n")
    return timed("dask.distributed", 3000, False, "/usr/bin/python3", script, 3000, o.workers)


def peer_celery(o, dir):
    if not shutil.which("redis-server") or not has_module("celery") or not has_module("redis"):
        return missing("celery", "apt-get install redis-server python3-celery python3-redis")
    port = free_port()
    (dir / "celery_peer.py").write_text(
        "import sys, time\n"
        "from celery import Celery\n"
        f"app = Celery('celery_peer', broker='redis://127.0.0.1:{port}/0', backend='redis://127.0.0.1:{port}/1')\n"
        "app.conf.worker_prefetch_multiplier = 64\n"
        "@app.task(name='noop')\ndef noop(i):\n    return None\n"
        "if __name__ == '__main__':\n"
        "    noop.delay(0).get(timeout=60)\n"
        "    t = time.monotonic()\n"
        "    for r in [noop.delay(i) for i in range(int(sys.argv[1]))]:\n        r.get(timeout=300)\n"
        "    print(time.monotonic() - t)\n")
    with Server(dir, port, "redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", dir):
        with open(dir / "celery.log", "w") as log:
            worker = subprocess.Popen(["/usr/bin/python3", "-m", "celery", "-A", "celery_peer", "worker", "-c",
                                       str(o.workers), "-l", "error"], cwd=dir, stdout=log, stderr=log,
                                      env={**os.environ, "C_FORCE_ROOT": "1"})
            try:
                return timed("celery with redis", 3000, False, "/usr/bin/env", "-C", dir, "/usr/bin/python3",
                             "celery_peer.py", 3000)
            finally:
                stop(worker)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--bin", type=Path, default=TOP / "build/release/bin")
    p.add_argument("--only", action="append", help="one part: " + ", ".join(PARTS))
    p.add_argument("--tasks", type=int, default=100000)
    p.add_argument("--exec-tasks", type=int, default=5000)
    p.add_argument("--chain", type=int, default=300)
    p.add_argument("--workers", type=int, default=4)
    p.add_argument("--credits", type=int, default=1024, help="assignments in advance for each worker, noop tasks")
    p.add_argument("--patience", type=float, default=600, help="seconds for one sweep")
    p.add_argument("--statements", action="store_true", help="load pg_stat_statements and print its top")
    p.add_argument("--held", action="store_true", help="flat: under a held snapshot")
    p.add_argument("--keep", action="store_true", help="keep the directories of the runs")
    p.add_argument("--json", type=Path, help="write the results there as well")
    o = p.parse_args()
    o.bin = o.bin.resolve()
    if not (o.bin / "acsweep-coordinator").exists():
        raise SystemExit("bench: cmake --preset release && cmake --build --preset release")
    results = {}
    for name in o.only or [x for x in PARTS if x != "flat"]:
        dir = Path(tempfile.mkdtemp(prefix="acsweep-bench-"))
        os.chmod(dir, 0o755)
        try:
            results[name] = PARTS[name](o, dir)
        finally:
            if o.keep:
                print(f"kept {dir}")
            else:
                shutil.rmtree(dir, ignore_errors=True)
    base = results.get("noop")
    for name, r in results.items():
        if base and r and name != "noop":
            print(f"noop / {name}: {base['rate'] / r['rate']:.2f}")
    if o.json:
        o.json.write_text(json.dumps(results, indent=1))


PARTS = {
    "noop": part_noop,
    "held": lambda o, dir: part_noop(o, dir, held=True),
    "exec": part_exec,
    "flat": part_flat,
    "beanstalkd": peer_beanstalkd,
    "beanstalkd-fsync": peer_beanstalkd_fsync,
    "gearman": peer_gearman,
    "skip-locked": peer_skip_locked,
    "dask": peer_dask,
    "celery": peer_celery,
}

if __name__ == "__main__":
    main()
