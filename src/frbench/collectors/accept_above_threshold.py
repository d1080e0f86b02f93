"""The matcher labels its own training data: images that raised an alert enter beside custody."""

from __future__ import annotations

from frbench.collectors import Collected, Events


class AcceptAboveThreshold:
    """Custody images, and an image of every alert, right or wrong.

    An alert is no arrest: its image counts among those of people who were not charged.
    """

    def collect(self, events: Events) -> Collected:
        """Arrests and alerts."""
        alerts = events.false_alerts + events.true_alerts
        return Collected(events.arrests - events.released, events.released + alerts)
