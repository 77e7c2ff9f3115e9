"""The broadcaster of a cluster: each event is one PUBLISH on its room's channel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from chatapp.chat.audience import Audience
from chatapp.chat.broadcaster import Broadcaster
from chatapp.store.batch import Batches
from chatapp.store.redis.log import RedisLog
from chatapp.store.redis.scripts import channel
from chatapp.store.redis.subscriber import Broadcast


class RedisBroadcaster(Broadcaster):
    """Publish events over the Redis of `log`, and deliver them to this node's clients.

    This node's own events come back over its subscription, which it has for each room that one of
    its clients is in. So its clients get events in the same order as those of other nodes.
    """

    def __init__(self, log: RedisLog, audience: Audience) -> None:
        self._log = log
        self._audience = audience
        self._batches: Batches[tuple[str, bytes], int] = Batches(self._write, lambda _: None)
        log.feed.on_broadcast(self._deliver)

    def publish(self, room: str, event: str, *arguments: Any, skip: str | None = None) -> None:
        text = msgspec.json.encode(arguments).decode()
        packed = msgspec.msgpack.encode(Broadcast(self._log.epoch, event, text, skip or ""))
        self._batches.append((channel(room), packed))

    def _write(self, publications: list[tuple[str, bytes]]) -> Sequence[tuple[int, bool]]:
        """Publish all in one round trip; the answers are how many nodes each has reached."""
        pipeline = self._log.server.client.pipeline(transaction=False)
        for publication in publications:
            pipeline.publish(*publication)
        return [(nodes, False) for nodes in self._log.query(pipeline.execute)]

    def _deliver(self, room: str, event: str, arguments: list[Any], skip: str) -> None:
        self._audience.broadcast(room, event, *arguments, skip=skip or None)
