"""A session's messages wait in its inbox."""

from __future__ import annotations

import threading

from chatapp.transport.eio.inbox import MAX_WAITING
from chatapp.transport.eio.server import EngineServer
from chatapp.transport.eio.session import Session


class WebSocketTransport:
    """Records whether the session reads."""

    reading = True

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def write(self, data: bytes) -> None: ...
    def close(self, code: int) -> None: ...


class Workers:
    def run(self, call) -> None:
        threading.Thread(target=call).start()


def test_websocket_with_64_waiting_messages_is_not_read():
    """docs/wire.md, Bounds."""
    server = EngineServer()
    server.runtime.workers = Workers()  # messages are handled beside the reading
    handled, turns, done = [], threading.Semaphore(0), threading.Semaphore(0)
    begun = threading.Event()

    def handle(sid, message):
        begun.set()
        turns.acquire(timeout=10)
        handled.append(message)
        done.release()

    server.on("message", handle)
    session = Session(server.runtime, server, "sid", "127.0.0.1")
    websocket = WebSocketTransport()
    session.attach(websocket)
    messages = [f"event {n}" for n in range(MAX_WAITING + 1)]
    for message in messages:
        assert websocket.reading
        session.received("4" + message)
        assert begun.wait(10)
    assert not websocket.reading
    for _ in range(2):
        turns.release()
        assert done.acquire(timeout=10)
    assert handled == messages[:2]
    turns.release(MAX_WAITING)
    for _ in messages[2:]:
        assert done.acquire(timeout=10)
    assert handled == messages
    assert websocket.reading
    session.close()
