"""Where a simulation starts: a run's measured rates, stated numbers, a fitted response."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from frbench.errors import InputError
from frbench.feedback.response import fit_response, read_response
from frbench.feedback.starting import measured_rates, stated_rates
from frbench.feedback.world import disposal_words, released_shares, world_of
from frbench.learners import Start
from frbench.learners.analytic import Analytic


def run_folder(folder: Path, **cells: tuple[int, int]) -> Path:
    """A run with these errors and comparisons per cell, named ``a_b``."""
    rows = []
    for cell, (errors, comparisons) in cells.items():
        first, second = cell.split("_")
        rows.append(
            {
                "arm": "",
                "matcher": "m",
                "operating_point": "FMR 0.001",
                "kind": "FMR",
                "probe_group": first,
                "reference_group": second,
                "errors": errors,
                "comparisons": comparisons,
                "failed": 0,
            }
        )
    pd.DataFrame(rows).to_parquet(folder / "rates.parquet")
    return folder


def test_rates_come_from_the_cells_of_a_run(tmp_path: Path) -> None:
    """Within and across groups; both orders are one cell; half an error stands for none."""
    run = run_folder(
        tmp_path,
        all_all=(99, 999),
        a_a=(4, 1000),
        b_b=(0, 999),
        c_c=(9, 900),
        a_b=(1, 500),
        b_a=(2, 500),
    )
    found = measured_rates(run, None, None, 0.1)
    assert found.groups == ("a", "b", "c")
    assert found.fmr[0, 0] == 0.004
    assert found.fmr[1, 1] == 0.5 / 1000
    assert found.fmr[0, 1] == found.fmr[1, 0] == 3 / 1000
    assert found.fmr[0, 2] == pytest.approx(0.1 * np.sqrt(0.004 * 0.01))
    assert any("2 pairs" in each for each in found.cautions)
    assert any("within b" in each for each in found.cautions)


def test_a_run_without_the_point_is_refused(tmp_path: Path) -> None:
    """The sentence names the points that there are."""
    run = run_folder(tmp_path, a_a=(1, 10), b_b=(1, 10), a_b=(1, 10))
    with pytest.raises(InputError, match=r"FMR 0\.001"):
        measured_rates(run, "FMR 0.1", None, 0.1)
    with pytest.raises(InputError, match=r"no rates\.parquet"):
        measured_rates(tmp_path / "nowhere", None, None, 0.1)


@pytest.mark.parametrize("fmr", [{"a": 0.1}, {"a": 0.0, "b": 0.1}, {"a": 2, "b": 0.1}])
def test_stated_rates_are_rates(fmr: dict[str, float]) -> None:
    """Two groups, and nothing outside (0, 1]."""
    with pytest.raises(InputError, match=r"start\.fmr"):
        stated_rates(fmr, 0.1)


def response_file(folder: Path, **columns: Any) -> Path:
    """A table as a retraining experiment leaves it."""
    path = folder / "response.csv"
    pd.DataFrame(columns).to_csv(path, index=False)
    return path


def test_the_fit_equals_least_squares_with_dummies(tmp_path: Path) -> None:
    """The slope and its error are those of ordinary least squares with one intercept per group."""
    rng = np.random.default_rng(4)
    group = np.repeat(["a", "b", "c"], 8)
    share = rng.uniform(0.05, 0.6, 24)
    fmr = 0.01 * np.exp(-0.7 * np.log(share) + rng.normal(0, 0.1, 24) + (group == "b"))
    fmr = np.minimum(fmr, 1)
    found = fit_response(read_response(response_file(tmp_path, group=group, share=share, fmr=fmr)))
    design = np.column_stack([np.log(share), *(group == name for name in "abc")]).astype(float)
    told, rest, *_ = np.linalg.lstsq(design, np.log(fmr))
    error = np.sqrt(rest[0] / 20 * np.linalg.inv(design.T @ design)[0, 0])
    assert found.exponent == pytest.approx(-told[0])
    assert found.error == pytest.approx(error)
    assert abs(found.exponent - 0.7) < 3 * found.error


def test_a_response_of_counts_keeps_models_without_errors(tmp_path: Path) -> None:
    """No error in a thousand comparisons is half an error in a thousand and one."""
    path = response_file(
        tmp_path, group=["a"] * 3, share=[0.1, 0.2, 0.4], errors=[8, 2, 0], comparisons=[1000] * 3
    )
    assert read_response(path)["fmr"].iloc[2] == 0.5 / 1001


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"group": ["a"], "share": [0.1]}, "no column fmr"),
        ({"group": ["a"], "share": [0.0], "fmr": [0.1]}, "row 1: share"),
        ({"group": ["a", "a"], "share": [0.1, "x"], "fmr": [0.1, 0.1]}, "row 2: share"),
        ({"group": ["a"] * 3, "share": [0.1] * 3, "fmr": [0.1] * 3}, "cannot be fitted"),
    ],
)
def test_a_response_that_cannot_be_is_refused(
    tmp_path: Path, columns: dict[str, Any], said: str
) -> None:
    """Every fault is told by row and column."""
    with pytest.raises(InputError, match=said):
        fit_response(read_response(response_file(tmp_path, **columns)))


def test_the_analytic_learner_is_the_law_it_states() -> None:
    """Four times the share halves the rate at exponent ½; recalibrated, the mean rate stays."""
    start = Start(("a", "b"), np.array([1e-4, 4e-4]), np.array([0.8, 0.2]), np.array([0.8, 0.2]))
    rng = np.random.default_rng(1)
    free = Analytic(exponent=0.5, recalibrated=False).begin(start, seeds=1, rng=rng)
    assert free.fmr(np.array([[0.2, 0.8]]))[0] == pytest.approx([2e-4, 2e-4])
    kept = Analytic(exponent=0.5).begin(start, seeds=3, rng=rng)
    rates = kept.fmr(np.array([[0.2, 0.8], [0.5, 0.5], [0.8, 0.2]]))
    assert rates @ start.population == pytest.approx(np.full(3, 1.6e-4))
    assert rates[2] == pytest.approx(start.fmr)


def test_disposals_are_the_words_of_the_dictionary() -> None:
    """Those without charge are added; unknown words and shares that miss 1 are refused."""
    shares = {"charged": 0.4, "no_further_action": 0.35, "released_without_charge": 0.25}
    assert released_shares(shares, ("a", "b")) == pytest.approx([0.6, 0.6])
    assert "charged" in disposal_words()
    with pytest.raises(InputError, match="let_go"):
        released_shares({"let_go": 1.0}, ("a",))
    with pytest.raises(InputError, match="add up to"):
        released_shares({"charged": 0.9}, ("a",))
    with pytest.raises(InputError, match="lacks b"):
        released_shares({"a": shares}, ("a", "b"))


def test_a_world_outside_its_ranges_is_refused() -> None:
    """Shares above 1, unknown settings and groups without a number are told."""
    usual: dict[str, Any] = {
        "arrests_per_1000": {"a": 10, "b": 20},
        "disposals": {"charged": 1.0},
        "table": None,
        **dict.fromkeys(("residents", "visits", "wanted", "watchlist"), 1000),
        **dict.fromkeys(("tpir", "stop_false", "stop_true", "arrest_false", "arrest_true"), 0.5),
        **dict.fromkeys(("released_false", "pull", "custody", "expiry"), 0.5),
    }
    even = np.full(2, 0.5)
    assert world_of(usual, ("a", "b"), even).arrests == pytest.approx([0.01, 0.02])
    for changed, said in (
        ({"pull": 2}, "pull=2"),
        ({"expiry": 0}, "no image would ever expire"),
        ({"colour": 1}, "mend colour"),
        ({"arrests_per_1000": {"a": 1}}, "lacks b"),
        ({"visits": "many"}, "visits=many"),
    ):
        with pytest.raises(InputError, match=said):
            world_of({**usual, **changed}, ("a", "b"), even)
