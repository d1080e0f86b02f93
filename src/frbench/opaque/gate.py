"""Gates: stop asking about a cell once its interval lies wholly on one side of the limit.

Looking several times at growing evidence must not raise the chance of a wrong decision. With K
planned looks each look's interval has level 1 - alpha / K; by Bonferroni's inequality the chance
that any of the K intervals misses the true rate is at most alpha, whatever the dependence between
looks. (Boundaries that use that dependence, as in group-sequential trials, need independent
increments; here the same persons come back at every look.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from frbench.cell_errors import PairErrors, PersonErrors, divide
from frbench.counted import Counted
from frbench.errors import InputError
from frbench.opaque.evidence import bounds, design_of, seen_heterogeneity2
from frbench.values import Bools, Float64s, Int64s, ScoreTally

Kind = Literal["FMR", "FNMR"]
Decision = Literal["below", "above", "undecided"]


@dataclass(frozen=True)
class Gate:
    """A limit that each cell's rate is held against at one fixed threshold.

    Attributes:
        limit: fraction; below it passes.
        threshold: score units, fixed before the run (the vendor's, or from an earlier run): one
            chosen on these very scores would make the decision circular.
        kind: FMR or FNMR.
        level: of the intervals, over all looks together.
        heterogeneity: coefficient of variation of single persons' false-match rates that is
            allowed for when the errors show less; ``inf`` assumes nothing.
    """

    limit: float
    threshold: float
    kind: Kind = "FMR"
    level: float = 0.95
    heterogeneity: float = 2.0

    def __post_init__(self) -> None:
        """Raises InputError for a gate that cannot be decided."""
        if not 0.0 < self.limit < 1.0:
            raise InputError(f"the gate's limit must lie between 0 and 1, not {self.limit:g}")
        if not 0.0 < self.level < 1.0:
            raise InputError(f"the gate's level must lie between 0 and 1, not {self.level:g}")
        if not np.isfinite(self.threshold):
            raise InputError("the gate's threshold must be a finite score")
        if not self.heterogeneity >= 0.0:
            raise InputError(
                f"the gate's heterogeneity must be at least 0, not {self.heterogeneity:g}"
            )
        if self.kind not in ("FMR", "FNMR"):
            raise InputError(f"the gate's kind must be FMR or FNMR, not {self.kind!r}")

    def tail(self, looks: int) -> float:
        """Probability on each side of the interval of one of ``looks`` looks."""
        return (1.0 - self.level) / (2.0 * looks)


@dataclass(frozen=True)
class Look:
    """What one look saw, per cell ([C]; the pooled cell last).

    ``own`` and ``shared`` are the cell's ``evidence.Design``, for saying what would be needed.
    """

    errors: Int64s
    comparisons: Int64s
    persons: Int64s
    rate: Float64s
    low: Float64s
    high: Float64s
    heterogeneity: Float64s
    own: Float64s
    shared: Float64s

    def take(self, new: Look, chosen: Bools) -> Look:
        """This look, with the chosen cells replaced by the newer one's."""
        return Look(
            *(
                np.where(chosen, getattr(new, name), getattr(self, name))
                for name in self.__dataclass_fields__
            )
        )


def look_at(found: PairErrors | PersonErrors, gate: Gate, looks: int) -> Look:
    """The interval of every cell at one of ``looks`` looks."""
    design = design_of(found)
    rate = divide(found.errors, found.comparisons)
    spread = np.maximum(gate.heterogeneity**2, seen_heterogeneity2(found, design))
    interval = bounds(rate, design, spread, np.asarray(gate.tail(looks)))
    return Look(
        found.errors,
        found.comparisons,
        found.subjects,
        rate,
        interval.low,
        interval.high,
        np.sqrt(spread),
        design.own,
        design.shared,
    )


@dataclass
class Referee:
    """Keeps the decisions of a run. A decided cell is closed and its last look kept.

    Attributes:
        gates: at most one of each kind.
        looks: planned.
        decided: by kind, int64 [C]: -1 below, 1 above, 0 undecided.
        seen: by kind, the last look of each cell.
        when: by kind, int64 [C], the round of the decision, -1 before.
    """

    gates: Sequence[Gate]
    looks: int
    cells: int
    decided: dict[Kind, Int64s] = field(default_factory=dict)
    seen: dict[Kind, Look] = field(default_factory=dict)
    when: dict[Kind, Int64s] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raises InputError for two gates of one kind."""
        kinds = [gate.kind for gate in self.gates]
        if len(set(kinds)) < len(kinds):
            raise InputError("one gate per kind of error: give one for FMR and one for FNMR")
        for kind in kinds:
            self.decided[kind] = np.zeros(self.cells, dtype=np.int64)
            self.when[kind] = np.full(self.cells, -1, dtype=np.int64)

    def open(self, kind: Kind) -> Bools:
        """bool [C]: cells that still need comparisons; all of them for a kind without a gate."""
        if kind not in self.decided:
            return np.ones(self.cells, dtype=np.bool_)
        return np.asarray(self.decided[kind] == 0)

    def look(self, round_number: int, tally: ScoreTally) -> None:
        """Decide what the comparisons so far decide. The pooled cell is never decided."""
        counted = Counted(tally)
        for gate in self.gates:
            found: PairErrors | PersonErrors
            if gate.kind == "FMR":
                found = counted.false_matches(gate.threshold)
            else:
                found = counted.false_non_matches(gate.threshold)
            new, still = look_at(found, gate, self.looks), self.open(gate.kind)
            old = self.seen.get(gate.kind, new)
            self.seen[gate.kind] = old.take(new, still)
            verdict = np.where(new.high <= gate.limit, -1, np.where(new.low > gate.limit, 1, 0))
            verdict[-1] = 0
            fresh = still & (verdict != 0)
            self.decided[gate.kind][fresh] = verdict[fresh]
            self.when[gate.kind][fresh] = round_number
