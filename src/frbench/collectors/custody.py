"""One image of every person arrested, whatever became of them: the guidance's example."""

from __future__ import annotations

from frbench.collectors import Collected, Events


class Custody:
    """Custody images."""

    def collect(self, events: Events) -> Collected:
        """Arrests, by whether they ended without charge."""
        return Collected(events.arrests - events.released, events.released)
