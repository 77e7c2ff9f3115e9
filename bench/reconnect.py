"""The load `reconnect`: all clients reconnect at once, take their names back and catch up."""

from __future__ import annotations

import json
import re
import select
import socket
import time
import urllib.request

from bench import frames
from bench.clients import HANDSHAKE
from bench.errors import BenchError
from bench.measure import Figures
from bench.servers import Server

MISSED = 50  # messages
TIME_LIMIT = 30.0  # seconds
MAX_EVENTS = 16
"""Events to handle before the next poll, so that the bystander's don't wait."""
TOKEN = re.compile(rb'"token":"([^"]+)"')
NUMBER = re.compile(rb'"id":(\d+)')


class Client:
    """A client with a held name, which goes through the steps of a connection."""

    def __init__(self, number: int) -> None:
        self.name = f"person {number}"
        self.token = ""
        self.since: int | None = None
        self.ready = False

    def connect(self, port: int) -> socket.socket:
        self.sock = socket.socket()
        self.sock.setblocking(False)
        self.sock.connect_ex(("127.0.0.1", port))
        self.received = b""
        self.step = 0
        self.ready = False
        return self.sock

    def on_writable(self) -> None:
        self.sock.send(HANDSHAKE)

    def on_readable(self) -> None:
        data = self.sock.recv(1 << 16)
        if not data:
            raise BenchError(f"{self.name} was disconnected: {self.received[-80:]!r}")
        self.received += data
        if self.step == 0 and b'0{"sid"' in self.received:
            self.step = 1
            self.sock.send(frames.frame(b"40"))
        if self.step == 1 and b'40{"sid"' in self.received:
            self.step = 2
            options = {"hold": True, **({"token": self.token} if self.token else {})}
            self.emit(0, "setUsername", self.name, options)
            self.emit(1, "join", {} if self.since is None else {"since": self.since})
        if self.step == 2 and b"431[" in self.received and self.received.endswith(b"]"):
            name_answer, join_answer = self.received.split(b"431[", 1)
            token = TOKEN.search(name_answer)
            if not token:
                raise BenchError(f"{self.name} was refused: {self.received[:200]!r}")
            self.token = token[1].decode()
            missed = len(NUMBER.findall(join_answer))
            if self.since is not None and missed < MISSED:
                raise BenchError(f"{self.name} got {missed} of {MISSED} messages")
            self.ready = True

    def emit(self, number: int, *event: object) -> None:
        self.sock.send(frames.frame(f"42{number}{json.dumps(event)}".encode()))


class Bystander(Client):
    """A client that stays connected and sends an event after each answer."""

    def __init__(self) -> None:
        super().__init__(-1)
        self.slowest = 0.0
        self.sent_at = 0.0

    def on_readable(self) -> None:
        if not self.ready:
            super().on_readable()
            return
        if b"437[" in self.sock.recv(1 << 16):
            self.slowest = max(self.slowest, time.monotonic() - self.sent_at)
            self.send_next()

    def send_next(self) -> None:
        self.sent_at = time.monotonic()
        self.emit(7, "typing")


def reconnect(server: Server, _seconds: float, count: int) -> Figures:
    """Run the load with `count` clients."""
    clients = [Client(number) for number in range(count)]
    for start in range(0, count, 50):
        connect_all(server, clients[start : start + 50])
    bystander = Bystander()
    connect_all(server, [bystander])
    for number in range(MISSED):
        clients[0].emit(5, "msg", {"message": f"number {number}"})
    clients[0].emit(6, "history", {"limit": 1})
    newest = wait_for_newest(clients[0].sock, b"436[")
    for client in clients:
        client.since = newest - MISSED
        client.sock.close()
    lag(server)
    began, cpu = time.monotonic(), server.cpu()
    connect_all(server, clients, bystander)
    duration, longest = time.monotonic() - began, lag(server)
    for client in (bystander, *clients):
        client.sock.close()
    return {
        "reconnected": duration,
        "slowest": bystander.slowest * 1000,
        "reconnect_cpu": server.cpu() - cpu,
        "lag": longest,
    }


def connect_all(server: Server, clients: list[Client], bystander: Bystander | None = None) -> None:
    """Connect all clients at once, and wait until each has its name and has joined."""
    epoll = select.epoll()
    by_file = {client.connect(server.port).fileno(): client for client in clients}
    for descriptor in by_file:
        epoll.register(descriptor, select.EPOLLIN | select.EPOLLOUT)
    if bystander:
        by_file[bystander.sock.fileno()] = bystander
        epoll.register(bystander.sock, select.EPOLLIN)
        bystander.send_next()
    deadline = time.monotonic() + TIME_LIMIT
    missing = len(clients)
    while missing:
        for descriptor, ready in epoll.poll(0.1, MAX_EVENTS):
            client = by_file[descriptor]
            if ready & select.EPOLLOUT:
                epoll.modify(descriptor, select.EPOLLIN)
                client.on_writable()
            elif client is bystander:
                client.on_readable()
            elif not client.ready:
                client.on_readable()
                if client.ready:
                    missing -= 1
                    epoll.unregister(descriptor)
        if time.monotonic() > deadline:
            raise BenchError(
                f"{missing} of {len(clients)} did not reconnect within {TIME_LIMIT:g} s"
            )
    epoll.close()


def wait_for_newest(sock: socket.socket, answer: bytes) -> int:
    """Wait for an answer and return the greatest message number in it."""
    sock.setblocking(True)
    sock.settimeout(10)
    received = b""
    while answer not in received or not received.endswith(b"]"):
        data = sock.recv(1 << 16)
        if not data:
            raise BenchError("a client was disconnected before its answer")
        received += data
    return int(NUMBER.findall(received.split(answer)[1])[-1])


def lag(server: Server) -> float:
    """Return for how many ms the event loop was blocked at most since the last call."""
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/lag", timeout=10) as answer:
        return float(json.load(answer)["lag"])
