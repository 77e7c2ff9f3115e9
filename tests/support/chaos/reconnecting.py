"""Clients that reconnect, and a check that no message is lost, repeated or reordered.

Use `ClientGroup` around a fault: its clients send and record messages before, during and after it.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Sequence
from contextlib import suppress

from support.raw import CLOSE, RawWebSocket, eventually
from support.servers import Server

PING = b"2"


class Violation(Exception):
    """The server broke a rule of docs/wire.md."""


class ReconnectingClient(threading.Thread):
    """A client that connects to the first of `servers`, and to the next after a disconnection.

    It takes its name back with its token, joins with `since`, and resends a message until the
    server acknowledges it. It sends a message every `pause` seconds, unless `only_listens` is set.
    It waits between the two `reconnect_delay` values (seconds) before it connects again.
    """

    def __init__(
        self,
        servers: Sequence[Server],
        name: str,
        *,
        only_listens: bool = False,
        pause: float = 0.01,
        reconnect_delay: tuple[float, float] = (0.02, 0.1),
    ) -> None:
        super().__init__(daemon=True)
        self.name = name
        self.only_listens = only_listens
        self._servers = list(servers)
        self._pause = pause
        self._reconnect_delay = reconnect_delay
        self._is_stopping = False
        self._token = ""
        self._last_request = 0
        self._last_contiguous = 0
        self.acknowledged: dict[str, int] = {}
        self.received: dict[int, tuple[str, str]] = {}
        self.live_ids: list[list[int]] = []  # of each connection, in order of arrival
        self.epochs: set[str] = set()
        self.refusals: list[str] = []
        self.gaps = [0.0]  # seconds between two received messages
        self._last_received_at = 0.0
        self.disconnections: list[str] = []  # the reason of each
        self.violation = ""
        self.joined = threading.Event()

    def run(self) -> None:
        try:
            while not self._is_stopping:
                try:
                    self._run_connection()
                except (OSError, AssertionError) as error:
                    self.disconnections.append(repr(error))
                self.joined.clear()
                self._servers.append(self._servers.pop(0))
                time.sleep(random.uniform(*self._reconnect_delay))
        except Violation as violation:
            self.violation = str(violation)

    def stop(self) -> None:
        self._is_stopping = True

    def _run_connection(self) -> None:
        self._socket = RawWebSocket(self._servers[0])
        self._socket.sock.settimeout(10)
        try:
            self.live_ids.append([])
            options = {"token": self._token, "hold": True}
            answer = self._call_until_ok("setUsername", self.name, options)
            self._token = answer["token"]
            self._catch_up()
            self.joined.set()
            while not self._is_stopping:
                if self.only_listens:
                    self._receive_for(0.1)
                else:
                    self._send_message()
        finally:
            self._socket.sock.close()

    def _catch_up(self) -> None:
        more = True
        while more:
            since = self._find_last_contiguous()
            page = self._call_until_ok("join", {"since": since, "limit": 200})
            self.epochs.add(page["epoch"])
            for content, meta in page["messages"]:
                self._record(content, meta)
            more = page["more"]

    def _find_last_contiguous(self) -> int:
        """Return the number up to which no message is missing."""
        while self._last_contiguous + 1 in self.received:
            self._last_contiguous += 1
        return self._last_contiguous

    def _send_message(self) -> None:
        key = f"{self.name.replace(' ', '-')}-{len(self.acknowledged):06}"
        answer = self._call_until_ok("msg", {"message": f"text of {key}", "key": key})
        if self.acknowledged.setdefault(key, answer["id"]) != answer["id"]:
            raise Violation(
                f"{key} was acknowledged as {self.acknowledged[key]}, now as {answer['id']}"
            )
        if self._pause:
            self._receive_for(self._pause)

    def _call_until_ok(self, event: str, *arguments: object) -> dict:
        """Call again while the store is unavailable or an old connection still holds the name."""
        while True:
            answer = self._call(event, *arguments)
            if answer["ok"]:
                return answer
            self.refusals.append(answer["code"])
            if answer["code"] not in ("unavailable", "name_taken"):
                raise Violation(str(answer))
            self._receive_for(0.1)
            if self._is_stopping:
                raise OSError("the client is stopping")

    def _call(self, event: str, *arguments: object) -> dict:
        self._last_request += 1
        self._socket.send(f"42{self._last_request}" + json.dumps([event, *arguments]))
        while True:
            text = self._socket.receive_text()
            if text.startswith("43"):
                request, _, answer = text[2:].partition("[")
                if int(request) == self._last_request:
                    return json.loads("[" + answer)[0]
            self._handle_event(text)

    def _receive_for(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._socket.sock.settimeout(left)
            try:
                if not self._socket.buffer:
                    self._socket.buffer = self._socket.sock.recv(65536)
                    if not self._socket.buffer:
                        raise OSError("the connection has ended")
            except TimeoutError:
                return
            finally:
                self._socket.sock.settimeout(10)
            opcode, data = self._socket.receive_frame() or (CLOSE, b"")
            if opcode == CLOSE:
                raise OSError("the connection has ended")
            if data == PING:
                self._socket.send("3")
            else:
                self._handle_event(data.decode())

    def _handle_event(self, text: str) -> None:
        if text.startswith('42["newmsg"'):
            _, content, meta = json.loads(text[2:])
            live_ids = self.live_ids[-1]
            if live_ids and meta["id"] != live_ids[-1] + 1:
                raise Violation(f"{self.name} received {meta['id']} after {live_ids[-1]}")
            live_ids.append(meta["id"])
            self._record(content, meta)

    def _record(self, content: dict, meta: dict) -> None:
        entry = (meta.get("key", ""), content["message"])
        if self.received.setdefault(meta["id"], entry) != entry:
            raise Violation(f"{meta['id']} is {entry} now, and was {self.received[meta['id']]}")
        now = time.monotonic()
        if self._last_received_at:
            self.gaps.append(now - self._last_received_at)
        self._last_received_at = now


class ClientGroup:
    """A context manager with `senders` sending and two listening clients for each server."""

    def __init__(self, servers: Sequence[Server], senders: int = 10, **options) -> None:
        self._servers = servers
        self.clients = [
            ReconnectingClient(
                [*servers[n:], *servers[:n]],
                f"Person {n} {m}",
                only_listens=m >= senders,
                **options,
            )
            for n in range(len(servers))
            for m in range(senders + 2)
        ]

    def __enter__(self) -> ClientGroup:
        for client in self.clients:
            client.start()
        self.wait_until_joined()
        return self

    def __exit__(self, *_: object) -> None:
        for client in self.clients:
            client.stop()
        for client in self.clients:
            client.join(15)

    def wait_until_joined(self, within: float = 15) -> None:
        for client in self.clients:
            assert client.joined.wait(within), (client.name, client.violation, client.refusals[-3:])

    def newest(self) -> int:
        """Return the greatest number that any client has received."""
        return max((max(client.received, default=0) for client in self.clients), default=0)

    def wait_for_progress(self, within: float = 5) -> float:
        """Wait until each client has received new messages; return the seconds that took."""
        begun = time.monotonic()
        beyond = self.newest() + 20
        eventually(
            lambda: (
                self.violation() or all(max(c.received, default=0) > beyond for c in self.clients)
            ),
            within,
        )
        assert not self.violation(), self.violation()
        return time.monotonic() - begun

    def violation(self) -> str:
        """Return the first violation that a client has seen, or an empty string."""
        return next((client.violation for client in self.clients if client.violation), "")

    def check(self, *servers: Server) -> str:
        """Assert that no acknowledged message was lost, repeated or reordered; return a summary.

        `servers` are those that run now, if not all do.
        """
        servers = servers or tuple(self._servers)
        for client in self.clients:
            client.only_listens = True
        log = read_log(servers[0])
        with suppress(AssertionError):
            eventually(lambda: self.violation() or not self._find_missing(log), 10)
        assert not self.violation(), self.violation()
        assert not self._find_missing(log), self._find_missing(log)
        log = read_log(servers[-1])
        assert list(log) == list(range(1, len(log) + 1)), "a number is missing or used twice"
        keys = {key: number for number, (key, _) in log.items()}
        assert len(keys) == len(log), "a message is in the log twice"
        count = 0
        for client in self.clients:
            count += len(client.acknowledged)
            for key, number in client.acknowledged.items():
                assert keys.get(key) == number, f"{key} was acknowledged as {number}"
            assert len(client.epochs) == 1, "the numbering began anew"
        return f"{count} acknowledged messages, each delivered once and in order to all clients"

    def _find_missing(self, log: dict) -> str:
        """Name a client that lacks messages of `log`, or return an empty string."""
        for client in self.clients:
            missing = sorted(log.keys() - client.received.keys())
            if missing:
                return f"{client.name} lacks {missing[:3]}…{missing[-1]} of {len(log)}"
        return ""


def read_log(server: Server) -> dict[int, tuple[str, str]]:
    """Return the key and the text of each message in the lobby's log, by number."""
    reader = ReconnectingClient([server], "Reader")
    reader._socket = RawWebSocket(server)
    reader.live_ids.append([])
    reader._catch_up()
    reader._socket.sock.close()
    return dict(sorted(reader.received.items()))
