"""The page in front of a Socket.IO server whose answers a test sets.

Use it to test how the page handles malformed, missing and unexpected answers.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import socketio
from werkzeug.serving import make_server

from chatapp import create_app
from support.servers import free_port

NEVER = object()
"""An answer that the server never sends."""


def named(name: str, *_: Any) -> dict[str, Any]:
    return {"ok": True, "user": name, "token": "token"}


def read(asked: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return a valid answer to `join` or `history` in an empty room."""
    room = (asked or {}).get("room", "lobby")
    return {
        "ok": True,
        "room": room,
        "epoch": "e",
        "count": 0,
        "users": [],
        "messages": [],
        "more": False,
    }


def said(asked: dict[str, Any]) -> dict[str, Any]:
    return {"ok": True, "room": asked["room"], "id": 1, "at": 1}


class FaultyServer:
    """A Socket.IO server whose `answers` a test may replace; the default ones are valid.

    An answer, by event, is a value or a function of the arguments. `asked` counts the events.
    """

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.reset()
        self._sio = socketio.Server(async_mode="threading", async_handlers=False)
        self._sio.on("*", self._answer)
        app = socketio.WSGIApp(self._sio, create_app({"STORE": "memory:"}))
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._server = make_server("127.0.0.1", free_port(), app, threaded=True)
        self.url = f"http://127.0.0.1:{self._server.port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), daemon=True
        )
        self._thread.start()

    def reset(self) -> None:
        """Give valid answers again."""
        self.answers: dict[str, Any] = {
            "setUsername": named,
            "join": read,
            "history": read,
            "msg": said,
            "leave": lambda asked: {"ok": True, "room": asked["room"]},
            "typing": {"ok": True},
        }

    def emit(self, event: str, *arguments: Any) -> None:
        """Emit an event to all clients."""
        self._sio.emit(event, arguments)

    def disconnect_all(self) -> None:
        """Disconnect all clients with Socket.IO's DISCONNECT packet."""
        for sid, _ in list(self._sio.manager.get_participants("/", None)):
            self._sio.disconnect(sid)

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _answer(self, event: str, sid: str, *arguments: Any) -> Any:
        self.asked[event] += 1
        answer: Callable[..., Any] | Any = self.answers.get(event)
        answer = answer(*arguments) if callable(answer) else answer
        return self._sio.not_handled if answer is NEVER else (answer,)
