"""The matcher's rates when the loop begins: measured in a run folder, or stated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from frbench.digests import digest_file
from frbench.errors import InputError
from frbench.values import ALL, UNLABELLED, Float64s


@dataclass(frozen=True)
class Rates:
    """False-match rates and where they come from.

    Attributes:
        groups: names.
        fmr: float64 [G, G], of a search (row) with a reference (column).
        source: for the page and the record.
        measured: False where somebody stated them.
        cautions: what was filled in, a sentence each.
        sha256: of the table of rates, or "".
    """

    groups: tuple[str, ...]
    fmr: Float64s
    source: str
    measured: bool
    cautions: tuple[str, ...] = ()
    sha256: str = ""


def stated_rates(fmr: Mapping[str, float], cross: float) -> Rates:
    """FMR within each group as stated; across groups ``cross`` times their geometric mean.

    >>> stated_rates({"a": 4e-6, "b": 1e-6}, 0.1).fmr.round(9).tolist()
    [[4e-06, 2e-07], [2e-07, 1e-06]]

    Raises:
        InputError: fewer than two groups, or a rate outside (0, 1].
    """
    groups = tuple(str(name) for name in fmr)
    if len(groups) < 2:
        raise InputError("start.fmr must name a false-match rate for two groups or more.")
    wrong = [f"{name}: {rate}" for name, rate in fmr.items() if not 0 < float(rate) <= 1]
    if wrong:
        raise InputError(f"start.fmr: {', '.join(wrong)}; rates lie above 0 and not above 1.")
    return Rates(
        groups,
        _filled(np.array([float(each) for each in fmr.values()]), cross),
        "stated, not measured",
        measured=False,
    )


def _filled(within: Float64s, cross: float) -> Float64s:
    cells = cross * np.sqrt(np.outer(within, within))
    np.fill_diagonal(cells, within)
    return np.minimum(cells, 1.0)


def measured_rates(folder: Path, point: str | None, arm: str | None, cross: float) -> Rates:
    """FMR of every cell that an evaluation measured.

    A cell without errors stands at (errors + ½) / (comparisons + 1). A cell across groups that was
    not compared stands at ``cross`` times the geometric mean, and a caution says so.

    Args:
        folder: of the run.
        point: operating point as in ``rates.csv``; None takes the first.
        arm: arm as in ``rates.csv``; None takes the last.
        cross: for cells that were not compared.

    Raises:
        InputError: no such run, point or arm, or a group without comparisons within.
    """
    path = folder / "rates.parquet"
    if not path.is_file():
        raise InputError(f"start.run={folder} holds no rates.parquet; name a run of evaluate.")
    table = pd.read_parquet(path)
    table = table[table["kind"] == "FMR"]
    table = _chosen(table, "arm", arm, -1, folder)
    table = _chosen(table, "operating_point", point, 0, folder)
    rows = table[~table["probe_group"].isin([ALL, UNLABELLED])]
    rows = rows[~rows["reference_group"].isin([ALL, UNLABELLED])]
    groups = tuple(rows.loc[rows["probe_group"] == rows["reference_group"], "probe_group"])
    fmr, cautions = _cells(rows, groups, cross)
    name = f"run {folder.name}, {table['matcher'].iloc[0]}, {table['operating_point'].iloc[0]}"
    return Rates(groups, fmr, f"measured: {name}", True, tuple(cautions), digest_file(path))


def _chosen(
    table: pd.DataFrame, column: str, wanted: str | None, default: int, folder: Path
) -> pd.DataFrame:
    there = list(dict.fromkeys(table[column].astype(str)))
    if not there or (wanted is not None and wanted not in there):
        raise InputError(
            f"start.run={folder}: no FMR with {column} {wanted!r}; there are {', '.join(there)}."
        )
    return table[table[column].astype(str) == (there[default] if wanted is None else wanted)]


def _cells(rows: pd.DataFrame, groups: tuple[str, ...], cross: float) -> tuple[Float64s, list[str]]:
    errors, comparisons = (np.zeros((len(groups), len(groups))) for _ in range(2))
    place = {name: at for at, name in enumerate(groups)}
    for row in rows[rows["probe_group"].isin(groups)].to_dict("records"):
        a, b = place[row["probe_group"]], place.get(row["reference_group"], -1)
        if b >= 0:
            for first, second in {(a, b), (b, a)}:
                errors[first, second] += row["errors"]
                comparisons[first, second] += row["comparisons"] - row["failed"]
    silent = [name for name, at in place.items() if comparisons[at, at] == 0]
    if silent or len(groups) < 2:
        raise InputError(
            f"start.run: {', '.join(silent) or 'the run'} has no comparisons between different "
            "people of one group; two groups or more need them."
        )
    rate = np.where(errors > 0, errors, 0.5) / (comparisons + (errors == 0))
    cautions = []
    unseen = comparisons == 0
    if unseen.any():
        rate = np.where(unseen, _filled(np.diag(rate), cross), rate)
        cautions.append(
            f"{int(unseen.sum() / 2)} pairs of groups were not compared; their false-match rate is "
            f"taken as {cross:g} times the geometric mean of the rates within."
        )
    zero = [name for name, at in place.items() if errors[at, at] == 0]
    if zero:
        cautions.append(
            f"No false match was seen within {', '.join(zero)}: half an error stands in its place."
        )
    return np.asarray(rate, dtype=np.float64), cautions


def start_of(plain: Mapping[str, Any]) -> Rates:
    """The rates from the node ``start`` of a configuration.

    Raises:
        InputError: as above, or neither a run nor rates are given.
    """
    cross = plain["cross"]
    if not isinstance(cross, int | float) or not 0 < cross <= 1:
        raise InputError(f"start.cross={cross} must lie above 0 and not above 1.")
    if "fmr" not in plain:
        if plain["run"] is None:
            raise InputError("start=measured needs a run folder: start.run=DIR.")
        return measured_rates(
            Path(str(plain["run"])).expanduser(), plain["operating_point"], plain["arm"], cross
        )
    if not isinstance(plain["fmr"], Mapping):
        raise InputError("start=stated needs a rate for each group: start.fmr={group: rate, …}.")
    return stated_rates(plain["fmr"], cross)
