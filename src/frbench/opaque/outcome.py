"""What a run of an opaque comparator found, decided, could not show, and cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from frbench.opaque.checkpoint import Repeats
from frbench.opaque.gate import Decision, Gate, Look, Referee
from frbench.opaque.needed import undecided
from frbench.opaque.plan import Plan
from frbench.values import ScoreTally


@dataclass(frozen=True)
class Verdict:
    """One gate on one cell.

    Attributes:
        kind: FMR or FNMR.
        probe_group, reference_group: the cell.
        decision: ``below`` the limit, ``above`` it, or ``undecided``.
        round: number of the deciding round, from 1; 0 while undecided.
        errors, comparisons, persons: behind it, failed comparisons included.
        rate, low, high: fraction, with the interval that stays valid under the gate's looks.
        limit, level, threshold: of the gate.
        heterogeneity: allowed for in the interval.
        sentence: the same in words; for ``undecided``, what would be needed.
    """

    kind: str
    probe_group: str
    reference_group: str
    decision: Decision
    round: int
    errors: int
    comparisons: int
    persons: int
    rate: float
    low: float
    high: float
    limit: float
    level: float
    threshold: float
    heterogeneity: float
    sentence: str


@dataclass(frozen=True)
class Outcome:
    """The end of a run.

    Attributes:
        tally: the comparisons of all finished rounds, for ``error_rates`` and later stages.
        verdicts: one per gate and cell.
        planned, asked: comparisons; what was saved is the difference.
        calls: of the comparator, repeats and retries included.
        failures: failed comparisons by reason.
        repeats: comparisons asked twice.
        stopped: why the run ended early, or "".
    """

    tally: ScoreTally
    verdicts: tuple[Verdict, ...]
    planned: int
    asked: int
    calls: int
    failures: Mapping[str, int]
    repeats: Repeats
    stopped: str = ""

    def table(self) -> pd.DataFrame:
        """A row per verdict."""
        return pd.DataFrame([asdict(verdict) for verdict in self.verdicts])


def verdicts(plan: Plan, referee: Referee) -> tuple[Verdict, ...]:
    """The decisions of all gates; of mated comparisons only cells that have any planned."""
    found = []
    for gate in referee.gates:
        planned = plan.planned[int(gate.kind == "FNMR")]
        for cell, (a, b) in enumerate(plan.cells.names[:-1]):
            if planned[cell] or (gate.kind == "FMR") or a == b:
                found.append(_verdict(plan, referee, gate, cell))
    return tuple(found)


def _verdict(plan: Plan, referee: Referee, gate: Gate, cell: int) -> Verdict:
    names = plan.cells.names[cell]
    look = referee.seen.get(gate.kind, _nothing(len(plan.cells)))
    decisions: dict[int, Decision] = {-1: "below", 0: "undecided", 1: "above"}
    decision = decisions[int(referee.decided[gate.kind][cell])]
    errors, comparisons = int(look.errors[cell]), int(look.comparisons[cell])
    low, high = float(look.low[cell]), float(look.high[cell])
    if decision == "undecided":
        sentence = undecided(gate, plan.rounds, look, cell, names)
    else:
        sentence = (
            f"{gate.kind} of {names[0]} with {names[1]} is {decision} {gate.limit:g}: {errors:,} "
            f"errors in {comparisons:,} comparisons between {int(look.persons[cell]):,} persons, "
            f"{100 * gate.level:g} % interval {low:.2g} to {high:.2g}"
        )
    return Verdict(
        kind=gate.kind,
        probe_group=names[0],
        reference_group=names[1],
        decision=decision,
        round=int(referee.when[gate.kind][cell]) + 1,
        errors=errors,
        comparisons=comparisons,
        persons=int(look.persons[cell]),
        rate=float(look.rate[cell]),
        low=low,
        high=high,
        limit=gate.limit,
        level=gate.level,
        threshold=gate.threshold,
        heterogeneity=float(look.heterogeneity[cell]),
        sentence=sentence,
    )


def _nothing(cells: int) -> Look:
    """The look of a run that finished no round."""
    zero, nan = np.zeros(cells, dtype=np.int64), np.full(cells, np.nan)
    return Look(zero, zero, zero, nan, np.zeros(cells), np.ones(cells), nan, nan, nan)
