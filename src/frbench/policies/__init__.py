"""The shelf of policies: what a force does about the loop, from a round on.

A policy answers four questions in every round; ``as_is.AsIs`` answers each as a force does that
does nothing, and the others depart from it in one of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from frbench.values import Float64s


@dataclass(frozen=True)
class Setting:
    """The threshold beside that of the start.

    Attributes:
        false_matches: factor on every group's FMR.
        recognised: factor on the TPIR.
    """

    false_matches: float = 1.0
    recognised: float = 1.0


class Policy(Protocol):
    """One policy."""

    name: str

    def deployed(self, at: int) -> bool:
        """Whether the matcher runs in round ``at``, counted from 0."""
        ...

    def threshold(self, at: int) -> Setting:
        """Where the threshold stands in that round."""
        ...

    def keeps_released(self, at: int) -> bool:
        """Whether images of people released without charge are kept; if not, old ones go too."""
        ...

    def trains_on(
        self, at: int, held: Float64s, population: Float64s, rng: np.random.Generator
    ) -> Float64s:
        """float64 [S, G]: shares that the matcher is trained on after the round.

        Args:
            at: the round.
            held: float64 [S, G], shares of the images held.
            population: float64 [G], shares of the residents.
            rng: for a policy that samples.
        """
        ...


def target_shares(name: str) -> Callable[[Float64s], Float64s]:
    """From the residents' shares (float64 [G]) to those that a policy trains on.

    Raises:
        ValueError: neither ``population`` nor ``equal``.
    """
    if name == "population":
        return lambda population: population
    if name == "equal":
        return lambda population: np.full_like(population, 1 / len(population))
    raise ValueError(f"target={name} is unknown; take population or equal")
