"""A limit on what one connection may send, of any kind, below all protocols."""

from __future__ import annotations

from typing import NamedTuple

BYTES_PER_UNIT = 1024


class MeterRate(NamedTuple):
    """A rate of `units` in `seconds`, which may be used at once or spread (see `units_of`).

    A connection's meter is one number: the time at which its bucket is full again. This is the
    generic cell rate algorithm (ITU-T I.371, appendix A). An idle connection stays small that way.
    """

    units: int
    seconds: float

    def spend(self, full: float, units: int, now: float) -> float:
        """Return the meter that was `full` after `units` are spent."""
        return max(full, now) + units * self.seconds / self.units

    def is_over(self, full: float, now: float) -> bool:
        """Return whether more was spent than the rate allows."""
        return full - now > self.seconds


def units_of(size: int, packets: int) -> int:
    """Return how many units a read of `size` bytes costs.

    Each frame, packet or request in it costs one, and so does each KiB; a read costs at least one.
    """
    return max(1, packets) + size // BYTES_PER_UNIT
