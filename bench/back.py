"""Everyone is back at once: names are taken over again, and what was missed is read."""

from __future__ import annotations

import json
import re
import select
import socket
import time
import urllib.request

from bench import frames
from bench.errors import BenchError
from bench.load import HANDSHAKE
from bench.measure import Figures
from bench.servers import Server

MISSED = 50  # messages
WITHIN = 30.0  # seconds
A_FEW = 16
"""Events that are looked at before it's asked for others, so that the bystander's don't wait."""
TOKEN = re.compile(rb'"token":"([^"]+)"')
NUMBER = re.compile(rb'"id":(\d+)')


class Person:
    """A client with a name that is held; it goes through a connection's steps by itself."""

    def __init__(self, number: int) -> None:
        self.name = f"person {number}"
        self.token = ""
        self.since: int | None = None
        self.ready = False

    def begin(self, port: int) -> socket.socket:
        self.sock = socket.socket()
        self.sock.setblocking(False)
        self.sock.connect_ex(("127.0.0.1", port))
        self.got = b""
        self.step = 0
        self.ready = False
        return self.sock

    def writable(self) -> None:
        self.sock.send(HANDSHAKE)

    def readable(self) -> None:
        data = self.sock.recv(1 << 16)
        if not data:
            raise BenchError(f"{self.name} was cut: {self.got[-80:]!r}")
        self.got += data
        if self.step == 0 and b'0{"sid"' in self.got:
            self.step = 1
            self.sock.send(frames.frame(b"40"))
        if self.step == 1 and b'40{"sid"' in self.got:
            self.step = 2
            options = {"hold": True, **({"token": self.token} if self.token else {})}
            self.ask(0, "setUsername", self.name, options)
            self.ask(1, "join", {} if self.since is None else {"since": self.since})
        if self.step == 2 and b"431[" in self.got and self.got.endswith(b"]"):
            named, joined = self.got.split(b"431[", 1)
            token = TOKEN.search(named)
            if not token:
                raise BenchError(f"{self.name} was refused: {self.got[:200]!r}")
            self.token = token[1].decode()
            missed = len(NUMBER.findall(joined))
            if self.since is not None and missed < MISSED:
                raise BenchError(f"{self.name} got {missed} of {MISSED} messages")
            self.ready = True

    def ask(self, number: int, *event: object) -> None:
        self.sock.send(frames.frame(f"42{number}{json.dumps(event)}".encode()))


class Bystander(Person):
    """One who stayed, and says something as soon as the last thing was answered."""

    def __init__(self) -> None:
        super().__init__(-1)
        self.slowest = 0.0
        self.asked = 0.0

    def readable(self) -> None:
        if not self.ready:
            super().readable()
            return
        if b"437[" in self.sock.recv(1 << 16):
            self.slowest = max(self.slowest, time.monotonic() - self.asked)
            self.goes_on()

    def goes_on(self) -> None:
        self.asked = time.monotonic()
        self.ask(7, "typing")


def back(server: Server, _seconds: float, clients: int) -> Figures:
    people = [Person(number) for number in range(clients)]
    for start in range(0, clients, 50):
        come(server, people[start : start + 50])
    bystander = Bystander()
    come(server, [bystander])
    for number in range(MISSED):
        people[0].ask(5, "msg", {"message": f"number {number}"})
    people[0].ask(6, "history", {"limit": 1})
    newest = until_answered(people[0].sock, b"436[")
    for person in people:
        person.since = newest - MISSED
        person.sock.close()
    lag(server)
    began, cpu = time.monotonic(), server.cpu()
    come(server, people, bystander)
    took, longest = time.monotonic() - began, lag(server)
    for person in (bystander, *people):
        person.sock.close()
    return {
        "back": took,
        "slowest": bystander.slowest * 1000,
        "back_cpu": server.cpu() - cpu,
        "lag": longest,
    }


def come(server: Server, people: list[Person], bystander: Bystander | None = None) -> None:
    """All of them connect at the same time, are named and join."""
    epoll = select.epoll()
    by_file = {person.begin(server.port).fileno(): person for person in people}
    for descriptor in by_file:
        epoll.register(descriptor, select.EPOLLIN | select.EPOLLOUT)
    if bystander:
        by_file[bystander.sock.fileno()] = bystander
        epoll.register(bystander.sock, select.EPOLLIN)
        bystander.goes_on()
    deadline = time.monotonic() + WITHIN
    missing = len(people)
    while missing:
        for descriptor, ready in epoll.poll(0.1, A_FEW):
            person = by_file[descriptor]
            if ready & select.EPOLLOUT:
                epoll.modify(descriptor, select.EPOLLIN)
                person.writable()
            elif person is bystander:
                person.readable()
            elif not person.ready:
                person.readable()
                if person.ready:
                    missing -= 1
                    epoll.unregister(descriptor)
        if time.monotonic() > deadline:
            raise BenchError(f"{missing} of {len(people)} were not back within {WITHIN:g} s")
    epoll.close()


def until_answered(sock: socket.socket, answer: bytes) -> int:
    """The newest message's number, from an answer."""
    sock.setblocking(True)
    sock.settimeout(10)
    got = b""
    while answer not in got or not got.endswith(b"]"):
        got += sock.recv(1 << 16)
    return int(NUMBER.findall(got.split(answer)[1])[-1])


def lag(server: Server) -> float:
    """The longest that its loop was blocked since the last look, in milliseconds."""
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/lag", timeout=10) as answer:
        return float(json.load(answer)["lag"])
