#!/usr/bin/env python3
"""beanstalkd: `put` of every job pipelined, then workers that reserve and delete one at a time. Standard library only.

    beanstalk_peer.py ADDRESS PORT TASKS WORKERS     prints seconds"""
import os
import socket
import sys
import time

AHEAD = 200  # puts on the way


class Client:
    def __init__(self, address, port):
        self.s = socket.create_connection((address, port))
        self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.f = self.s.makefile("rb")

    def answer(self, expect):
        line = self.f.readline()
        if not line.startswith(expect):
            raise SystemExit(f"beanstalkd: {line!r} instead of {expect!r}")
        return line.split()


def work(address, port):
    c = Client(address, port)
    done = 0
    while True:
        c.s.sendall(b"reserve-with-timeout 1\r\n")
        line = c.f.readline()
        if line.startswith(b"TIMED_OUT"):
            break
        job, size = line.split()[1:3]
        c.f.read(int(size) + 2)
        c.s.sendall(b"delete " + job + b"\r\n")
        c.answer(b"DELETED")
        done += 1
        last = time.monotonic()
    return done, last if done else 0.0


def main():
    address, port, tasks, workers = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    begin = time.monotonic()
    pipes = []
    for _ in range(workers):
        r, w = os.pipe()
        if os.fork() == 0:
            done, last = work(address, port)
            os.write(w, f"{done} {last}\n".encode())
            os._exit(0)
        os.close(w)
        pipes.append(r)
    c = Client(address, port)
    body = b"put 0 0 60 4\r\nnoop\r\n"
    for at in range(0, tasks, AHEAD):
        n = min(AHEAD, tasks - at)
        c.s.sendall(body * n)
        for _ in range(n):
            c.answer(b"INSERTED")
    total, last = 0, begin
    for r in pipes:
        done, when = os.read(r, 100).split()
        total += int(done)
        last = max(last, float(when))
    if total != tasks:
        raise SystemExit(f"beanstalkd: {total} of {tasks} jobs done")
    print(last - begin)


main()
