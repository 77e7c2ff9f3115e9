"""ChatNamespace: the chat's events on the wire, one method each: parse, ask the chat, answer."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from flask_socketio import Namespace

from chatapp.chat import wire
from chatapp.chat.client import Client, Gone
from chatapp.chat.rules import Chat
from chatapp.errors import ChatError, Internal, UnknownEvent
from chatapp.web.audience import connection_of

logger = logging.getLogger(__name__)


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
            client.resume(earlier)

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
