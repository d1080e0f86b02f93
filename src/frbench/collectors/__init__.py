"""The shelf of collectors: which images of a round enter the store that is trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from frbench.values import Float64s


@dataclass(frozen=True)
class Events:
    """What happened in a round, each float64 [S, G].

    Attributes:
        false_alerts, true_alerts: alerts of the matcher.
        false_stops, true_stops: stops that followed.
        arrests: all arrests.
        released: of these, people released without charge.
    """

    false_alerts: Float64s
    true_alerts: Float64s
    false_stops: Float64s
    true_stops: Float64s
    arrests: Float64s
    released: Float64s


@dataclass(frozen=True)
class Collected:
    """New images, float64 [S, G] each.

    Attributes:
        charged: images that may be kept.
        released: images of people who were not charged, or never arrested.
    """

    charged: Float64s
    released: Float64s


class Collector(Protocol):
    """One way of collecting."""

    def collect(self, events: Events) -> Collected:
        """The images of a round."""
        ...
