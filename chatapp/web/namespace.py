"""ChatNamespace: parses the events of clients, passes them to the chat, and answers."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from flask_socketio import Namespace

from chatapp.chat import wire
from chatapp.chat.client import Client, DisconnectReason
from chatapp.chat.event import Event
from chatapp.chat.rules import EVENTS, Chat
from chatapp.errors import ChatError, Internal, UnknownEvent
from chatapp.web.audience import connection_of

logger = logging.getLogger(__name__)

Handler = Callable[[Client, Any], wire.Answer]


class ChatNamespace(Namespace):  # type: ignore[misc]
    """The namespace of the chat. Every refusal becomes an answer here, in `_refuse`.

    Each event of rules.EVENTS is handled by the method `on_EVENT`, if the class has one, else by
    the chat. A subclass may define such methods, which take a client and a request.
    """

    def __init__(self, namespace: str, chat: Chat) -> None:
        super().__init__(namespace)
        self.chat = chat
        self._clients: dict[str, Client] = {}
        self._handlers: dict[str, Handler] = {
            name: getattr(self, f"on_{name}", chat.handle) for name in EVENTS
        }

    def on_connect(self, sid: str) -> None:
        client = self._clients[sid] = self.chat.connect(sid)
        connection = connection_of(self.server, sid, self.namespace)
        if connection and (earlier := connection.session.get("client")):
            client.resume(earlier)

    def on_disconnect(self, sid: str, reason: str) -> None:
        client = self._clients.pop(sid, None)
        if client:
            is_clean = reason == self.server.reason.CLIENT_DISCONNECT
            connection = connection_of(self.server, sid, self.namespace)
            if is_clean and connection:  # the session may join the namespace again
                connection.session["client"] = client
            self.chat.disconnect(
                client, DisconnectReason.CLEAN if is_clean else DisconnectReason.CONNECTION_LOST
            )

    def on_setUsername(self, client: Client, request: wire.SetUsername) -> wire.Answer:
        return self.chat.handle(client, request)

    def on_msg(self, client: Client, request: wire.Msg) -> wire.Answer:
        return self.chat.handle(client, request)

    def trigger_event(self, event: str, sid: str, *arguments: Any) -> Any:
        """Dispatch an event of the server. There is no Flask context, as no handler needs one."""
        if event == "connect":
            return self.on_connect(sid)
        if event == "disconnect":
            return self.on_disconnect(sid, *arguments)
        return self._answer(event, sid, arguments)

    def reserved_event(self, event: str, sid: str, *arguments: Any) -> Any:
        """Refuse an event whose name Socket.IO reserves."""
        return self._answer(event, sid, arguments)

    def _answer(self, event: str, sid: str, arguments: tuple[Any, ...]) -> Any:
        client = self._clients.get(sid)
        if client is None:  # it has disconnected meanwhile
            return None
        known = EVENTS.get(event)
        may_overlap = known is not None and known.may_overlap
        try:
            return self.chat.run(
                client, lambda: self._handle(client, known, arguments), overlaps=may_overlap
            )
        except ChatError as refusal:
            return self._refuse(client, event, refusal)
        except Exception:
            logger.exception("the event %.40a failed", event)
            return self._refuse(client, event, Internal())

    def _handle(
        self, client: Client, event: Event | None, arguments: tuple[Any, ...]
    ) -> wire.Answer:
        if event is None:
            raise UnknownEvent
        request = event.request
        return self._handlers[request.event](client, request.parse(arguments))

    def _refuse(self, client: Client, event: str, refusal: ChatError) -> wire.Refusal:
        if isinstance(event, str):  # may have unpaired surrogates, as the client chose it
            event = event.encode(errors="replace").decode()
        if event == "setUsername":
            self.chat.audience.send(client.id, "userExists", str(refusal))
        told = wire.refused(event, refusal)
        self.chat.audience.send(client.id, "refused", told)
        return wire.Refusal(code=told.code, message=told.message, retryAfter=told.retryAfter)
