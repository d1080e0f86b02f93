"""The honest sentence: what a budget cannot show, and about how much more would."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from frbench.opaque.evidence import Design, bounds
from frbench.opaque.gate import Gate, Look
from frbench.values import Float64s

_MOST_PERSONS = 10_000_000


@dataclass(frozen=True)
class Need:
    """Comparisons and persons that would settle a gate, about."""

    comparisons: int
    persons: int


def planned_design(kind: str, comparisons: Float64s, persons: int, *, across: bool) -> Design:
    """The design of a plan that uses everybody equally often.

    With M comparisons and S persons everybody takes part in 2 M / S, so the sum of M_i^2 is
    4 M^2 / S; while no two persons meet twice the sum of m_ij^2 is M. ``across`` two groups the
    persons are those of both. Of one's own comparisons only the persons count.
    """
    if kind == "FNMR":
        return Design(np.full(len(comparisons), 1.0 / persons), np.zeros(len(comparisons)))
    most = persons**2 / 4 if across else persons * (persons - 1) / 2
    own = 1.0 / np.minimum(comparisons, most)
    return Design(own, np.maximum(4.0 / persons - 2.0 * own, 0.0))


def needed(
    gate: Gate, looks: int, *, rate: float, persons: int, heterogeneity: float, across: bool
) -> Need | None:
    """The fewest persons, and then the fewest comparisons, that settle it if ``rate`` is observed.

    It asks for more persons only where no number of comparisons between those at hand would do.
    None where the rate is so close to the limit that ten million persons do not settle it.
    """

    def settles(comparisons: int, crowd: int) -> bool:
        seen = bounds(
            np.array([rate]),
            planned_design(gate.kind, np.array([float(comparisons)]), crowd, across=across),
            np.array([heterogeneity**2]),
            np.asarray(gate.tail(looks)),
        )
        return bool(seen.high[0] <= gate.limit if rate <= gate.limit else seen.low[0] > gate.limit)

    def most(crowd: int) -> int:
        if gate.kind == "FNMR":
            return crowd
        return crowd**2 // 4 if across else crowd * (crowd - 1) // 2

    at_hand = max(persons, 2)
    crowd = _least(at_hand, _MOST_PERSONS, lambda n: settles(most(n), n))
    if crowd is None:
        return None
    return Need(_least(1, most(crowd), lambda n: settles(n, crowd)) or most(crowd), crowd)


def _least(low: int, high: int, holds: Callable[[int], bool]) -> int | None:
    """The smallest number in [low, high] for which a monotone condition holds, if any."""
    if low > high or not holds(high):
        return None
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return high


def undecided(gate: Gate, looks: int, look: Look, cell: int, names: tuple[str, str]) -> str:
    """Why a cell stays undecided, with numbers."""
    where, across = f"{names[0]} with {names[1]}", names[0] != names[1]
    claim = f"{gate.kind} <= {gate.limit:g} for {where}"
    comparisons, persons = int(look.comparisons[cell]), int(look.persons[cell])
    if comparisons == 0:
        return f"nothing was compared, so nothing can be said about {claim}"
    made = f"{comparisons:,} comparisons between {persons:,} persons"
    if gate.kind == "FNMR":
        made = f"{comparisons:,} mated comparisons of {persons:,} persons"
    level, errors = f"{100 * gate.level:g} %", int(look.errors[cell])
    clean = bounds(
        np.zeros(1),
        Design(look.own[[cell]], look.shared[[cell]]),
        np.array([gate.heterogeneity**2]),
        np.asarray(gate.tail(looks)),
    ).high[0]
    hopeless = bool(clean > gate.limit)
    need = needed(
        gate,
        looks,
        rate=0.0 if hopeless else errors / comparisons,
        persons=persons,
        heterogeneity=gate.heterogeneity if hopeless else float(look.heterogeneity[cell]),
        across=across,
    )
    if hopeless:
        return (
            f"{made} cannot show {claim}: with no error at all the {level} upper bound is "
            f"{clean:.2g} ({errors:,} seen); even then {_wish(gate, need)}"
        )
    return (
        f"{made} do not settle {claim}: {errors:,} errors, {level} interval "
        f"{look.low[cell]:.2g} to {look.high[cell]:.2g}; at this rate {_wish(gate, need)}"
    )


def _wish(gate: Gate, need: Need | None) -> str:
    if need is None:
        return f"even {_MOST_PERSONS:,} persons would not settle it"
    if gate.kind == "FNMR":
        return f"about {_round_up(need.persons):,} persons would be needed"
    return (
        f"about {_round_up(need.comparisons):,} comparisons between "
        f"{_round_up(need.persons):,} persons would be needed"
    )


def _round_up(number: int) -> int:
    """Two significant digits, never less than the number."""
    step = int(10 ** max(len(str(number)) - 2, 0))
    return -(-number // step) * step
