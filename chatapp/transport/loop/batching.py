"""Writes of one iteration of the event loop, which are made together at its end."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from typing import Any, Protocol

from chatapp.transport.loop.outbox import Outbox, Tasks


class Members(Container["BatchedOutbox"], Iterable["BatchedOutbox"], Protocol):
    """The recipients of a broadcast. Equal sets are not the same: they are told apart by `id`."""

    def __len__(self) -> int: ...


class BatchedOutbox(Outbox):
    """An outbox whose frames are written at once, at the end of the loop's iteration."""

    __slots__ = ("_batch", "own_frames", "seen")

    def __init__(
        self, sock: Any, tasks: Tasks, on_cut: Callable[[], Any], batch: WriteBatch
    ) -> None:
        super().__init__(sock, tasks, on_cut)
        self._batch = batch
        self.own_frames: list[bytes] | None = None
        """All its frames of this batch if they aren't just those of one broadcast's members."""
        self.seen = 0
        """The number of broadcasts of this batch that `own_frames` takes into account."""

    def write(self, data: bytes) -> None:
        """Write a frame at the end of the batch, after all that was written before it."""
        self._batch.write(self, data)

    def finish(self, last: bytes) -> None:
        self._batch.catch_up(self)
        self.flush()
        super().finish(last)

    def flush(self) -> None:
        """Write `own_frames` now."""
        if self.own_frames:
            data = b"".join(self.own_frames)
            self.own_frames.clear()
            super().write(data)


class WriteBatch:
    """The frames of one iteration of the loop, with their recipients.

    The frames of broadcasts to the same members are joined once. An outbox has frames of its own if
    it is written to by itself, or enters or leaves a set of members. It first gets the earlier
    broadcasts, so all recipients see the same order. `defer(call)` has `call()` called
    at the end of the iteration.
    """

    def __init__(self, defer: Callable[[Callable[[], None]], Any]) -> None:
        self._defer = defer
        self._broadcasts: list[tuple[Members, bytes]] = []
        self._separate: list[BatchedOutbox] = []
        self._ending = False

    def broadcast(self, members: Members, frame: bytes) -> None:
        """Write `frame` to all `members`."""
        self._broadcasts.append((members, frame))
        self._end_later()

    def broadcast_except(
        self, members: Members, frame: bytes, skipped: Iterable[BatchedOutbox]
    ) -> None:
        """Write `frame` to all `members` except `skipped`."""
        for outbox in skipped:
            self._own_frames(outbox)
        self.broadcast(members, frame)
        for outbox in skipped:
            outbox.seen += 1

    def write(self, outbox: BatchedOutbox, frame: bytes) -> None:
        """Write `frame` to `outbox` alone."""
        self._own_frames(outbox).append(frame)
        self._end_later()

    def catch_up(self, outbox: BatchedOutbox) -> None:
        """Add the broadcasts so far to the frames of `outbox`.

        Call this before `outbox` enters or leaves a set of members.
        """
        if self._broadcasts:
            self._own_frames(outbox)

    def _own_frames(self, outbox: BatchedOutbox) -> list[bytes]:
        """Return the outbox's own frames, which begin with the broadcasts so far."""
        frames = outbox.own_frames
        if frames is None:
            frames = outbox.own_frames = []
            self._separate.append(outbox)
        broadcasts = self._broadcasts
        if outbox.seen < len(broadcasts):
            frames += [frame for members, frame in broadcasts[outbox.seen :] if outbox in members]
            outbox.seen = len(broadcasts)
        return frames

    def _end_later(self) -> None:
        if not self._ending:
            self._ending = True
            self._defer(self.end)

    def end(self) -> None:
        """Write everything."""
        groups = list({id(members): members for members, _ in self._broadcasts}.values())
        if len(groups) > 1:
            self._separate_common_members(groups)
        for outbox in self._separate:
            self._own_frames(outbox)
        broadcasts, self._broadcasts = self._broadcasts, []
        separate, self._separate = self._separate, []
        self._ending = False
        for group in groups:
            write_to_all(group, b"".join([f for members, f in broadcasts if members is group]))
        for outbox in separate:
            outbox.flush()
            outbox.own_frames = None
            outbox.seen = 0

    def _separate_common_members(self, groups: list[Members]) -> None:
        """Give own frames to the outboxes that are in several groups."""
        met: set[BatchedOutbox] = set()
        for group in groups:
            for outbox in met.intersection(group):
                self._own_frames(outbox)
            met.update(group)


def write_to_all(members: Iterable[BatchedOutbox], data: bytes) -> None:
    """Write `data` to all members without own frames.

    It runs once for each recipient, so each attribute look-up in it costs.
    """
    size = len(data)
    for outbox in members:
        if outbox.own_frames is None:
            try:
                sent = outbox.send(data)
            except OSError:
                sent = 0
            if sent < size:
                outbox.keep(data, sent)
