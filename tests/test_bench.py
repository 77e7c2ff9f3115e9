"""The bench's counting, masking, statistics and reports, without servers to measure.

Socket pairs stand for the servers.
"""

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
from bench.attack import ResourceMonitor, run_bystanders
from bench.attacker import ATTACKS, NAMES, Attack, Attacker
from bench.clients import HANDSHAKE, ClientPool, is_named
from bench.errors import BenchError
from bench.measure import percentile
from bench.report import attack_tables, notes
from bench.results import Goal, Results

RANDOM = random.Random(4)


def newmsg_frame(sender: int, number: int) -> bytes:
    text = frames.text(frames.tag(sender, number))
    return server_frame(
        b'42["newmsg",{"user":"s00","message":"%s"},{"room":"lobby","id":%d,"at":1763930000000}]'
        % (text.encode(), number)
    )


def server_frame(payload: bytes) -> bytes:
    size = len(payload)
    head = bytes((0x81, size)) if size < 126 else b"\x81\x7e" + size.to_bytes(2, "big")
    return head + payload


@pytest.fixture
def pool():
    with ClientPool(0) as pool:
        yield pool


@pytest.fixture
def client(pool):
    """A client of the pool, and the server's end of its socket."""
    server, ours = socket.socketpair()
    client = pool.add(ours)
    with server:
        yield client, server


def split_randomly(stream: bytes) -> list[bytes]:
    cuts = sorted(RANDOM.sample(range(1, len(stream)), 40))
    return [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]


STREAM = (
    server_frame(b'430[{"ok":true,"user":"s07"}]')
    + b"".join(newmsg_frame(number % 50, number) for number in range(50))
    + frames.PING
    + b"".join(newmsg_frame(7, number) for number in range(50, 60))
    + server_frame(b'4312[{"ok":true,"room":"lobby","id":12,"at":1763930000000}]')
)


@pytest.mark.parametrize("round_", range(50))
def test_split_messages_are_counted_once(pool, client, round_):
    recipient, server = client
    recipient.inspected = recipient.timed = True
    recipient.own = frames.MARK + b"07"
    pool.sent_at = {frames.tag(n % 50 if n < 50 else 7, n): 0.0 for n in range(60)}
    own = 0
    for piece in split_randomly(STREAM):
        server.sendall(piece)
        pool.poll(1)
        own += len(pool.returned)
    assert (pool.delivered, own, len(pool.latencies)) == (60, 11, 60)
    assert len(server.recv(100)) == 7  # one pong, masked


@pytest.mark.parametrize("piece", [1, 2, 3, 5])
def test_split_ping_is_answered(pool, client, piece):
    _, server = client
    stream = newmsg_frame(1, 1) + frames.PING + newmsg_frame(1, 2)
    for start in range(0, len(stream), piece):
        server.sendall(stream[start : start + piece])
        pool.poll(1)
    pong = server.recv(100)
    assert pong[:2] == b"\x81\x81"
    assert pong[6] ^ pong[2] == ord("3")


def test_equal_data_is_counted_for_each_client(pool):
    message = newmsg_frame(1, 1)
    streams = [message * 2, message * 2, message.replace(frames.MARK, b" ") * 2]
    pairs = [socket.socketpair() for _ in streams]
    for (server, ours), stream in zip(pairs, streams, strict=True):
        pool.add(ours)
        server.sendall(stream)
    pool.poll(1)
    for server, _ in pairs:
        server.close()
    assert pool.delivered == 4


def test_closed_client_is_counted_as_disconnected(pool, client):
    client[1].close()
    pool.poll(1)
    assert pool.disconnected == 1


@pytest.mark.parametrize("size", [1, 3, 4, 5, 125, 126, 127, 1000])
def test_frame_is_masked_with_its_key(size):
    payload = RANDOM.randbytes(size)
    frame = frames.frame(payload)
    head = 2 if size < 126 else 4
    key, masked = frame[head : head + 4], frame[head + 4 :]
    assert bytes(byte ^ key[i % 4] for i, byte in enumerate(masked)) == payload
    assert frame[1] == 0x80 | (size if size < 126 else 126)
    assert head == 2 or frame[2:4] == size.to_bytes(2, "big")


def test_frames_have_different_keys():
    assert len({frames.frame(b"3")[2:6] for _ in range(100)}) > 90


def test_text_has_64_bytes_and_one_mark():
    text = frames.text(frames.tag(49, 1234567)).encode()
    assert (len(text), text.count(frames.MARK)) == (64, 1)


def test_newmsg_length_never_contains_the_mark():
    """Lengths of 128 to 255 are neither ASCII nor the length of a ping."""
    assert all(128 <= len(newmsg_frame(1, 10**digits)) - 4 <= 255 for digits in range(7))


def test_percentiles_are_in_milliseconds():
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


def test_figure_is_the_median_of_its_rounds(results):
    assert results.median("crowd", "chatapp", "deliveries") == 120


def test_ratio_is_the_median_of_the_rounds_ratios(results):
    assert results.ratio("crowd", "deliveries", "node") == 10


def test_failed_round_has_no_ratio(results):
    for _ in range(2):
        results.add("crowd", "chatapp", {"deliveries": 1000.0})
        results.add("crowd", "node", "it did not start")
    assert results.ratio("crowd", "deliveries", "node") == 10


def test_failed_and_disturbed_runs_are_noted(results):
    disturbed = {"deliveries": 1.0, "load_share": 0.99, "others_share": 0.4}
    for outcome in ("it did not start", disturbed, disturbed | {"others_share": 0.0}):
        results.add("busy", "node", outcome)
    assert list(notes(results)) == [
        "- busy, node, round 1: failed: it did not start",
        "- busy, node, round 2: other processes used 40% of a core",
        "- busy, node, round 3: the load's core was full, so the server may be faster",
    ]


def test_goal_is_met_on_its_side_of_the_bound(results):
    goal = Goal("crowd", "deliveries", "", 10, True, "node")
    assert goal.is_met(goal.measure(results))
    assert not goal._replace(at_least=False, bound=9).is_met(10)
    assert Goal("idle", "memory", "", 4).measure(results) is None


ATTACK = {
    **{"median_before": 1.0, "p99_before": 2.0, "longest_before": 3.0},
    **{
        "median": 10.0,
        "p99": 20.0,
        "longest": 30.0,
        "undelivered": 0.0,
        "disconnected": 0,
        "crashed": 0,
    },
    **{"cpu_share": 0.5, "memory_before": 40.0, "memory": 60.0, "memory_after": 50.0},
    **{"sent": 2.0, "connects": 3, "attacker_disconnected": 0},
}


def attacked(**changes: float) -> dict[str, float]:
    """Return the figures of a round of the load `attack` with one attack, named `flood`."""
    return UNDISTURBED | {f"{key}:flood": value for key, value in (ATTACK | changes).items()}


def attack_rows(**servers: list[dict[str, float] | str]) -> list[list[str]]:
    """Return the cells of the row `flood` of each table."""
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


def test_attack_tables_show_median_latencies_and_greatest_harm():
    rounds = [
        attacked(p99=20.0),
        attacked(p99=30.0, disconnected=32, undelivered=0.25),
        attacked(p99=900.0),
    ]
    latencies, _ = attack_rows(chatapp=rounds)
    assert latencies[1] == "1 / 2 / 3 → 10 / 30 / 30, 25% lost, **32 disconnected**"


def test_attack_that_crashes_a_server_is_shown():
    latencies, resources = attack_rows(chatapp=[attacked(crashed=1, attacker_disconnected=2)])
    assert latencies[1].endswith(", **the server crashed**")
    assert resources[1].endswith(", 2 closed")


def test_attack_tables_omit_a_failed_server():
    latencies, _ = attack_rows(chatapp=[attacked()], bun=["it did not start"])
    assert latencies == ["flood", "1 / 2 / 3 → 10 / 20 / 30", "-"]
    assert attack_rows(bun=["it did not start"]) == []


class FakeMonitor(ResourceMonitor):
    """A monitor that samples nothing."""

    def __init__(self) -> None:
        self.memory = self.max_memory = self.cpu = 0.0

    def sample(self) -> None:
        pass

    def sample_if_due(self) -> None:
        pass


@pytest.fixture
def bystanders(pool, monkeypatch):
    """Two sending clients of the pool, and the server's ends of their sockets."""
    monkeypatch.setattr(bench_attack, "SETTLE", 0.1)
    pairs = [socket.socketpair() for _ in range(2)]
    for number, (_, ours) in enumerate(pairs):
        client = pool.add(ours)
        client.number, client.own = number, frames.MARK + b"%02d" % number
        client.inspected = client.timed = True
        pool.senders.append(client)
    servers = [server for server, _ in pairs]
    yield pool, servers
    for server in servers:
        server.close()


def echo(pool, servers, drop=()):
    """Deliver each message to all bystanders except those whose server is in `drop`."""
    send = pool.send_message

    def send_and_echo(client):
        send(client)
        for server in servers:
            if server not in drop:
                server.sendall(newmsg_frame(client.number, client.sent))

    pool.send_message = send_and_echo


def test_latencies_of_bystanders_are_measured(bystanders):
    pool, servers = bystanders
    echo(pool, servers)
    observed = run_bystanders(pool, FakeMonitor(), 0.1)
    assert pool.sent > 0
    assert (len(pool.latencies), observed.undelivered) == (2 * pool.sent, 0)
    assert 0 < observed.median <= observed.p99 <= observed.longest


def test_lost_messages_count_with_the_whole_wait(bystanders):
    pool, servers = bystanders
    echo(pool, servers, drop=servers[:1])
    observed = run_bystanders(pool, FakeMonitor(), 0.1)
    assert (len(pool.latencies), observed.undelivered) == (pool.sent, 0.5)
    assert observed.p99 == observed.longest >= 200


def test_disconnected_bystanders_are_not_waited_for(bystanders, monkeypatch):
    monkeypatch.setattr(bench_attack, "SETTLE", 60)
    pool, servers = bystanders
    for server in servers:
        server.close()
    observed = run_bystanders(pool, FakeMonitor(), 0.1)
    assert (pool.disconnected, observed.undelivered) == (2, 1)
    assert 100 <= observed.longest < 10_000


LARGEST_PIECE = 66_000  # bytes


class Port:
    """A port that records the bytes it receives and closes connections after `lifetime` bytes."""

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


def flood(port: Port, attack: Attack, seconds: float = 0.5) -> Attacker:
    flood = Attacker(port.number, time.monotonic() + seconds, attack.max_bytes)
    asyncio.run(flood.run(attack))
    return flood


def test_attack_stays_within_its_rate(port):
    attack = Attack(lambda _: itertools.repeat(b"x" * 1000), rate=100_000, connections=4)
    assert 30_000 < flood(port, attack).bytes <= 60_000


def test_attack_stays_within_its_bytes(port):
    attack = Attack(lambda _: itertools.repeat(b"x" * 1000), max_bytes=10_000)
    assert 10_000 <= flood(port, attack).bytes <= 11_000


def test_attack_reconnects_after_disconnections(port):
    port.lifetime = 1000
    attacker = flood(port, Attack(lambda _: itertools.repeat(b"x" * 1000)))
    assert 2 <= attacker.disconnected <= attacker.connects <= 11


def test_attack_ends_if_the_server_does_not_read():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        began = time.monotonic()
        attack = Attack(lambda _: itertools.repeat(bytes(100_000)), rate=1e9)
        found = Attacker(listener.getsockname()[1], began + 0.3, attack.max_bytes)
        asyncio.run(found.run(attack))
    assert time.monotonic() < began + 5


@pytest.mark.parametrize("name", [name for name in NAMES if name in ATTACKS])
def test_each_attack_sends_its_handshake_within_its_rate(port, name, monkeypatch):
    monkeypatch.setattr("bench.attacker.large_file", lambda _port: "/large")
    attack = ATTACKS[name]
    for seconds in (0.15, 1, 5):  # a busy machine may not send anything in a short time
        began = time.monotonic()
        found = flood(port, attack, seconds)
        elapsed = time.monotonic() - began
        if found.bytes:
            break
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
def test_name_is_set_once_its_answer_is_complete(received, named):
    assert is_named(received) is named


def test_refused_name_ends_the_load():
    with pytest.raises(BenchError, match="name_taken"):
        is_named(b'430[{"ok":false,"code":"name_taken","message":"It is taken."}]')
