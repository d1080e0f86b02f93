"""Which counts are held back: small ones, and others that would give them away by subtraction.

A count is small when it is between 1 and k - 1. What stays in a bundle is what an attacker has: the
published cells, the margins, that counts are whole numbers from 0 to the comparisons made, and that
a higher threshold never gives more errors. A held-back count is protected when these leave at
least k + 1 possible values for it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import optimize, sparse

from frbench.values import Bools, Float64s, Int64s


@dataclass(frozen=True)
class CountTable:
    """Counts of one kind of error.

    Attributes:
        errors: int64 [P, C]: operating points in the order of rising thresholds, cells.
        comparisons: int64 [C].
        margins: bool [R, C]: which cells a margin adds up; the last one adds up all.
        exposed: bool [C]: cells whose comparisons are published.
    """

    errors: Int64s
    comparisons: Int64s
    margins: Bools
    exposed: Bools

    @property
    def totals(self) -> Int64s:
        """int64 [P, R]: the margins' errors."""
        return np.asarray(self.errors @ self.margins.T.astype(np.int64))

    def small(self, k: int) -> Bools:
        """bool [P, C]: fewer than k errors but some, or fewer than k correct decisions but some."""
        right = self.comparisons - self.errors
        few = (self.errors > 0) & (self.errors < k)
        return np.asarray(few | ((right > 0) & (right < k)))


@dataclass(frozen=True)
class Suppression:
    """What is held back: bool [P, C] of the cells' errors and bool [P, R] of the margins'."""

    cells: Bools
    margins: Bools


def suppress(table: CountTable, k: int, *, sensitive: Bools | None = None) -> Suppression:
    """The counts to hold back so that every small or ``sensitive`` one is protected.

    Margins of a group give way first, then the cells with the fewest errors, then the total.

    Args:
        table: the counts.
        k: smallest count that may be shown, at least 2.
        sensitive: bool [C]: cells to be held back whatever they count, such as those of a group of
            few persons.
    """
    secret = table.small(k)
    if sensitive is not None:
        secret = secret | sensitive[None, :]
    totals = table.totals
    margins = (totals > 0) & (totals < k)
    if sensitive is not None:
        # the margin of a group of few persons would tell its size
        alone = np.array([bool(row.any() and sensitive[row].all()) for row in table.margins])
        margins |= alone[None, :]
    held = Suppression(secret.copy(), margins)
    while (weak := _unprotected(table, held, secret, k)) is not None:
        held = _more(table, held, *weak)
    return held


def possible(table: CountTable, held: Suppression, point: int, cell: int) -> tuple[int, int]:
    """Lowest and highest whole number that a held-back count can be, given all that is shown.

    An integer programme over all held-back counts of all operating points at once.
    """
    system = _System.of(table, held)
    return system.extreme(point, cell, lowest=True), system.extreme(point, cell, lowest=False)


def _unprotected(
    table: CountTable, held: Suppression, secret: Bools, k: int
) -> tuple[int, int] | None:
    """The first secret count that has fewer than k + 1 possible values, or None."""
    system = _System.of(table, held)
    for point, cell in np.argwhere(secret):
        if held.margins[: point + 1].all() and held.cells[:, cell].all():
            continue  # nothing that is shown bounds it from above
        high = system.extreme(point, cell, lowest=False)
        if high < k or high - system.extreme(point, cell, lowest=True) < k:
            return int(point), int(cell)
    return None


def _more(table: CountTable, held: Suppression, point: int, cell: int) -> Suppression:
    """Holds one more count back for the sake of a secret one."""
    cells, margins = held.cells.copy(), held.margins.copy()
    groups = table.margins[:-1, cell] & ~margins[point, :-1]
    if groups.any():
        margins[point, :-1] |= groups
        return Suppression(cells, margins)
    shown = np.flatnonzero(~cells[point])
    if len(shown) and not margins[point, -1]:
        counts = table.errors[point, shown]
        # a zero protects nothing, so the smallest count above it goes first
        order = np.lexsort((counts, counts == 0))
        cells[point, shown[order[0]]] = True
        return Suppression(cells, margins)
    if not margins[point, -1]:
        margins[point, -1] = True
    elif not cells[:, cell].all():
        # the same cell at other thresholds still bounds it
        cells[:, cell] = True
    else:
        margins[: point + 1] = True
    return Suppression(cells, margins)


@dataclass(frozen=True)
class _System:
    """Everything that an attacker knows, as constraints on the held-back counts."""

    variable: Int64s
    low: Float64s
    high: Float64s
    constraints: tuple[optimize.LinearConstraint, ...]

    @classmethod
    def of(cls, table: CountTable, held: Suppression) -> _System:
        points, cells = table.errors.shape
        variable = np.full((points, cells), -1, dtype=np.int64)
        variable[held.cells] = np.arange(int(held.cells.sum()))
        low, high = _bounds(table, held)
        rows: list[tuple[dict[int, float], float, float]] = []
        for point in range(points):
            for margin in np.flatnonzero(~held.margins[point]):
                inside = table.margins[margin] & held.cells[point]
                if inside.any():
                    rest = float(table.errors[point, inside].sum())
                    rows.append(({int(v): 1.0 for v in variable[point, inside]}, rest, rest))
            if point:
                both = held.cells[point] & held.cells[point - 1]
                rows += [
                    ({int(variable[point - 1, c]): 1.0, int(variable[point, c]): -1.0}, 0.0, np.inf)
                    for c in np.flatnonzero(both)
                ]
        return cls(variable, low, high, _linear(rows, int(held.cells.sum())))

    def extreme(self, point: int, cell: int, *, lowest: bool) -> int:
        """The least or the greatest value of one count; a large number where nothing bounds it."""
        cost = np.zeros(len(self.low))
        cost[self.variable[point, cell]] = 1.0 if lowest else -1.0
        found = optimize.milp(
            cost,
            constraints=self.constraints,
            bounds=optimize.Bounds(self.low, self.high),
            integrality=np.ones(len(self.low)),
        )
        if found.x is None:
            raise ArithmeticError(f"no counts fit what is shown ({found.message})")
        return round(float(found.x[self.variable[point, cell]]))


def _bounds(table: CountTable, held: Suppression) -> tuple[Float64s, Float64s]:
    """From 0 to the comparisons, and between the shown counts at other thresholds."""
    points, _ = table.errors.shape
    # where the comparisons are not shown nothing bounds the errors but their sum
    beyond = 4 * int(table.errors.max(initial=0)) + 10**6
    most = np.where(table.exposed, table.comparisons, beyond)
    low = np.zeros(table.errors.shape)
    high = np.broadcast_to(most, table.errors.shape).astype(np.float64).copy()
    for point in range(points):
        for other in range(points):
            shown = ~held.cells[other]
            counts = table.errors[other, shown]
            if other > point:
                low[point, shown] = np.maximum(low[point, shown], counts)
            elif other < point:
                high[point, shown] = np.minimum(high[point, shown], counts)
    return low[held.cells], high[held.cells]


def _linear(
    rows: list[tuple[dict[int, float], float, float]], variables: int
) -> tuple[optimize.LinearConstraint, ...]:
    if not rows:
        return ()
    matrix = sparse.lil_array((len(rows), variables))
    for at, (entries, _, _) in enumerate(rows):
        for place, value in entries.items():
            matrix[at, place] = value
    lower, upper = [row[1] for row in rows], [row[2] for row in rows]
    return (optimize.LinearConstraint(sparse.csr_array(matrix), lower, upper),)


def small_groups(persons: Int64s, k: int) -> Bools:
    """bool [G]: groups of fewer than k persons, and others that keep their sizes secret.

    The total is shown, so at least two groups are held back, with k persons or more together.
    """
    small = (persons > 0) & (persons < k)
    if not small.any():
        return np.asarray(small)
    for group in np.lexsort((persons, persons == 0)):
        if small.sum() >= 2 and persons[small].sum() >= k:
            break
        small[group] = True
    return np.asarray(small)
