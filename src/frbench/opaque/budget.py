"""How many comparisons each cell gets: what was asked for, or equal shares of the budget."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from frbench.errors import InputError
from frbench.opaque.blocks import level
from frbench.trials import Cells
from frbench.values import Int64s

PerCell = int | Mapping[tuple[str, str], int]
"""Non-mated comparisons of every cell, or by (probe group, reference group)."""


def numbers(
    cells: Cells, possible: Int64s, budget: int, per_cell: PerCell | None, mated: int | str
) -> list[list[int]]:
    """Comparisons to plan per cell, non-mated and mated. Raises InputError if impossible."""
    most = int(possible[1].max(initial=0)) if mated == "all" else int(mated)
    own = np.minimum(possible[1, :-1], most)
    left = budget - int(own.sum())
    if most < 0 or left < 0:
        raise InputError(
            f"{int(own.sum())} mated comparisons alone exceed the budget of {budget}; raise the "
            "budget or give mated=NUMBER, the most per cell"
        )
    if per_cell is None:
        return [_equal_shares(possible[0, :-1], left).tolist(), own.tolist()]
    asked = _asked(cells, possible[0, :-1], per_cell)
    if int(asked.sum()) > left:
        raise InputError(
            f"per_cell asks for {int(asked.sum())} non-mated comparisons, but the budget of "
            f"{budget} leaves {left} beside {int(own.sum())} mated ones; lower one or raise the "
            "other"
        )
    return [asked.tolist(), own.tolist()]


def _asked(cells: Cells, possible: Int64s, per_cell: PerCell) -> Int64s:
    """What ``per_cell`` asks of each cell, checked against what the set offers."""
    names = cells.names[:-1]
    if isinstance(per_cell, int):
        asked = np.where(possible > 0, per_cell, 0)
    else:
        known = {pair: place for place, pair in enumerate(names)}
        if not cells.ordered:
            known |= {(b, a): place for (a, b), place in known.items()}
        strange = [pair for pair in per_cell if pair not in known]
        if strange:
            raise InputError(
                f"per_cell names the cell {strange[0]}; the groups are {', '.join(cells.groups)}"
            )
        asked = np.zeros(len(names), dtype=np.int64)
        for pair, number in per_cell.items():
            asked[known[pair]] = number
    faults = [
        f"{names[cell][0]} with {names[cell][1]}: {asked[cell]} asked, {possible[cell]} possible"
        for cell in np.flatnonzero((asked > possible) | (asked < 0))
    ]
    if faults:
        raise InputError.listing(
            "the set does not offer the non-mated comparisons that per_cell asks for:", faults
        )
    return asked.astype(np.int64)


def _equal_shares(possible: Int64s, total: int) -> Int64s:
    """As equal as the cells allow, ``total`` in all or everything there is."""
    depth = level(possible, total)
    share = np.minimum(possible, depth)
    spare = np.flatnonzero(possible > depth)[: total - int(share.sum())]
    share[spare] += 1
    return share
