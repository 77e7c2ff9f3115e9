"""What would falsify the bench's figures: its counting, masking, sums."""

import asyncio
import contextlib
import itertools
import random
import socket
import threading
import time

import pytest

from bench import attack as bench_attack
from bench import frames
from bench.attack import Watch, speak
from bench.attacker import ATTACKS, NAMES, Attack, Flood
from bench.errors import BenchError
from bench.load import HANDSHAKE, Crowd, is_named
from bench.measure import percentile
from bench.report import attack_tables, notes
from bench.results import Goal, Results

RANDOM = random.Random(4)


def heard_as(sender: int, number: int) -> bytes:
    text = frames.text(frames.tag(sender, number))
    return unmasked(
        b'42["newmsg",{"user":"s00","message":"%s"},{"room":"lobby","id":%d,"at":1763930000000}]'
        % (text.encode(), number)
    )


def unmasked(payload: bytes) -> bytes:
    size = len(payload)
    head = bytes((0x81, size)) if size < 126 else b"\x81\x7e" + size.to_bytes(2, "big")
    return head + payload


@pytest.fixture
def crowd():
    with Crowd(0) as crowd:
        yield crowd


@pytest.fixture
def client(crowd):
    """A client of the crowd, whose server is the test, by `client.server`."""
    server, ours = socket.socketpair()
    client = crowd.add(ours)
    with server:
        yield client, server


def in_pieces(stream: bytes) -> list[bytes]:
    cuts = sorted(RANDOM.sample(range(1, len(stream)), 40))
    return [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]


STREAM = (
    unmasked(b'430[{"ok":true,"user":"s07"}]')
    + b"".join(heard_as(number % 50, number) for number in range(50))
    + frames.PING
    + b"".join(heard_as(7, number) for number in range(50, 60))
    + unmasked(b'4312[{"ok":true,"room":"lobby","id":12,"at":1763930000000}]')
)


@pytest.mark.parametrize("round_", range(50))
def test_each_message_counts_once_however_it_is_split(crowd, client, round_):
    hearer, server = client
    hearer.closely = hearer.listens = True
    hearer.own = frames.MARK + b"07"
    crowd.said_at = {frames.tag(n % 50 if n < 50 else 7, n): 0.0 for n in range(60)}
    own = 0
    for piece in in_pieces(STREAM):
        server.sendall(piece)
        crowd.turn(1)
        own += len(crowd.returned)
    assert (crowd.heard, own, len(crowd.latencies)) == (60, 11, 60)
    assert len(server.recv(100)) == 7  # one pong, masked


@pytest.mark.parametrize("piece", [1, 2, 3, 5])
def test_a_ping_is_answered_however_it_is_split(crowd, client, piece):
    _, server = client
    stream = heard_as(1, 1) + frames.PING + heard_as(1, 2)
    for start in range(0, len(stream), piece):
        server.sendall(stream[start : start + piece])
        crowd.turn(1)
    pong = server.recv(100)
    assert pong[:2] == b"\x81\x81"
    assert pong[6] ^ pong[2] == ord("3")


def test_only_what_equals_what_another_heard_counts_the_same(crowd):
    message = heard_as(1, 1)
    said = [message * 2, message * 2, message.replace(frames.MARK, b" ") * 2]
    pairs = [socket.socketpair() for _ in said]
    for (server, ours), stream in zip(pairs, said, strict=True):
        crowd.add(ours)
        server.sendall(stream)
    crowd.turn(1)
    for server, _ in pairs:
        server.close()
    assert crowd.heard == 4


def test_whom_the_server_closes_is_cut(crowd, client):
    client[1].close()
    crowd.turn(1)
    assert crowd.cut == 1


@pytest.mark.parametrize("size", [1, 3, 4, 5, 125, 126, 127, 1000])
def test_frames_are_masked_as_the_standard_says(size):
    payload = RANDOM.randbytes(size)
    frame = frames.frame(payload)
    head = 2 if size < 126 else 4
    key, masked = frame[head : head + 4], frame[head + 4 :]
    assert bytes(byte ^ key[i % 4] for i, byte in enumerate(masked)) == payload
    assert frame[1] == 0x80 | (size if size < 126 else 126)
    assert head == 2 or frame[2:4] == size.to_bytes(2, "big")


def test_each_frame_has_a_key_of_its_own():
    assert len({frames.frame(b"3")[2:6] for _ in range(100)}) > 90


def test_a_text_has_its_bytes_and_one_mark():
    text = frames.text(frames.tag(49, 1234567)).encode()
    assert (len(text), text.count(frames.MARK)) == (64, 1)


def test_no_newmsg_has_the_mark_in_its_length():
    """Lengths of 128 to 255 are no ASCII, and don't look like a ping's."""
    assert all(128 <= len(heard_as(1, 10**digits)) - 4 <= 255 for digits in range(7))


def test_percentiles_are_milliseconds_of_all():
    latencies = [number / 1000 for number in range(1, 1002)]
    assert percentile(latencies, 50) == pytest.approx(501)
    assert percentile(latencies, 99) == pytest.approx(991)


UNDISTURBED = {"load_share": 0.5, "others_share": 0.0}


@pytest.fixture
def results():
    results = Results()
    for ours, theirs in [(100.0, 10.0), (300.0, 10.0), (120.0, 40.0)]:
        results.add("crowd", "chatapp", UNDISTURBED | {"deliveries": ours})
        results.add("crowd", "node", UNDISTURBED | {"deliveries": theirs})
    return results


def test_a_figure_is_the_median_of_its_rounds(results):
    assert results.median("crowd", "chatapp", "deliveries") == 120


def test_a_ratio_is_the_median_of_the_rounds_ratios(results):
    assert results.ratio("crowd", "deliveries", "node") == 10


def test_a_round_that_failed_has_no_ratio(results):
    for _ in range(2):
        results.add("crowd", "chatapp", {"deliveries": 1000.0})
        results.add("crowd", "node", "it did not start")
    assert results.ratio("crowd", "deliveries", "node") == 10


def test_what_failed_or_was_disturbed_is_written_as_such(results):
    disturbed = {"deliveries": 1.0, "load_share": 0.99, "others_share": 0.4}
    for outcome in ("it did not start", disturbed, disturbed | {"others_share": 0.0}):
        results.add("busy", "node", outcome)
    assert list(notes(results)) == [
        "- busy, node, round 1: failed: it did not start",
        "- busy, node, round 2: others took 40% of a core",
        "- busy, node, round 3: the load's core was full: its limit, perhaps not the server's",
    ]


def test_a_goal_is_met_on_its_side_of_the_bound(results):
    goal = Goal("crowd", "deliveries", "", 10, True, "node")
    assert goal.met(goal.seen(results))
    assert not goal._replace(at_least=False, bound=9).met(10)
    assert Goal("idle", "memory", "", 4).seen(results) is None


ATTACK = {
    **{"median_before": 1.0, "p99_before": 2.0, "longest_before": 3.0},
    **{"median": 10.0, "p99": 20.0, "longest": 30.0, "unheard": 0.0, "cut": 0, "ended": 0},
    **{"cpu_share": 0.5, "memory_before": 40.0, "memory": 60.0, "memory_after": 50.0},
    **{"sent": 2.0, "connects": 3, "attacker_cut": 0},
}


def attacked(**changes: float) -> dict[str, float]:
    """The figures of a round of the load `attack` with one attack, named `flood`."""
    return UNDISTURBED | {f"{key}:flood": value for key, value in (ATTACK | changes).items()}


def attack_rows(**servers: list[dict[str, float] | str]) -> list[list[str]]:
    """The row `flood` of each of the attacks' tables, in cells."""
    results = Results()
    for server, rounds in servers.items():
        for outcome in rounds:
            results.add("attack", server, outcome)
    lines = "\n".join(attack_tables(results)).splitlines()
    return [line.strip("| ").split(" | ") for line in lines if line.startswith("| flood ")]


def test_attack_tables_show_each_server_in_a_column():
    latencies, resources = attack_rows(chatapp=[attacked()], node=[attacked(p99=40.0)])
    assert latencies == ["flood", "1 / 2 / 3 → 10 / 20 / 30", "1 / 2 / 3 → 10 / 40 / 30"]
    assert resources == ["flood", *["50%; 40, 60, 50 MB; 2 MB over 3"] * 2]


def test_attack_tables_show_medians_of_latencies_and_the_worst_of_harm():
    rounds = [attacked(p99=20.0), attacked(p99=30.0, cut=32, unheard=0.25), attacked(p99=900.0)]
    latencies, _ = attack_rows(chatapp=rounds)
    assert latencies[1] == "1 / 2 / 3 → 10 / 30 / 30, 25% never heard, **32 cut**"


def test_attack_that_ends_a_server_is_shown():
    latencies, resources = attack_rows(chatapp=[attacked(ended=1, attacker_cut=2)])
    assert latencies[1].endswith(", **the server ended**")
    assert resources[1].endswith(", 2 closed")


def test_attack_tables_leave_out_a_server_that_failed():
    latencies, _ = attack_rows(chatapp=[attacked()], bun=["it did not start"])
    assert latencies == ["flood", "1 / 2 / 3 → 10 / 20 / 30", "-"]
    assert attack_rows(bun=["it did not start"]) == []


class Watched(Watch):
    """A watch of a server that does nothing."""

    def __init__(self) -> None:
        self.memory = self.most = self.cpu = 0.0

    def look(self) -> None:
        pass

    def look_if_due(self) -> None:
        pass


@pytest.fixture
def bystanders(crowd, monkeypatch):
    """Two clients of the crowd who say messages, and the servers' ends of their sockets."""
    monkeypatch.setattr(bench_attack, "SETTLE", 0.1)
    pairs = [socket.socketpair() for _ in range(2)]
    for number, (_, ours) in enumerate(pairs):
        client = crowd.add(ours)
        client.number, client.own = number, frames.MARK + b"%02d" % number
        client.closely = client.listens = True
        crowd.senders.append(client)
    servers = [server for server, _ in pairs]
    yield crowd, servers
    for server in servers:
        server.close()


def echo(crowd, servers, drop=()):
    """Let all bystanders hear what one of them says, but for those whose server is in `drop`."""
    say = crowd.say

    def say_and_echo(client):
        say(client)
        for server in servers:
            if server not in drop:
                server.sendall(heard_as(client.number, client.said))

    crowd.say = say_and_echo


def test_bystanders_that_hear_everything_are_timed(bystanders):
    crowd, servers = bystanders
    echo(crowd, servers)
    seen = speak(crowd, Watched(), 0.1)
    assert crowd.said > 0
    assert (len(crowd.latencies), seen.unheard) == (2 * crowd.said, 0)
    assert 0 < seen.median <= seen.p99 <= seen.longest


def test_messages_never_heard_count_as_long_as_was_waited(bystanders):
    crowd, servers = bystanders
    echo(crowd, servers, drop=servers[:1])
    seen = speak(crowd, Watched(), 0.1)
    assert (len(crowd.latencies), seen.unheard) == (crowd.said, 0.5)
    assert seen.p99 == seen.longest >= 200


def test_bystanders_that_are_cut_are_not_waited_for(bystanders, monkeypatch):
    monkeypatch.setattr(bench_attack, "SETTLE", 60)
    crowd, servers = bystanders
    for server in servers:
        server.close()
    seen = speak(crowd, Watched(), 0.1)
    assert (crowd.cut, seen.unheard) == (2, 1)
    assert 100 <= seen.longest < 10_000


LARGEST_PIECE = 66_000  # bytes


class Port:
    """A port of 127.0.0.1 that counts the bytes it receives, and closes each connection after
    `lifetime` bytes."""

    def __init__(self, lifetime: float = float("inf")) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.number = self.listener.getsockname()[1]
        self.lifetime = lifetime
        self.received: list[bytes] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                link, _ = self.listener.accept()
                threading.Thread(target=self._read, args=(link,), daemon=True).start()

    def _read(self, link: socket.socket) -> None:
        place = len(self.received)
        self.received.append(b"")
        with link, contextlib.suppress(OSError):
            while (data := link.recv(65536)) and len(self.received[place]) < self.lifetime:
                self.received[place] += data
                if self.received[place].startswith(HANDSHAKE[:20]):
                    link.sendall(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")


@pytest.fixture
def port():
    port = Port()
    yield port
    port.listener.close()


def flood(port: Port, attack: Attack, seconds: float = 0.5) -> Flood:
    flood = Flood(port.number, time.monotonic() + seconds, attack.most)
    asyncio.run(flood.run(attack))
    return flood


def test_attack_stays_within_its_rate(port):
    attack = Attack(lambda _: itertools.repeat(b"x" * 1000), rate=100_000, connections=4)
    assert 30_000 < flood(port, attack).bytes <= 60_000


def test_attack_stays_within_its_bytes(port):
    attack = Attack(lambda _: itertools.repeat(b"x" * 1000), most=10_000)
    assert 10_000 <= flood(port, attack).bytes <= 11_000


def test_attack_connects_again_where_it_is_closed(port):
    port.lifetime = 1000
    attacker = flood(port, Attack(lambda _: itertools.repeat(b"x" * 1000)))
    assert 2 <= attacker.cut <= attacker.connects <= 11


def test_attack_ends_where_nobody_reads():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        began = time.monotonic()
        attack = Attack(lambda _: itertools.repeat(bytes(100_000)), rate=1e9)
        found = Flood(listener.getsockname()[1], began + 0.3, attack.most)
        asyncio.run(found.run(attack))
    assert time.monotonic() < began + 5


@pytest.mark.parametrize("name", [name for name in NAMES if name in ATTACKS])
def test_each_attack_sends_what_it_says(port, name, monkeypatch):
    """Each stays within its rate, and a WebSocket's begins with a handshake."""
    monkeypatch.setattr("bench.attacker.large_file", lambda _port: "/large")
    attack = ATTACKS[name]
    began = time.monotonic()
    found = flood(port, attack, 0.15)
    elapsed = time.monotonic() - began
    assert 0 < found.bytes <= attack.rate * elapsed + attack.connections * LARGEST_PIECE
    assert found.connects == attack.connections
    assert all(data.startswith(attack.handshake or (b"GET ", b"POST ")) for data in port.received)


@pytest.mark.parametrize(
    ("received", "named"),
    [
        (b'\x81\x1e430[{"ok":true,"user":"person 1"}]', True),
        (b'\x81\x1e430[{"user":"person 1","ok":true}]', True),
        (b'\x81\x1e430[{"user":"person 1","ok"', False),
        (b'\x81\x1e42["userSet","person 1"]', False),
    ],
)
def test_name_is_set_once_its_answer_is_whole(received, named):
    assert is_named(received) is named


def test_refused_name_ends_the_load():
    with pytest.raises(BenchError, match="name_taken"):
        is_named(b'430[{"ok":false,"code":"name_taken","message":"It is taken."}]')
