"""The matcher is switched off for some rounds."""

from __future__ import annotations

from frbench.policies.as_is import AsIs


class Suspend(AsIs):
    """No alerts for some rounds; arrests for other reasons, and their images, go on.

    Args:
        first: first round without the matcher, counted from 0.
        rounds: how many; None is for good.
    """

    name = "suspend"

    def __init__(self, *, first: int = 5, rounds: int | None = None) -> None:
        self.first = first
        self.last = None if rounds is None else first + rounds

    def deployed(self, at: int) -> bool:
        """Before, and once the time is over."""
        return at < self.first or (self.last is not None and at >= self.last)
