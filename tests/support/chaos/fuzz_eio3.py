"""The fuzzer's attacks over Engine.IO 3: wrong lengths and malformed packets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from support.clients import BASE, WEBSOCKET, Engine3Polling, Engine3WebSocket
from support.raw import frame, handshake

if TYPE_CHECKING:
    from support.chaos.fuzz import Fuzzer

OCTETS = {"Content_Type": "application/octet-stream"}
PACKETS = [
    *["40/custom?a=b,", "40/?a", "42/x?y,[]", '42["msg",{"message":"\U0001f600"}]', "b4AAEC", "b4"],
    *['451-["msg",{"_placeholder":true,"num":0}]', "b9AA", "2\U0001f600", "\U0001f600", "44", "3"],
]
"""Packets in addition to those of Engine.IO 4."""


class Engine3Attacks:
    """Attacks over Engine.IO 3 sessions, with the fuzzer's random numbers."""

    def __init__(self, fuzzer: Fuzzer) -> None:
        self.fuzzer = fuzzer
        self.server = fuzzer.server
        self.random = fuzzer.random
        self.attacks = [self.texts, self.octets, self.frames, self.upgrades, self.handshakes]

    def packet(self) -> bytes:
        if self.random.random() < 0.5:
            return self.fuzzer.packet()
        return self.fuzzer.mutated(self.random.choice(PACKETS).encode())

    def length(self, true: int) -> str:
        """Return a packet's length, or sometimes a wrong one."""
        wrong = self.random.choice(
            [-true, -1, true - 1, true + 1, true * 100, 10 ** (true % 5000), 0]
        )
        words = [f"{true}.0", f"0{true}", f" {true}", "", "x", f"1e{true}", "\u0661", "9" * 20000]
        return self.random.choice([*[str(true)] * 15, *[str(wrong)] * 4, self.random.choice(words)])

    def texts(self) -> None:
        session = Engine3Polling(self.server, self.random.choice(["", "&b64=1"]))
        for _ in range(self.random.randrange(1, 5)):
            body = b""
            for _ in range(self.random.choice([0, 1, 1, 1, 3, 20, 200])):
                packet = self.packet()
                units = len(packet.decode(errors="replace").encode("utf-16-le")) // 2
                body += self.length(units).encode() + b":" + packet
            body += self.random.choice([b"", b"", b"", b"1", b"99", b":"])
            session.post(self.fuzzer.mutated(body) if self.random.random() < 0.3 else body)
        self.disconnect(session)

    def octets(self) -> None:
        session = Engine3Polling(self.server)
        for _ in range(self.random.randrange(1, 5)):
            body = b""
            for _ in range(self.random.choice([0, 1, 1, 3, 20])):
                packet = self.random.choice([b"", b"", b"\4"]) + self.packet()
                digits = [int(digit) for digit in self.length(len(packet)) if digit in "0123456789"]
                kind = self.random.choice([0, 0, 0, 1, 1, 2])
                body += bytes([kind, *digits, self.random.choice([255] * 9 + [254])]) + packet
            body = self.fuzzer.mutated(body) if self.random.random() < 0.3 else body
            session.post(body, **(OCTETS if self.random.random() < 0.9 else {}))
        self.disconnect(session)

    def disconnect(self, session: Engine3Polling) -> None:
        if self.random.random() < 0.7:
            session.send("1")

    def frames(self) -> None:
        client = Engine3WebSocket(self.server, query=self.random.choice(["", "&b64=1"]))
        client.sock.settimeout(0.05)
        if self.random.random() < 0.3:
            self.fuzzer.send_frames(client)
        for _ in range(self.random.randrange(1, 20)):
            binary = self.random.random() < 0.3
            packet = self.random.choice([b"\4", b""]) * binary + self.packet()
            client.send_raw(frame(packet, 1 + binary))
        self.fuzzer.disconnect(client)

    def upgrades(self) -> None:
        self.fuzzer.upgrade(Engine3Polling(self.server))

    def handshakes(self) -> None:
        path = self.random.choice([BASE, WEBSOCKET]) + self.random.choice(["", "&b64=1", "&j=0"])
        self.fuzzer.send(self.fuzzer.mutated(handshake(self.server, path)))
