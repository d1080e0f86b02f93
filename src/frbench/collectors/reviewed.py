"""A person looks at every image before it enters: those of people released are mostly left out."""

from __future__ import annotations

from frbench.collectors import Collected, Events


class Reviewed:
    """Custody images after review.

    Args:
        overlooked: share of images of released people that the review lets through.
    """

    def __init__(self, *, overlooked: float = 0.05) -> None:
        if not 0 <= overlooked <= 1:
            raise ValueError(f"overlooked={overlooked} must lie between 0 and 1")
        self.overlooked = overlooked

    def collect(self, events: Events) -> Collected:
        """Arrests with a charge, and what was overlooked."""
        return Collected(events.arrests - events.released, events.released * self.overlooked)
