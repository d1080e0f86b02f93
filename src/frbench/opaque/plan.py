"""Which comparisons to ask of a slow matcher: so many per cell, everybody used equally often."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from frbench.cell_errors import PairErrors, PersonErrors
from frbench.counted import Counted
from frbench.errors import InputError
from frbench.opaque.blocks import Block, OwnBlock, Runs, interleave
from frbench.opaque.budget import PerCell, numbers
from frbench.opaque.evidence import design_of
from frbench.trials import Cells
from frbench.values import Bools, Floats, Int16s, Int32s, Int64s, ScoredPairs, ScoreTally


@dataclass(frozen=True)
class Plan:
    """Comparisons to ask, in rounds; M of them.

    Attributes:
        groups, subject, group, stratum, enrolled, policy, ordered: as in ScoreTally, N images.
        first, second: int32 [M], image numbers, sorted by round; the first is the probe.
        cell: int16 [M], position in ``Cells``.
        mated: bool [M].
        round: int16 [M], 0 to ``rounds`` - 1.
        rounds: looks that sequential stopping may take.
        possible: int64 [2, C], comparisons the set offers: non-mated, then mated.
    """

    groups: tuple[str, ...]
    subject: Int32s
    group: Int16s
    stratum: Int16s
    enrolled: Bools
    policy: str
    ordered: bool
    first: Int32s
    second: Int32s
    cell: Int16s
    mated: Bools
    round: Int16s
    rounds: int
    possible: Int64s

    def __len__(self) -> int:
        return len(self.first)

    @property
    def cells(self) -> Cells:
        """The layout of tables of rates."""
        return Cells(self.groups, self.ordered)

    @property
    def planned(self) -> Int64s:
        """int64 [2, C]: comparisons planned, non-mated and mated; the pooled cell last."""
        count = np.zeros((2, len(self.cells)), dtype=np.int64)
        np.add.at(count, (self.mated.astype(np.int64), self.cell), 1)
        count[:, -1] = count.sum(axis=1)
        return count

    def tally(self, asked: Bools | Int64s, score: Floats) -> ScoreTally:
        """The chosen comparisons with their scores (NaN: failed), for every later stage."""
        listed = ScoredPairs(self.first[asked], self.second[asked], score)
        mated, done = self.mated[asked], ~np.isnan(score)
        return ScoreTally(
            groups=self.groups,
            subject=self.subject,
            group=self.group,
            stratum=self.stratum,
            enrolled=self.enrolled,
            mated=listed.take(mated & done),
            tail=listed.take(~mated & done),
            floor=-np.inf,
            policy=self.policy,
            ordered=self.ordered,
            listed=listed,
            work={"engine": "opaque comparator", "comparisons": len(listed)},
        )

    def table(self, *, rate: float = 1e-3, heterogeneity: float = 2.0) -> pd.DataFrame:
        """A row per kind and cell: planned and possible comparisons, persons, design effect.

        ``design_effect`` is what to expect at the given rate if the rates of single persons have
        the given coefficient of variation (``evidence``): comparisons over effective ones.
        """
        counted = Counted(self.tally(np.arange(len(self)), np.full(len(self), np.nan)))
        found: list[PairErrors | PersonErrors] = [
            counted.false_matches(np.inf),
            counted.mated_attempted,
        ]
        tables = []
        for row, errors in enumerate(found):
            design = design_of(errors)
            effective = design.effective(np.full(len(self.cells), rate), heterogeneity**2)
            with np.errstate(divide="ignore", invalid="ignore"):
                effect = errors.comparisons / effective
            columns = {
                "kind": "FMR" if row == 0 else "FNMR",
                "probe_group": [one for one, _ in self.cells.names],
                "reference_group": [other for _, other in self.cells.names],
                "planned": errors.comparisons,
                "possible": self.possible[row],
                "persons": errors.subjects,
                "sharing_nobody": errors.independent,
                "design_effect": effect,
            }
            tables.append(pd.DataFrame(columns))
        return pd.concat(tables, ignore_index=True)

    def digest(self) -> str:
        """SHA-256 of the comparisons and rounds, for checkpoints and records."""
        found = hashlib.sha256(repr((self.groups, self.ordered, self.rounds)).encode())
        for part in (self.first, self.second, self.round, self.enrolled, self.subject, self.group):
            found.update(np.ascontiguousarray(part).tobytes())
        return found.hexdigest()


def plan_comparisons(
    faces: pd.DataFrame,
    enrolled: Bools,
    *,
    budget: int,
    per_cell: PerCell | None = None,
    mated: Literal["all"] | int = "all",
    rounds: int = 8,
    roles: bool = False,
    stratum: Int16s | None = None,
    policy: str = "all",
    rng: np.random.Generator,
) -> Plan:
    """Choose comparisons: mated ones, and non-mated ones spread over the cells.

    No comparison is planned twice, none of an image with itself. Within a cell (and stratum)
    every person is used equally often up to one, and no pair of persons a second time before
    every pair had its first. Images that failed to enrol take part, since a failed comparison
    is an attempted one; it is never asked. The last round holds half of each cell, the one
    before a quarter, and so on: looks are cheap early and doubled evidence apart.

    Args:
        faces: FaceTable with ``subject_id`` and the categorical ``group``, N rows.
        enrolled: bool [N].
        budget: comparisons in all, mated ones included; what exceeds the possible is not planned.
        per_cell: non-mated comparisons of every cell that offers any, or by (probe group,
            reference group), absent cells getting none. Default: the budget in equal shares,
            what a small cell cannot use passing to the others.
        mated: all mated comparisons, or at most this many per cell, over as many persons as
            possible.
        rounds: looks for sequential stopping.
        roles: True for an asymmetric matcher: (probe, reference) and its reverse are two
            comparisons, and so are the cells.
        stratum, policy: as in ScoreTally; a non-mated comparison stays within a stratum.
        rng: the plan follows from it.

    Raises InputError where the set does not offer what is asked.
    """
    group: Int64s = np.asarray(faces["group"].cat.codes, dtype=np.int64)
    subject: Int64s = np.asarray(pd.factorize(faces["subject_id"])[0], dtype=np.int64)
    own_stratum = np.zeros(len(faces), np.int16) if stratum is None else stratum
    groups = tuple(str(name) for name in faces["group"].cat.categories)
    if len(enrolled) != len(faces):
        raise InputError(
            f"the plan got {len(faces)} faces and {len(enrolled)} enrolment statuses; give one each"
        )
    if budget < 1 or rounds < 1:
        raise InputError(f"a budget of {budget} comparisons in {rounds} rounds plans nothing")
    cells = Cells(groups, roles)
    others = _non_mated(subject, group, own_stratum.astype(np.int64), cells, rng)
    own = _mated(subject, group, cells, rng)
    possible = np.zeros((2, len(cells)), dtype=np.int64)
    possible[0, :-1] = [sum(block.capacity for block in blocks) for blocks in others]
    possible[1, :-1] = [block.capacity for block in own]
    possible[:, -1] = possible.sum(axis=1)
    wanted = numbers(cells, possible, budget, per_cell, mated)
    drawn = [interleave(blocks, n) for blocks, n in zip(others, wanted[0], strict=True)]
    drawn += [block.draw(n) for block, n in zip(own, wanted[1], strict=True)]
    counts = [len(first) for first, _ in drawn]
    when = np.concatenate([_rounds(count, rounds) for count in counts])
    order = np.argsort(when, kind="stable")
    return Plan(
        groups=groups,
        subject=subject.astype(np.int32),
        group=group.astype(np.int16),
        stratum=own_stratum,
        enrolled=np.asarray(enrolled, dtype=np.bool_),
        policy=policy,
        ordered=roles,
        first=np.concatenate([first for first, _ in drawn]).astype(np.int32)[order],
        second=np.concatenate([second for _, second in drawn]).astype(np.int32)[order],
        cell=np.repeat(np.tile(np.arange(len(cells) - 1), 2), counts).astype(np.int16)[order],
        mated=np.repeat(np.repeat([False, True], len(cells) - 1), counts)[order],
        round=when[order].astype(np.int16),
        rounds=rounds,
        possible=possible,
    )


def _non_mated(
    subject: Int64s, group: Int64s, stratum: Int64s, cells: Cells, rng: np.random.Generator
) -> list[list[Block]]:
    """The blocks of every cell, one per stratum in which both its groups occur."""
    strata, place = np.unique(stratum, return_inverse=True)
    label = place.reshape(-1) * len(cells.groups) + group
    runs = Runs.of(subject, label, rng)
    members = {int(name): np.flatnonzero(runs.label == name) for name in np.unique(runs.label)}
    found: list[list[Block]] = []
    for a, b in cells.sides:
        blocks = []
        for base in range(0, len(strata) * len(cells.groups), len(cells.groups)):
            if base + a not in members or base + b not in members:
                continue
            left = rng.permutation(members[base + a])
            right = None if a == b else rng.permutation(members[base + b])
            blocks.append(Block(runs, left, right, 2 if a == b and cells.ordered else 1))
        found.append([block for block in blocks if block.capacity])
    return found


def _mated(
    subject: Int64s, group: Int64s, cells: Cells, rng: np.random.Generator
) -> list[OwnBlock]:
    """The mated comparisons of every cell, the persons in a random order."""
    runs = Runs.of(subject, group, rng)
    members = [np.flatnonzero(runs.label == name) for name in range(len(cells.groups))]
    found = []
    for a, b in cells.sides:
        _, one, other = np.intersect1d(
            runs.person[members[a]], runs.person[members[b]], return_indices=True
        )
        order = rng.permutation(len(one))
        left, right = members[a][one][order], members[b][other][order]
        found.append(OwnBlock(runs, left, right, 2 if a == b and cells.ordered else 1))
    return found


def _rounds(count: int, rounds: int) -> Int64s:
    """The round of each of ``count`` comparisons: round k ends at count / 2^(rounds - 1 - k)."""
    ends = -(-count // 2 ** np.arange(rounds - 1, -1, -1, dtype=np.int64))
    return np.searchsorted(ends, np.arange(count), side="right").astype(np.int64)
