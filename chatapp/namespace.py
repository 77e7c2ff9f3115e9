"""ChatNamespace: the chat's events on the wire, one method each: parse, ask the chat, answer."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from flask_socketio import Namespace
from socketio import Server

from chatapp.chat import wire
from chatapp.chat.client import Client, Gone
from chatapp.chat.rules import Chat
from chatapp.errors import ChatError, Internal, UnknownEvent
from chatapp.transport.eio.session import Connection

logger = logging.getLogger(__name__)


class SocketAudience:
    """The chat's audience: the clients of a Socket.IO server (audience.Audience).

    The chat's rooms have names there that no client's own room can have.
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

    def hears(self, room: str) -> bool:
        return bool(self._server.manager.has_members(self._namespace, f"#{room}"))

    def send(self, client: str, event: str, *arguments: Any) -> None:
        self._server.emit(event, arguments, to=client, namespace=self._namespace)

    def tell(self, room: str, event: str, *arguments: Any, skip: str | None = None) -> None:
        where = {"to": f"#{room}", "namespace": self._namespace}
        self._server.emit(event, arguments, skip_sid=skip, **where)

    def later(self, seconds: float, call: Callable[[], Any]) -> None:
        self._server.eio.clock.call_later(seconds, partial(self._server.eio.spawn, call))

    def dismiss(self, client: str, event: str, refusal: ChatError) -> None:
        connection = self._connection(client)
        self.send(client, "refused", wire.refused(event, refusal))
        self._server.disconnect(client, self._namespace)
        if connection:
            connection.close(reason=self._server.reason.SERVER_DISCONNECT)

    def hand_over(self, client: str) -> None:
        if connection := self._connection(client):
            connection.hand_over()

    def close(self, client: str) -> None:
        if connection := self._connection(client):
            connection.close(reason=self._server.reason.SERVER_DISCONNECT)

    def close_all(self) -> None:
        self._server.eio.disconnect()

    def _connection(self, client: str) -> Connection | None:
        return connection_of(self._server, client, self._namespace)


def connection_of(server: Server, client: str, namespace: str) -> Connection | None:
    """What carries the client; None where it has gone, and for a test client."""
    eio_sid = server.manager.eio_sid_from_sid(client, namespace)
    connection: Connection | None = server.eio.sockets.get(eio_sid)
    return connection


class ChatNamespace(Namespace):  # type: ignore[misc]
    """The chat's events. Every refusal becomes an answer here, in `_refuse`."""

    def __init__(self, namespace: str, chat: Chat) -> None:
        super().__init__(namespace)
        self.chat = chat
        self._clients: dict[str, Client] = {}
        self._events: dict[str, tuple[type[wire.Request], Callable[[Client, Any], wire.Answer]]] = {
            "setUsername": (wire.SetUsername, self.on_setUsername),
            "msg": (wire.Msg, self.on_msg),
            "join": (wire.Join, self.on_join),
            "leave": (wire.Leave, self.on_leave),
            "history": (wire.History, self.on_history),
            "typing": (wire.Typing, self.on_typing),
        }

    def on_connect(self, sid: str) -> None:
        client = self._clients[sid] = self.chat.connect(sid)
        connection = connection_of(self.server, sid, self.namespace)
        if connection and (earlier := connection.session.get("client")):
            client.go_on(earlier)

    def on_disconnect(self, sid: str, reason: str) -> None:
        client = self._clients.pop(sid, None)
        if client:
            is_goodbye = reason == self.server.reason.CLIENT_DISCONNECT
            connection = connection_of(self.server, sid, self.namespace)
            if is_goodbye and connection:  # which may connect again
                connection.session["client"] = client
            self.chat.disconnect(client, Gone.GOODBYE if is_goodbye else Gone.BROKEN)

    def on_setUsername(self, client: Client, request: wire.SetUsername) -> wire.NameSet:
        return self.chat.name(client, request)

    def on_msg(self, client: Client, request: wire.Msg) -> wire.Said:
        return self.chat.say(client, request)

    def on_join(self, client: Client, request: wire.Join) -> wire.Joined:
        return self.chat.join(client, request)

    def on_leave(self, client: Client, request: wire.Leave) -> wire.Left:
        return self.chat.leave(client, request)

    def on_history(self, client: Client, request: wire.History) -> wire.Read:
        return self.chat.history(client, request)

    def on_typing(self, client: Client, request: wire.Typing) -> wire.Answer:
        return self.chat.typing(client, request)

    def trigger_event(self, event: str, sid: str, *arguments: Any) -> Any:
        """Dispatch what the server tells: no Flask context, as no handler needs one."""
        if event == "connect":
            return self.on_connect(sid)
        if event == "disconnect":
            return self.on_disconnect(sid, *arguments)
        return self._answer(event, sid, arguments)

    def reserved_event(self, event: str, sid: str, *arguments: Any) -> Any:
        """A client sent one of Socket.IO's reserved names as an event: no event of ours."""
        return self._answer(event, sid, arguments)

    def _answer(self, event: str, sid: str, arguments: tuple[Any, ...]) -> Any:
        client = self._clients.get(sid)
        if client is None:  # it has gone meanwhile
            return None
        try:
            return self.chat.turn(
                client, lambda: self._handle(client, event, arguments), beside=event == "msg"
            )
        except ChatError as refusal:
            return self._refuse(client, event, refusal)
        except Exception:
            logger.exception("the event %.40a failed", event)
            return self._refuse(client, event, Internal())

    def _handle(self, client: Client, event: str, arguments: tuple[Any, ...]) -> wire.Answer:
        known = self._events.get(event)
        if known is None:
            raise UnknownEvent
        request, handler = known
        return handler(client, request.parse(arguments))

    def _refuse(self, client: Client, event: str, refusal: ChatError) -> wire.Refusal:
        if isinstance(event, str):  # of a client's own making, so perhaps no Unicode
            event = event.encode(errors="replace").decode()
        if event == "setUsername":
            self.chat.audience.send(client.id, "userExists", str(refusal))
        told = wire.refused(event, refusal)
        self.chat.audience.send(client.id, "refused", told)
        return wire.Refusal(code=told.code, message=told.message, retryAfter=told.retryAfter)
