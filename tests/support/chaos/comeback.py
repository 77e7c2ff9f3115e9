"""People who come back: at any of several nodes they say messages, each until it's acknowledged,
and remember what they heard; and whether all of that is so in the end."""

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


class Odd(Exception):
    """What a server must not do."""


class Person(threading.Thread):
    """Is at one of `servers`, or at the next where that one isn't there; takes its name by its
    token, and joins with `since`. Says something again and again, with `pause` seconds between,
    unless it only listens. `away`: from how many to how many seconds it is, once a connection has
    ended."""

    def __init__(
        self,
        servers: Sequence[Server],
        name: str,
        *,
        listens: bool = False,
        pause: float = 0.01,
        away: tuple[float, float] = (0.02, 0.1),
    ) -> None:
        super().__init__(daemon=True)
        self.name = name
        self._servers = list(servers)
        self._listens = listens
        self._pause = pause
        self._away = away
        self._over = False
        self._token = ""
        self._asked = 0
        self._whole = 0
        self.acknowledged: dict[str, int] = {}
        self.heard: dict[int, tuple[str, str]] = {}
        self.live: list[list[int]] = []  # of each connection, as it came
        self.epochs: set[str] = set()
        self.refusals: list[str] = []
        self.silences = [0.0]  # seconds between what it heard
        self._heard_last = 0.0
        self.breaks: list[str] = []  # why a connection was left, but for the last
        self.odd: str = ""
        self.is_in = threading.Event()

    def run(self) -> None:
        try:
            while not self._over:
                try:
                    self._visit()
                except (OSError, AssertionError) as error:
                    self.breaks.append(repr(error))
                self.is_in.clear()
                self._servers.append(self._servers.pop(0))
                time.sleep(random.uniform(*self._away))
        except Odd as error:
            self.odd = str(error)

    def ends(self) -> None:
        self._over = True

    def _visit(self) -> None:
        self._socket = RawWebSocket(self._servers[0])
        self._socket.sock.settimeout(10)
        try:
            self.live.append([])
            named = self._insists("setUsername", self.name, {"token": self._token, "hold": True})
            self._token = named["token"]
            self._catches_up()
            self.is_in.set()
            while not self._over:
                if self._listens:
                    self._hears_for(0.1)
                else:
                    self._says()
        finally:
            self._socket.sock.close()

    def _catches_up(self) -> None:
        more = True
        while more:
            page = self._insists("join", {"since": self._whole_to(), "limit": 200})
            self.epochs.add(page["epoch"])
            for said, number in page["messages"]:
                self._hears(said, number)
            more = page["more"]

    def _whole_to(self) -> int:
        """The number up to which nothing is missing."""
        while self._whole + 1 in self.heard:
            self._whole += 1
        return self._whole

    def _says(self) -> None:
        key = f"{self.name.replace(' ', '-')}-{len(self.acknowledged):06}"
        answer = self._insists("msg", {"message": f"text of {key}", "key": key})
        if self.acknowledged.setdefault(key, answer["id"]) != answer["id"]:
            raise Odd(f"{key} was acknowledged as {self.acknowledged[key]}, now as {answer['id']}")
        if self._pause:
            self._hears_for(self._pause)

    def _insists(self, event: str, *arguments: object) -> dict:
        """Asks again until the store is there, or a ghost of its own is gone."""
        while True:
            answer = self._asks(event, *arguments)
            if answer["ok"]:
                return answer
            self.refusals.append(answer["code"])
            if answer["code"] not in ("unavailable", "name_taken"):
                raise Odd(str(answer))
            self._hears_for(0.1)
            if self._over:
                raise OSError("it's over")

    def _asks(self, event: str, *arguments: object) -> dict:
        self._asked += 1
        self._socket.send(f"42{self._asked}" + json.dumps([event, *arguments]))
        while True:
            text = self._socket.receive_text()
            if text.startswith("43"):
                number, _, answer = text[2:].partition("[")
                if int(number) == self._asked:
                    return json.loads("[" + answer)[0]
            self._takes(text)

    def _hears_for(self, seconds: float) -> None:
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
                self._takes(data.decode())

    def _takes(self, text: str) -> None:
        if text.startswith('42["newmsg"'):
            _, said, number = json.loads(text[2:])
            live = self.live[-1]
            if live and number["id"] != live[-1] + 1:
                raise Odd(f"{self.name} heard {number['id']} after {live[-1]}")
            live.append(number["id"])
            self._hears(said, number)

    def _hears(self, said: dict, number: dict) -> None:
        entry = (number.get("key", ""), said["message"])
        if self.heard.setdefault(number["id"], entry) != entry:
            raise Odd(f"{number['id']} is {entry} now, and was {self.heard[number['id']]}")
        now = time.monotonic()
        if self._heard_last:
            self.silences.append(now - self._heard_last)
        self._heard_last = now


class Crowd:
    """`senders` people and two who only listen, at each of the servers; for `with`."""

    def __init__(self, servers: Sequence[Server], senders: int = 10, **options) -> None:
        self._servers = servers
        self.people = [
            Person(
                [*servers[n:], *servers[:n]],
                f"Person {n} {m}",
                listens=m >= senders,
                **options,
            )
            for n in range(len(servers))
            for m in range(senders + 2)
        ]

    def __enter__(self) -> Crowd:
        for person in self.people:
            person.start()
        self.are_in()
        return self

    def __exit__(self, *_: object) -> None:
        for person in self.people:
            person.ends()
        for person in self.people:
            person.join(15)

    def are_in(self, within: float = 15) -> None:
        for person in self.people:
            assert person.is_in.wait(within), (person.name, person.odd, person.refusals[-3:])

    def newest(self) -> int:
        return max((max(person.heard, default=0) for person in self.people), default=0)

    def goes_on(self, within: float = 5) -> float:
        """Everybody hears something new: after how many seconds."""
        begun = time.monotonic()
        beyond = self.newest() + 20
        eventually(
            lambda: self.is_odd() or all(max(p.heard, default=0) > beyond for p in self.people),
            within,
        )
        assert not self.is_odd(), self.is_odd()
        return time.monotonic() - begun

    def is_odd(self) -> str:
        return next((person.odd for person in self.people if person.odd), "")

    def check(self, *servers: Server) -> str:
        """Nothing acknowledged is lost, doubled or reordered for anybody; a line on what was.

        `servers`: those that are there by now, if not all.
        """
        servers = servers or tuple(self._servers)
        for person in self.people:  # who doesn't speak any more hears all the same
            person._listens = True
        log = read_log(servers[0])
        with suppress(AssertionError):
            eventually(lambda: self.is_odd() or not self._lacks(log), 10)
        assert not self.is_odd(), self.is_odd()
        assert not self._lacks(log), self._lacks(log)
        log = read_log(servers[-1])
        assert list(log) == list(range(1, len(log) + 1)), "a number is missing or used twice"
        keys = {key: number for number, (key, _) in log.items()}
        assert len(keys) == len(log), "a message is there twice"
        count = 0
        for person in self.people:
            count += len(person.acknowledged)
            for key, number in person.acknowledged.items():
                assert keys.get(key) == number, f"{key} was acknowledged as {number}"
            assert len(person.epochs) == 1, "the numbering began anew"
        return f"{count} messages acknowledged, all there, each once and heard by all in order"

    def _lacks(self, log: dict) -> str:
        """Who has not heard what, by now."""
        for person in self.people:
            missing = sorted(log.keys() - person.heard.keys())
            if missing:
                return f"{person.name} hasn't heard {missing[:3]}…{missing[-1]} of {len(log)}"
        return ""


def read_log(server: Server) -> dict[int, tuple[str, str]]:
    """The key and text of each message of the lobby, as the server has it."""
    reader = Person([server], "Reader")
    reader._socket = RawWebSocket(server)
    reader.live.append([])
    reader._catches_up()
    reader._socket.sock.close()
    return dict(sorted(reader.heard.items()))
