"""What would falsify the bench's figures: its counting, masking, sums."""

import random
import socket

import pytest

from bench import frames
from bench.load import Crowd
from bench.measure import percentile
from bench.report import notes
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
