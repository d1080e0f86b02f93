"""The wager and the live series: false alarms, delays, and what the file must hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frbench.errors import InputError
from frbench.monitoring.betting import FRACTIONS, days_to_alarm, wealth
from frbench.monitoring.series import Series, needed_for_doubling, read_series, watch

GROUPS = ("Asian", "Black", "White")
USUAL = np.array([4e-3, 6e-3, 2e-3])
SEARCHES = np.array([500, 400, 2500])


def series(
    rng: np.random.Generator, days: int, *, late: tuple[float, ...] = (1.0, 1.0, 1.0), at: int = 0
) -> Series:
    """Counts of days in which false alerts come in clusters: some people raise several."""
    rates = np.where(np.arange(days)[:, None] >= at, USUAL * np.array(late), USUAL)
    number = rng.poisson(SEARCHES, size=(days, 3)).astype(float)
    people = rng.poisson(number * rates / 2)
    alerts = np.minimum(people + rng.poisson(people), number)
    names = tuple(f"{each:%Y-%m-%d}" for each in pd.date_range("2026-01-01", periods=days))
    return Series(GROUPS, names, alerts.astype(float), number, ("a", "b"), Path("x"), "")


@given(st.lists(st.floats(0, 20), min_size=1, max_size=12))
@settings(deadline=None, max_examples=60)
def test_wealth_is_the_sum_over_starting_days(ratios: list[float]) -> None:
    """The running form equals the definition: a double loop over starts and fractions."""
    found = wealth(np.array(ratios))
    for t in range(1, len(ratios) + 1):
        told = 1 / (t + 1)
        for c in FRACTIONS:
            for k in range(1, t + 1):
                product = np.prod([1 + c * (r - 1) for r in ratios[k - 1 : t]])
                told += product / (k * (k + 1)) / len(FRACTIONS)
        assert found[t - 1] == pytest.approx(told, rel=1e-9)


def test_wealth_stays_one_on_average_without_a_change() -> None:
    """Over every sequence of fair coins, worth 0 or 2, the mean wealth is exactly 1."""
    sequences = np.array(np.meshgrid(*[[0.0, 2.0]] * 8)).reshape(8, -1).T
    ends = np.array([wealth(each) for each in sequences])
    assert ends.mean(axis=0) == pytest.approx(np.ones(8))


def test_the_bar_is_crossed_no_more_often_than_promised() -> None:
    """Of 500 unchanged series of 200 clustered days at most 5 % ever reach 20."""
    rng = np.random.default_rng(8)
    people = rng.poisson(1.5, size=(500, 200))
    ratios = (people + rng.poisson(people)) / 3.0
    crossed = sum(bool((wealth(each) >= 20).any()) for each in ratios)
    assert crossed <= 25


def test_no_family_of_groups_raises_more_false_alarms_than_its_level() -> None:
    """Of 100 unchanged series with estimated baselines at most 5 % raise any alarm in 120 days."""
    rng = np.random.default_rng(9)
    false = 0
    for _ in range(100):
        false += bool(watch(series(rng, 120), baseline=28, limit=1.0, level=0.95)["alarm"].any())
    assert false <= 5


def test_a_tripled_rate_is_seen_in_time_and_only_where_it_is() -> None:
    """Half of 60 series alarm within 30 days of it, 95 % within 50, and never for another group."""
    rng = np.random.default_rng(10)
    delays = []
    for _ in range(60):
        changed = series(rng, 160, late=(1.0, 3.0, 1.0), at=90)
        table = watch(changed, baseline=56, limit=1.0, level=0.95)
        alarms = table[table["alarm"] & (table["measure"] == "rate")]
        assert set(alarms["group"]) <= {"Black"}
        first = alarms["when"].min() if len(alarms) else None
        delays.append(changed.days.index(first) - 89 if first else np.inf)
    assert min(delays) > 0
    assert np.median(delays) <= 30
    assert np.mean(np.array(delays) <= 50) >= 0.95


def test_a_rise_of_everybody_moves_rates_and_not_the_disparity() -> None:
    """Three times the alerts in every group alarm the rates alone."""
    rng = np.random.default_rng(11)
    table = watch(series(rng, 200, late=(3.0, 3.0, 3.0), at=60), baseline=56, limit=1.0, level=0.95)
    alarmed = table[table["alarm"]].groupby("measure")["group"].nunique()
    assert alarmed.to_dict() == {"rate": 3}


def test_the_days_needed_are_those_of_a_steady_doubling() -> None:
    """A series that doubles without noise raises its alarm on the day that was foretold."""
    days = 28 + 400
    errors = np.full((days, 1), 40.0)
    errors[:28:2] += 1
    errors[28:] = 2 * errors[:28].mean()
    even = Series(
        ("a",),
        tuple(map(str, range(days))),
        errors,
        np.full((days, 1), 1e4),
        ("a", "b"),
        Path("x"),
        "",
    )
    table = watch(even, baseline=28, limit=1.0, level=0.95)
    needed = needed_for_doubling(table, 1.0)["rate/a"]
    assert int(table["alarm"].to_numpy().argmax()) - 28 + 1 == needed
    assert days_to_alarm(1.0, 20.0) is None


def test_groups_may_change_places_and_rows_their_order(tmp_path: Path) -> None:
    """What a group's row says depends on neither."""
    rng = np.random.default_rng(12)
    one = series(rng, 60)
    turned = Series(
        one.groups[::-1],
        one.days,
        one.errors[:, ::-1],
        one.comparisons[:, ::-1],
        one.names,
        one.path,
        "",
    )
    keys = ["measure", "group", "when"]
    tables = [
        watch(each, baseline=28, limit=1.0, level=0.95).set_index(keys).sort_index()
        for each in (one, turned)
    ]
    pd.testing.assert_frame_equal(*tables)
    rows = pd.DataFrame(
        [
            (day, group, one.errors[t, g], one.comparisons[t, g])
            for t, day in enumerate(one.days)
            for g, group in enumerate(one.groups)
        ],
        columns=["date", "group", "alerts", "searches"],
    ).astype({"alerts": int, "searches": int})
    rows.sample(frac=1, random_state=1).to_csv(tmp_path / "s.csv", index=False)
    read = read_series(tmp_path / "s.csv")
    assert read.groups == one.groups
    assert np.array_equal(read.errors, one.errors)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("date,group,alerts\n2026-01-01,a,1\n", "needs the columns"),
        ("date,group,alerts,searches\nsoon,a,1,2\n", "row 1 .*date"),
        ("date,group,alerts,searches\n2026-01-01,a,3,2\n", "more alerts than searches"),
        ("date,group,alerts,searches\n2026-01-01,a,x,2\n", "whole numbers"),
        ("date,group,alerts,searches\n2026-01-01,a,1,2\n2026-01-01,a,1,2\n", "row 2 .*twice"),
        ("date,group,alerts,searches\n2026-01-01,,1,2\n", "group is missing"),
    ],
)
def test_a_faulty_series_is_told_by_its_row(tmp_path: Path, text: str, said: str) -> None:
    """What is wrong, and where."""
    (tmp_path / "s.csv").write_text(text)
    with pytest.raises(InputError, match=said):
        read_series(tmp_path / "s.csv")


def test_a_baseline_must_be_long_enough() -> None:
    """Eight days at least, and one after them."""
    short = series(np.random.default_rng(1), 20)
    for days in (7, 20):
        with pytest.raises(InputError, match="baseline="):
            watch(short, baseline=days, limit=1.0, level=0.95)
