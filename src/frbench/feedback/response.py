"""How false-match rates answer to training shares: a straight line on log scales, fitted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from frbench.errors import InputError
from frbench.table_files import read_strings
from frbench.values import Float64s


@dataclass(frozen=True)
class Response:
    """log FMR_g = a_g − exponent × log(share_g).

    Attributes:
        exponent: how much log FMR falls when log share rises by 1.
        error: its standard error.
        rows: pairs it was fitted to; 0 where it is stated.
    """

    exponent: float
    error: float
    rows: int = 0


def read_response(path: Path) -> pd.DataFrame:
    """Columns ``group`` str, ``share`` and ``fmr`` float64, all above 0.

    With ``errors`` and ``comparisons`` the rate is (errors + ½) / (comparisons + 1), so that a
    model without errors still counts.

    Raises:
        InputError: no such file or columns, or a number outside (0, 1].
    """
    frame = read_strings(path, what="learner.table").frame
    counted = {"errors", "comparisons"} <= {*frame.columns}
    wanted = ["group", "share", *(("errors", "comparisons") if counted else ("fmr",))]
    absent = [name for name in wanted if name not in frame]
    if absent:
        raise InputError(
            f"learner.table={path} has no column {', '.join(absent)}; it needs group, share and "
            "either errors and comparisons or fmr."
        )
    numbers = frame[wanted[1:]].apply(pd.to_numeric, errors="coerce")
    rate = (
        numbers["fmr"]
        if not counted
        else (numbers["errors"] + 0.5) / (numbers["comparisons"] + 1.0)
    )
    table = pd.DataFrame({"group": frame["group"], "share": numbers["share"], "fmr": rate})
    for name in ("share", "fmr"):
        wrong = ~(table[name].gt(0) & table[name].le(1))
        if wrong.any():
            raise InputError(
                f"learner.table={path}, row {int(np.flatnonzero(wrong)[0]) + 1}: {name} must lie "
                "above 0 and not above 1 (give errors and comparisons where a rate is 0)."
            )
    return table


def fit_response(table: pd.DataFrame) -> Response:
    """Least squares with one intercept per group and one slope; the error by residuals.

    >>> shares = [0.05, 0.1, 0.2, 0.4]
    >>> exact = pd.DataFrame(
    ...     {"group": "a", "share": shares, "fmr": [0.01 * s**-0.5 for s in shares]}
    ... )
    >>> round(fit_response(exact).exponent, 6)
    0.5

    Raises:
        InputError: no group with two different shares, or no row beyond the parameters.
    """
    x, y = np.log(table["share"].to_numpy(float)), np.log(table["fmr"].to_numpy(float))
    group = pd.factorize(table["group"])[0]
    inner_x, inner_y = _within(x, group), _within(y, group)
    spread = float(inner_x @ inner_x)
    spare = len(table) - len(np.unique(group)) - 1
    if spread < 1e-12 or spare < 1:
        raise InputError(
            f"a response cannot be fitted to {len(table)} rows: give at least one group with "
            "three rows and different shares."
        )
    slope = float(inner_x @ inner_y) / spread
    residual = inner_y - slope * inner_x
    return Response(-slope, float(np.sqrt(residual @ residual / spare / spread)), len(table))


def _within(values: Float64s, group: npt.NDArray[np.intp]) -> Float64s:
    means = pd.Series(values).groupby(group).transform("mean").to_numpy(float)
    return np.asarray(values - means, dtype=np.float64)
