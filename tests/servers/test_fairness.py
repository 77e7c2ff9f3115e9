"""One client's flood doesn't delay the others: each connection is read in bounded slices.

support.apps.tracing records the order in which a server handles what several raw clients send.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections import Counter

import pytest
from support.apps.tracing import ANSWERED, ARRIVED
from support.raw import Polling, RawWebSocket, exchange, frame, request
from support.servers import UNLIMITED, Server

from chatapp.transport.loop.reading import FRAMES_PER_SLICE, STEPS_PER_SLICE

GEVENT = ["gunicorn", "gevent-websocket"]
STEPS = 400  # of each connection


@pytest.fixture(params=GEVENT)
def traced(request, tmp_path):
    path = tmp_path / "socket"
    server = Server(
        request.param, tmp_path, UNLIMITED, "-b", f"unix:{path}", module="support.apps.tracing"
    )
    try:
        assert fetch(server, "POST", f"/bystander?path={path}") == "ok"
        yield server
    finally:
        server.stop()


def connect(server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), 30)


def fetch(server, method: str, path: str) -> str:
    status, _, body = request(server, method, path)
    assert status == 200
    return body


def steps_during_echoes(trace: list[str]) -> list[Counter[str]]:
    """Count the steps of each connection between an echo's arrival and its answer."""
    found = []
    while ANSWERED in trace:
        arrived, answered = trace.index(ARRIVED), trace.index(ANSWERED)
        found.append(Counter(trace[arrived + 1 : answered]))
        trace = trace[answered + 1 :]
    return found


def max_steps_during_echo(server, min_echoes: int) -> int:
    """Return the most steps of one connection during an echo; expect at least `min_echoes`."""
    found = steps_during_echoes(json.loads(fetch(server, "GET", "/trace")))
    assert len(found) >= min_echoes
    return max(max(steps.values(), default=0) for steps in found)


@pytest.mark.parametrize("connections", [1, 8])
def test_pipelined_requests_do_not_delay_other_clients(traced, connections):
    pipelined = b"GET /step HTTP/1.1\r\nHost: x\r\n\r\n" * STEPS
    with contextlib.ExitStack() as links:
        flooding = [
            links.enter_context(socket.create_connection(("127.0.0.1", traced.port), 30))
            for _ in range(connections)
        ]
        for link in flooding:
            link.sendall(pipelined)
        for link in flooding:
            answers = b""
            while answers.count(b"HTTP/1.1 200") < STEPS:
                received = link.recv(65536)
                assert received
                answers += received
    assert max_steps_during_echo(traced, min_echoes=2 * connections) <= STEPS_PER_SLICE


@pytest.mark.parametrize("connections", [1, 8])
def test_flood_of_events_does_not_delay_other_clients(traced, connections):
    flooding = [RawWebSocket(traced) for _ in range(connections)]
    for client in flooding:
        client.send_raw(frame(b'42["step"]') * STEPS + frame(b'421["steps"]'))
    for client in flooding:
        client.receive_until("431")
        client.close()
    assert max_steps_during_echo(traced, min_echoes=2 * connections) <= FRAMES_PER_SLICE


def test_body_in_tiny_chunks_does_not_delay_other_clients(traced):
    """RFC 9112, section 7.1: a chunk may have one byte."""
    head = b"POST /step HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    with socket.create_connection(("127.0.0.1", traced.port), 30) as link:
        link.sendall(head + b"1\r\nx\r\n" * 256 * STEPS + b"0\r\n\r\n")
        assert link.recv(65536).startswith(b"HTTP/1.1 200")
    assert max_steps_during_echo(traced, min_echoes=2) <= STEPS / 4


@pytest.mark.parametrize("kind", GEVENT)
def test_endless_trailers_do_not_delay_other_clients(serve, kind):
    """RFC 9112, section 7.1.2: gevent's HTTP server accepts any number of trailers."""
    server = serve(kind, **UNLIMITED)
    path = Polling(server).path
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n".encode()
    answered = threading.Event()

    def flood() -> None:
        with contextlib.suppress(ConnectionError), connect(server) as link:
            link.sendall(head)
            while not answered.is_set():
                link.sendall(b"a: b\r\n" * 10_000)

    flooding = threading.Thread(target=flood)
    bystander = RawWebSocket(server)
    flooding.start()
    try:
        for number in range(10):
            bystander.send(f'42{number}["join"]')
            bystander.receive_until(f"43{number}")
    finally:
        answered.set()
        flooding.join()


BODIES = {
    "chunked": (b"Transfer-Encoding: chunked", b"1\r\nx\r\n"),
    "long": (b"Content-Length: 1000000000", b"x"),
}
PATHS = ["/", "/healthz", "/nothing", "/socket.io/", "/socket.io/?EIO=4&transport=polling"]


@pytest.mark.parametrize("kind", GEVENT)
@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("path", PATHS)
def test_unused_body_is_not_read(serve, kind, path, body):
    server = serve(kind, **UNLIMITED)
    header, piece = BODIES[body]
    with socket.create_connection(("127.0.0.1", server.port), 5) as link:
        link.sendall(b"POST %b HTTP/1.1\r\nHost: x\r\n%b\r\n\r\n" % (path.encode(), header))
        answer = b""
        with contextlib.suppress(ConnectionError):
            while received := link.recv(65536):  # the server closes without reading the body
                answer += received
            for _ in range(1000):
                link.sendall(piece * 10_000)
            pytest.fail("the server reads the body")
        assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 404", b"HTTP/1.1 405"))


@pytest.mark.parametrize("kind", GEVENT)
def test_body_over_the_limit_is_not_read_to_its_end(serve, kind):
    server = serve(kind, **UNLIMITED)
    _, _, opening = request(server, "GET", "/socket.io/?EIO=4&transport=polling")
    path = f"/socket.io/?EIO=4&transport=polling&sid={json.loads(opening[1:])['sid']}"
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = []
    with socket.create_connection(("127.0.0.1", server.port), 30) as link:
        reading = threading.Thread(target=lambda: answer.append(link.recv(65536)))
        reading.start()
        link.sendall(head.encode())
        with pytest.raises(ConnectionError):
            link.sendall(b"1\r\nx\r\n" * 10_000_000)
        reading.join()
    assert answer[0].startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize("kind", GEVENT)
def test_body_after_connection_upgrade_is_not_read(serve, kind):
    """RFC 9110, section 7.8: a server may ignore Upgrade. gevent's then passes on raw bytes."""
    server = serve(kind, **UNLIMITED)
    head = (
        b"POST /healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nContent-Length: 100\r\n\r\n"
    )
    answer = exchange(server, head, seconds=5)
    assert answer.startswith(b"HTTP/1.1 405")


@pytest.mark.parametrize("connection", ["keep-alive", "Upgrade"])
@pytest.mark.parametrize("kind", GEVENT)
def test_connection_is_reused_after_a_read_body(serve, kind, connection):
    server = serve(kind, **UNLIMITED)
    _, _, opening = request(server, "GET", "/socket.io/?EIO=4&transport=polling")
    path = f"/socket.io/?EIO=4&transport=polling&sid={json.loads(opening[1:])['sid']}"
    post = f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: {connection}\r\n"
    with_length = f"{post}Content-Length: 2\r\n\r\n40"
    chunked = f"{post}Transfer-Encoding: chunked\r\n\r\n1\r\n3\r\n0\r\n\r\n"
    after = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), 30) as link:
        link.sendall((with_length + chunked + after).encode())
        answers = b""
        while received := link.recv(65536):
            answers += received
    assert answers.count(b"HTTP/1.1 200") == 3
