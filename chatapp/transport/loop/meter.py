"""How much one connection may send, of whatever kind: a security limit below all protocols."""

from __future__ import annotations

from typing import NamedTuple

BYTES_PER_UNIT = 1024


class MeterRate(NamedTuple):
    """`units` in `seconds`, all at once or spread (see `units_of`).

    A connection's meter is one number, the time at which its bucket is full again (the generic cell
    rate algorithm, ITU-T I.371, appendix A), so that an idle connection holds no more than that.
    """

    units: int
    seconds: float

    def spend(self, full: float, units: int, now: float) -> float:
        """Return what a meter becomes that stood at `full` when `units` are taken."""
        return max(full, now) + units * self.seconds / self.units

    def is_over(self, full: float, now: float) -> bool:
        """Whether more has been taken than there was."""
        return full - now > self.seconds


def units_of(size: int, packets: int) -> int:
    """Return what a read of `size` bytes counts that brought so many frames, packets or requests:
    one for each of these and for each KiB, and at least one."""
    return max(1, packets) + size // BYTES_PER_UNIT
