"""A server is killed again and again under load, and nothing that it acknowledged is lost
(make torture). Bounded in rounds; talks to this machine alone.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

from raw import RawWebSocket
from serving import UNLIMITED, Server, launch

SENDERS, IN_FLIGHT = 12, 4
SETTINGS = {**UNLIMITED, "RETENTION_MESSAGES": "0", "RETENTION_DAYS": "0"}


class Client:
    """A connection that says things and takes what it hears apart."""

    def __init__(self, server: Server, name: str = "") -> None:
        self.socket = RawWebSocket(server)
        self.number = 0
        self.heard: dict[int, tuple[str, str]] = {}
        if name:
            self.asks("setUsername", name)

    def emits(self, event: str, *arguments: object) -> int:
        self.number += 1
        self.socket.send(f"42{self.number}" + json.dumps([event, *arguments]))
        return self.number

    def next(self) -> tuple[int, dict] | None:
        """What the server says next: the number and content of an answer, or None for an event."""
        text = self.socket.text()
        if text.startswith("43"):
            number, _, answer = text[2:].partition("[")
            return int(number), json.loads("[" + answer)[0]
        if text.startswith('42["newmsg"'):
            _, said, number = json.loads(text[2:])
            assert number["id"] not in self.heard, "heard twice"
            self.heard[number["id"]] = (number.get("key", ""), said["message"])
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


class Torture:
    """A server with its store, killed in rounds."""

    def __init__(self, folder: Path, seed: int, kind: str = "gunicorn") -> None:
        self.random = random.Random(seed)
        self.server = Server(kind, folder, SETTINGS)
        self.newest = 0
        self.acknowledged = 0

    def round(self) -> None:
        """Load it, kill it at a random moment, start it, and look at what it has."""
        listener = Listener(self.server)
        senders = [Sender(self.server, f"Sender {n}") for n in range(SENDERS)]
        for thread in (listener, *senders):
            thread.start()
        time.sleep(self.random.uniform(0.1, 0.8))
        os.killpg(self.server.process.pid, signal.SIGKILL)
        for thread in (listener, *senders):
            thread.join(20)
            assert str(thread.error) == "the connection has ended" or isinstance(
                thread.error, OSError
            ), thread.error
        self.start()
        reader = Client(self.server)
        self.check_log(reader, listener, senders)
        self.resend(senders)
        self.newest = max(entry[0] for entry in reader.reads(self.newest))
        self.acknowledged += sum(len(sender.acknowledged) for sender in senders)
        reader.socket.close()

    def start(self) -> None:
        self.server.process.wait()
        kind, log, port = self.server.kind, self.server.log, self.server.port
        self.server.process = launch(kind, log, port, SETTINGS)
        deadline = time.monotonic() + 20
        while not self.server.answers():
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.02)

    def check_log(self, reader: Client, listener: Listener, senders: list[Sender]) -> None:
        log = reader.reads(self.newest)
        assert [entry[0] for entry in log] == list(
            range(self.newest + 1, self.newest + len(log) + 1)
        ), "a number is missing or used twice"
        keys = {key: number for number, key, _ in log}
        assert len(keys) == len(log), "a message is there twice"
        for sender in senders:
            for key, number in sender.acknowledged.items():
                assert keys.get(key) == number, f"{key} was acknowledged as {number}"
        by_number = {number: (key, text) for number, key, text in log}
        for number, heard in listener.client.heard.items():
            assert by_number.get(number) == heard, f"{number} was heard and is not there"
        since = max(listener.client.heard, default=self.newest)
        joined = reader.asks("join", {"since": since, "limit": 200})
        missed = [(n["id"], n["key"], said["message"]) for said, n in joined["messages"]]
        assert missed == [entry for entry in log if entry[0] > since][:200]

    def resend(self, senders: list[Sender]) -> None:
        """Who says again what it said gets the first acknowledgement, or a first one."""
        for n, sender in enumerate(senders):
            again = Client(self.server, f"Sender {n}")
            for key in list(sender.sent.values())[-2 * IN_FLIGHT :]:
                answer = again.asks("msg", {"message": "said again", "key": key})
                assert answer["id"] == sender.acknowledged.get(key, answer["id"])
            again.socket.close()


def torture(folder: Path, rounds: int, seed: int, kind: str = "gunicorn") -> str:
    """`rounds` of Torture; a line on what was seen."""
    torture = Torture(folder, seed, kind)
    try:
        for _ in range(rounds):
            torture.round()
    finally:
        torture.server.stop()
    return (
        f"{kind}: killed {rounds} times; {torture.acknowledged} messages acknowledged meanwhile, "
        f"all there, each once and under its number, in a log of {torture.newest}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="make torture", description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        try:
            print(torture(Path(folder), options.rounds, options.seed))
        except AssertionError as error:
            sys.exit(f"make torture: {error}")


if __name__ == "__main__":
    main()
