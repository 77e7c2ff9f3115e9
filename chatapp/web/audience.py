"""The chat's audience over Socket.IO."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from socketio import Server

from chatapp.chat import wire
from chatapp.errors import ChatError
from chatapp.transport.eio.session import Session


class SocketAudience:
    """The clients of a Socket.IO server (chat.audience.Audience).

    Socket.IO puts each client into a room with the client's id as its name. The chat's rooms begin
    with `#`, so that their names differ from all ids.
    """

    def __init__(self, server: Server, namespace: str = "/") -> None:
        self._server = server
        self._namespace = namespace

    def enter(self, client: str, room: str) -> None:
        self._server.enter_room(client, f"#{room}", self._namespace)

    def leave(self, client: str, room: str) -> None:
        self._server.leave_room(client, f"#{room}", self._namespace)

    def is_in(self, client: str, room: str) -> bool:
        return f"#{room}" in self._server.rooms(client, self._namespace)

    def rooms(self, client: str) -> list[str]:
        rooms = self._server.rooms(client, self._namespace)
        return [room[1:] for room in rooms if room.startswith("#")]

    def has_members(self, room: str) -> bool:
        return bool(self._server.manager.has_members(self._namespace, f"#{room}"))

    def send(self, client: str, event: str, *arguments: Any) -> None:
        self._server.emit(event, arguments, to=client, namespace=self._namespace)

    def broadcast(self, room: str, event: str, *arguments: Any, skip: str | None = None) -> None:
        where = {"to": f"#{room}", "namespace": self._namespace}
        self._server.emit(event, arguments, skip_sid=skip, **where)

    def call_later(self, seconds: float, call: Callable[[], Any]) -> None:
        self._server.eio.runtime.clock.call_later(
            seconds, partial(self._server.eio.runtime.spawn, call)
        )

    def kick(self, client: str, event: str, refusal: ChatError) -> None:
        connection = self._connection(client)
        self.send(client, "refused", wire.refused(event, refusal))
        self._server.disconnect(client, self._namespace)
        if connection:
            connection.close(reason=self._server.reason.SERVER_DISCONNECT)

    def release(self, client: str) -> None:
        if connection := self._connection(client):
            connection.inbox.release()

    def close(self, client: str) -> None:
        if connection := self._connection(client):
            connection.close(reason=self._server.reason.SERVER_DISCONNECT)

    def close_all(self) -> None:
        self._server.eio.disconnect()

    def _connection(self, client: str) -> Session | None:
        return connection_of(self._server, client, self._namespace)


def connection_of(server: Server, client: str, namespace: str) -> Session | None:
    """Return the client's connection, or None if it has ended or is a test client's."""
    eio_sid = server.manager.eio_sid_from_sid(client, namespace)
    connection: Session | None = server.eio.sockets.get(eio_sid)
    return connection
