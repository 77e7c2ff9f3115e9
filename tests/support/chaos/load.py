"""People who say much at once and remember what they were told; whether a server still has it."""

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
    """A connection that says things and takes what it hears apart."""

    def __init__(self, server: Server, name: str = "") -> None:
        self.socket = RawWebSocket(server)
        self.number = 0
        self.heard: dict[int, tuple[str, str]] = {}
        self.heard_at: dict[int, float] = {}
        if name:
            self.asks("setUsername", name)

    def emits(self, event: str, *arguments: object) -> int:
        self.number += 1
        self.socket.send(f"42{self.number}" + json.dumps([event, *arguments]))
        return self.number

    def next(self) -> tuple[int, dict] | None:
        """What the server says next: the number and content of an answer, or None for an event."""
        text = self.socket.receive_text()
        if text.startswith("43"):
            number, _, answer = text[2:].partition("[")
            return int(number), json.loads("[" + answer)[0]
        if text.startswith('42["newmsg"'):
            _, said, number = json.loads(text[2:])
            assert number["id"] not in self.heard, "heard twice"
            self.heard[number["id"]] = (number.get("key", ""), said["message"])
            self.heard_at[number["id"]] = time.time()
        return None

    def asks(self, event: str, *arguments: object) -> dict:
        wanted = self.emits(event, *arguments)
        while True:
            said = self.next()
            if said and said[0] == wanted:
                assert said[1]["ok"], said
                return said[1]

    def reads(self, since: int) -> list[tuple[int, str, str]]:
        """The number, key and text of each message after `since`."""
        found, more = [], True
        while more:
            page = self.asks("history", {"since": since, "limit": 200})
            found += [(n["id"], n.get("key", ""), said["message"]) for said, n in page["messages"]]
            more, since = page["more"], found[-1][0] if found else since
        return found


class Sender(threading.Thread):
    """Says messages, some in flight, until the server is gone; remembers what was acknowledged."""

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
                self.says()
            while True:
                said = self.client.next()
                if said:
                    number, answer = said
                    assert answer["ok"], answer
                    self.acknowledged[self.sent[number]] = answer["id"]
                    self.acknowledged_at[self.sent[number]] = time.time()
                    self.says()
        except (OSError, AssertionError) as error:
            self.error = error
        finally:
            self.client.socket.close()

    def says(self) -> None:
        key = f"{self.key}-{len(self.sent)}"
        self.sent[self.client.number + 1] = key
        self.client.emits("msg", {"message": f"text of {key}", "key": key})


class Listener(threading.Thread):
    """Hears the lobby until the server is gone."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        self.client = Client(server)

    def run(self) -> None:
        try:
            while True:
                self.client.next()
        except (OSError, AssertionError) as error:
            self.error = error
        finally:
            self.client.socket.close()


class Seen(NamedTuple):
    """What clients know. `acknowledged`: the number under each key. `heard`: the key and text of
    each number. `sent`: the last keys of each sender, some of which may not be acknowledged."""

    acknowledged: dict[str, int]
    heard: dict[int, tuple[str, str]]
    sent: dict[str, list[str]]


class Load:
    """Many senders and a listener at a server, until it is gone."""

    def __init__(self, server: Server) -> None:
        self.listener = Listener(server)
        self.senders = {f"Sender {n}": Sender(server, f"Sender {n}") for n in range(SENDERS)}
        for thread in (self.listener, *self.senders.values()):
            thread.start()

    def join(self) -> None:
        for thread in (self.listener, *self.senders.values()):
            thread.join(20)
            assert str(thread.error) == "the connection has ended" or isinstance(
                thread.error, OSError
            ), thread.error

    def seen(self, until: float = float("inf")) -> Seen:
        """What the clients knew at that time (s since 1970)."""
        acknowledged = {
            key: number
            for sender in self.senders.values()
            for key, number in sender.acknowledged.items()
            if sender.acknowledged_at[key] <= until
        }
        client = self.listener.client
        heard = {n: said for n, said in client.heard.items() if client.heard_at[n] <= until}
        sent = {
            name: list(sender.sent.values())[-2 * IN_FLIGHT :]
            for name, sender in self.senders.items()
        }
        return Seen(acknowledged, heard, sent)


def check(server: Server, seen: Seen, newest: int) -> int:
    """Whether a server that was started again has what was seen after the message `newest`, and
    answers those who say it again; the newest number after that."""
    reader = Client(server)
    check_log(reader, seen, newest)
    for name, keys in seen.sent.items():
        again = Client(server, name)
        for key in keys:
            answer = again.asks("msg", {"message": "said again", "key": key})
            assert answer["id"] == seen.acknowledged.get(key, answer["id"])
        again.socket.close()
    log = reader.reads(newest)
    reader.socket.close()
    return log[-1][0] if log else newest


def check_log(reader: Client, seen: Seen, newest: int) -> None:
    log = reader.reads(newest)
    numbers = [entry[0] for entry in log]
    expected = list(range(newest + 1, newest + len(log) + 1))
    assert numbers == expected, "a number is missing or used twice"
    keys = {key: number for number, key, _ in log}
    assert len(keys) == len(log), "a message is there twice"
    for key, number in seen.acknowledged.items():
        assert keys.get(key) == number, f"{key} was acknowledged as {number}"
    by_number = {number: (key, text) for number, key, text in log}
    for number, heard in seen.heard.items():
        assert by_number.get(number) == heard, f"{number} was heard and is not there"
    since = max(seen.heard, default=newest)
    joined = reader.asks("join", {"since": since, "limit": 200})
    missed = [(n["id"], n["key"], said["message"]) for said, n in joined["messages"]]
    assert missed == [entry for entry in log if entry[0] > since][:200]
