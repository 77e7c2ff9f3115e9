"""Clients that load a server and record acknowledgements, and a check of its log.

Use `Client` as a simple blocking client. Use `Load` while a server is killed, and `check` on the
server that is started in its place.
"""

from __future__ import annotations

import json
import threading
import time
from typing import NamedTuple

from support.raw import RawWebSocket
from support.servers import UNLIMITED, Server

SENDERS, IN_FLIGHT = 12, 4
SETTINGS = {**UNLIMITED, "RETENTION_MESSAGES": "0", "RETENTION_DAYS": "0"}


class Client:
    """A blocking client that records the messages it receives."""

    def __init__(self, server: Server, name: str = "") -> None:
        self.socket = RawWebSocket(server)
        self.last_request = 0
        self.received: dict[int, tuple[str, str]] = {}
        self.received_at: dict[int, float] = {}
        if name:
            self.call("setUsername", name)

    def emit(self, event: str, *arguments: object) -> int:
        """Send an event and return the number of its acknowledgement."""
        self.last_request += 1
        self.socket.send(f"42{self.last_request}" + json.dumps([event, *arguments]))
        return self.last_request

    def receive(self) -> tuple[int, dict] | None:
        """Receive one packet; return the number and content of an answer, or None for an event."""
        text = self.socket.receive_text()
        if text.startswith("43"):
            number, _, answer = text[2:].partition("[")
            return int(number), json.loads("[" + answer)[0]
        if text.startswith('42["newmsg"'):
            _, content, meta = json.loads(text[2:])
            assert meta["id"] not in self.received, "a message came twice"
            self.received[meta["id"]] = (meta.get("key", ""), content["message"])
            self.received_at[meta["id"]] = time.time()
        return None

    def wait_for_answer(self, number: int) -> dict:
        """Receive packets up to the answer with this number and return the answer."""
        while True:
            answer = self.receive()
            if answer and answer[0] == number:
                return answer[1]

    def call(self, event: str, *arguments: object) -> dict:
        """Send an event and return its answer, which must be a success."""
        answer = self.wait_for_answer(self.emit(event, *arguments))
        assert answer["ok"], answer
        return answer

    def read_history(self, since: int) -> list[tuple[int, str, str]]:
        """Return the number, key and text of each message after `since`."""
        found, more = [], True
        while more:
            page = self.call("history", {"since": since, "limit": 200})
            found += [
                (meta["id"], meta.get("key", ""), content["message"])
                for content, meta in page["messages"]
            ]
            more, since = page["more"], found[-1][0] if found else since
        return found


class Sender(threading.Thread):
    """Keep IN_FLIGHT messages unacknowledged until the server ends; record acknowledgements."""

    def __init__(self, server: Server, name: str) -> None:
        super().__init__()
        self.client = Client(server, name)
        self.sent: dict[int, str] = {}
        self.acknowledged: dict[str, int] = {}
        self.acknowledged_at: dict[str, float] = {}
        self.key = f"{name.replace(' ', '-')}-{time.monotonic_ns()}"

    def run(self) -> None:
        try:
            for _ in range(IN_FLIGHT):
                self.send_message()
            while True:
                received = self.client.receive()
                if received:
                    number, answer = received
                    assert answer["ok"], answer
                    self.acknowledged[self.sent[number]] = answer["id"]
                    self.acknowledged_at[self.sent[number]] = time.time()
                    self.send_message()
        except (OSError, AssertionError) as error:
            self.error = error
        finally:
            self.client.socket.close()

    def send_message(self) -> None:
        key = f"{self.key}-{len(self.sent)}"
        self.sent[self.client.last_request + 1] = key
        self.client.emit("msg", {"message": f"text of {key}", "key": key})


class Listener(threading.Thread):
    """Receive the lobby's messages until the server ends."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        self.client = Client(server)

    def run(self) -> None:
        try:
            while True:
                self.client.receive()
        except (OSError, AssertionError) as error:
            self.error = error
        finally:
            self.client.socket.close()


class Observed(NamedTuple):
    """The messages that clients have observed, by key or number."""

    acknowledged: dict[str, int]
    """The number of each acknowledged key."""
    received: dict[int, tuple[str, str]]
    """The key and the text of each number."""
    sent: dict[str, list[str]]
    """The last keys of each sender; some of them may not be acknowledged."""


class Load:
    """SENDERS senders and one listener, from construction until the server ends."""

    def __init__(self, server: Server) -> None:
        self.listener = Listener(server)
        self.senders = {f"Sender {n}": Sender(server, f"Sender {n}") for n in range(SENDERS)}
        for thread in (self.listener, *self.senders.values()):
            thread.start()

    def join(self) -> None:
        """Wait for the clients, which must all have lost their connections."""
        for thread in (self.listener, *self.senders.values()):
            thread.join(20)
            assert str(thread.error) == "the connection has ended" or isinstance(
                thread.error, OSError
            ), thread.error

    def observed(self, until: float = float("inf")) -> Observed:
        """Return what the clients had observed at a time (s since 1970)."""
        acknowledged = {
            key: number
            for sender in self.senders.values()
            for key, number in sender.acknowledged.items()
            if sender.acknowledged_at[key] <= until
        }
        client = self.listener.client
        received = {
            n: entry for n, entry in client.received.items() if client.received_at[n] <= until
        }
        sent = {
            name: list(sender.sent.values())[-2 * IN_FLIGHT :]
            for name, sender in self.senders.items()
        }
        return Observed(acknowledged, received, sent)


def check(server: Server, observed: Observed, newest: int) -> int:
    """Assert that a restarted server has the messages that clients observed after `newest`.

    A resent message must keep its number. Return the newest number after that.
    """
    reader = Client(server)
    check_log(reader, observed, newest)
    for name, keys in observed.sent.items():
        again = Client(server, name)
        for key in keys:
            answer = again.call("msg", {"message": "sent again", "key": key})
            assert answer["id"] == observed.acknowledged.get(key, answer["id"])
        again.socket.close()
    log = reader.read_history(newest)
    reader.socket.close()
    return log[-1][0] if log else newest


def check_log(reader: Client, observed: Observed, newest: int) -> None:
    """Assert that the log is contiguous and has each observed message once."""
    log = reader.read_history(newest)
    numbers = [entry[0] for entry in log]
    expected = list(range(newest + 1, newest + len(log) + 1))
    assert numbers == expected, "a number is missing or used twice"
    keys = {key: number for number, key, _ in log}
    assert len(keys) == len(log), "a message is in the log twice"
    for key, number in observed.acknowledged.items():
        assert keys.get(key) == number, f"{key} was acknowledged as {number}"
    by_number = {number: (key, text) for number, key, text in log}
    for number, entry in observed.received.items():
        assert by_number.get(number) == entry, f"{number} was received and is not in the log"
    since = max(observed.received, default=newest)
    joined = reader.call("join", {"since": since, "limit": 200})
    missed = [(meta["id"], meta["key"], content["message"]) for content, meta in joined["messages"]]
    assert missed == [entry for entry in log if entry[0] > since][:200]
