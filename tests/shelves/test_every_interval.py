"""Promises that every interval method keeps, and the published numbers of the simple ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hydra.utils import instantiate
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf
from scipy import sparse

from frbench.cell_errors import PersonErrors
from frbench.counted import Counted
from frbench.intervals import Resampling
from frbench.intervals.clopper_pearson import ClopperPearson
from frbench.intervals.double_or_nothing import DoubleOrNothing
from frbench.intervals.vertex_bootstrap import VertexBootstrap
from frbench.intervals.wilson import Wilson, modify_endpoints, score_interval
from frbench.intervals.wilson_effective import WilsonEffective, effective_number
from frbench.rates import error_rates
from worlds import population, random_tally, tally_of, threshold_at

CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "interval"
NODES = {file.stem: OmegaConf.load(file) for file in sorted(CONFIGS.glob("*.yaml"))}

every_part = pytest.mark.parametrize("node", NODES.values(), ids=NODES)
seeds = st.integers(0, 2**32 - 1)


def rows(tally, part, threshold=0.5, seed=0):
    """The RateTable with the part's intervals."""
    rng = np.random.default_rng(seed)
    return error_rates(tally, [threshold_at(threshold)], part, matcher="m", benchmark="b", rng=rng)


def quick(node, **changes):
    """The part with few replicates, so that a property test stays quick."""
    return instantiate(node, **({"replicates": 60} if "bootstrap" in node._target_ or
                       "double" in node._target_ else {}), **changes)  # fmt: skip


class Counts:
    """Plain binomial counts, as an interval sees them."""

    def __init__(self, errors, comparisons):
        self.errors, self.comparisons = np.array([errors]), np.array([comparisons])


@pytest.mark.parametrize("images", [49, 50, 98])
def test_persons_of_one_rate_count_as_persons(images):
    """One error of each person: no variance but what rounding leaves, which proves no precision."""
    one = sparse.csr_array(np.ones((1, 20), np.int64))
    alike = PersonErrors(one, sparse.csr_array(images * one))
    assert effective_number(alike).tolist() == [20.0]


@every_part
@settings(max_examples=15, deadline=None)
@given(seed=seeds)
def test_intervals_hold_their_rate(node, seed):
    """0 <= low <= high <= 1; [0, 1] where nothing was compared; open ends where errors allow."""
    part = quick(node)
    table = rows(random_tally(np.random.default_rng(seed)), part)
    assert (table["low"] >= 0).all()
    assert (table["high"] <= 1).all()
    assert (table["low"] <= table["high"]).all()
    empty = table["comparisons"] == 0
    assert table.loc[empty, ["low", "high"]].to_numpy().tolist() == [[0.0, 1.0]] * empty.sum()
    assert (table.loc[~empty & (table["errors"] == 0), "low"] == 0).all()
    assert (table.loc[~empty & (table["errors"] == 0), "high"] > 0).all()
    assert (table.loc[~empty & (table["errors"] == table["comparisons"]), "high"] == 1).all()
    assert table["level"].eq(0.95).all()
    assert table["interval"].eq(part.name).all()
    if not isinstance(part, Resampling):
        assert (table.loc[~empty, "low"] <= table.loc[~empty, "rate"]).all()
        assert (table.loc[~empty, "high"] >= table.loc[~empty, "rate"]).all()


@every_part
def test_more_confidence_is_wider(node):
    """A 99 % interval contains the 90 % one."""
    tally = population(np.random.default_rng(1), fmr=[0.02, 0.05], persons=[15, 15])
    narrow, wide = (rows(tally, quick(node, level=level), 0.0) for level in (0.9, 0.99))
    assert (wide["low"] <= narrow["low"] + 1e-12).all()
    assert (wide["high"] >= narrow["high"] - 1e-12).all()


@settings(max_examples=40, deadline=None)
@given(seed=seeds, persons=st.integers(4, 40), images=st.integers(1, 5))
def test_no_first_error_makes_an_interval_narrower(seed, persons, images):
    """One to four errors, anywhere: at least as wide, and as high, as without any."""
    rng = np.random.default_rng(seed)
    size = persons * images
    first, second = np.triu_indices(size, 1)
    real = np.flatnonzero(first // images != second // images)
    chosen = rng.choice(real, 4, replace=False)
    rate_rows = []
    for count in range(5):
        here = chosen[:count]
        scores = np.zeros((size, size))
        scores[first[here], second[here]] = 1.0
        tally = tally_of(scores, subject=np.arange(size) // images, group=[0] * size, groups=["g"])
        found = rows(tally, WilsonEffective(), 1.0).query("kind == 'FMR'").iloc[1]
        rate_rows.append((found["errors"], found["high"], found["high"] - found["low"]))
    assert [row[0] for row in rate_rows] == [0, 1, 2, 3, 4]
    assert all(row[1] >= rate_rows[0][1] for row in rate_rows)
    assert all(row[2] >= rate_rows[0][2] - 1e-12 for row in rate_rows)


def test_a_guarded_variance_is_the_jackknifes():
    """Leave-one-person-out residuals by hand, for pairs and for persons."""
    counted = Counted(population(np.random.default_rng(5), fmr=[0.05], persons=[12], images=3))
    matches, misses = counted.false_matches(0.0), counted.false_non_matches(0.0)
    e, m = matches.table.matrix(0).toarray(), np.triu(np.full((12, 12), 9.0), 1)
    y = e - e.sum() / m.sum() * m
    r = y.sum(axis=0) + y.sum(axis=1)
    r /= 1 - (m.sum(axis=0) + m.sum(axis=1)) / m.sum()
    s2 = (y**2).sum()
    expected = (s2 + max((r**2).sum() - 2 * s2, 0)) / m.sum() ** 2
    assert matches.guarded_variance[0] == pytest.approx(expected)
    errors = misses.by_person.toarray()[0]
    r = (errors - errors.sum() / 36 * 3) / (1 - 1 / 12)
    assert misses.guarded_variance[0] == pytest.approx((r**2).sum() / 36**2)


@every_part
def test_more_persons_are_narrower(node):
    """Four times the persons: a narrower interval of the same rate."""
    widths = []
    for persons in (20, 80):
        tally = population(np.random.default_rng(2), fmr=[0.05], persons=[persons])
        table = rows(tally, quick(node), 0.0).query("kind != 'FTE'")
        widths.append((table["high"] - table["low"]).to_numpy())
    assert (widths[1] < widths[0]).all()


def test_methods_that_assume_independence_say_so():
    """The naive methods carry the warning in the name that every table prints."""
    for part in (Wilson(), ClopperPearson()):
        assert "assumes independence" in part.name


def show(low, high, digits):
    return f"{low:.{digits}g}", f"{high:.{digits}g}"


def test_wilson_to_the_printed_digits():
    """0/300, 1/1000, 10/200 and 30/30000 at 95 %."""
    found = {}
    for k, n in ((0, 300), (1, 1000), (10, 200), (30, 30000)):
        bounds = Wilson().bounds(Counts(k, n), rng=np.random.default_rng(0))
        found[k, n] = float(bounds.low[0]), float(bounds.high[0])
    assert found[0, 300][0] == 0.0
    assert f"{found[0, 300][1]:.9f}" == "0.012642971"
    assert show(*found[1, 1000], 7) == ("0.0001765464", "0.005642559")
    assert tuple(f"{end:.9f}" for end in found[10, 200]) == ("0.027382646", "0.089578148")
    assert f"{found[30, 30000][0]:.7g}" == "0.0007005895"
    assert f"{found[30, 30000][1]:.8g}" == "0.0014271867"


def test_clopper_pearson_to_the_printed_digits():
    """0/300, 1/1000 and 10/200 at 95 %."""
    ends = {}
    for k, n in ((0, 300), (1, 1000), (10, 200)):
        bounds = ClopperPearson().bounds(Counts(k, n), rng=np.random.default_rng(0))
        ends[k, n] = float(bounds.low[0]), float(bounds.high[0])
    assert ends[0, 300][0] == 0.0
    assert f"{ends[0, 300][1]:.9f}" == "0.012220975"
    assert show(*ends[1, 1000], 7) == ("2.531749e-05", "0.005558924")
    assert tuple(f"{end:.9f}" for end in ends[10, 200]) == ("0.024234165", "0.090027538")


def test_rule_of_three_to_the_printed_digits():
    """0/300: 3/n is 0.01; the exact one-sided bound, the upper end at 90 %, is 0.009936082."""
    found = ClopperPearson(level=0.9).bounds(Counts(0, 300), rng=np.random.default_rng(0))
    assert f"{found.high[0]:.9f}" == "0.009936082"
    assert found.high[0] < 3 / 300 == 0.01


def test_modified_ends_to_the_printed_digits():
    """One error in 1000: lower 5.129329e-5; and its mirror image at 999."""
    n = np.array([1000, 1000])
    errors = np.array([1, 999])
    plain = score_interval(errors / n, n.astype(float), level=0.95)
    found = modify_endpoints(plain, errors, n, 0.95)
    assert f"{found.low[0]:.6e}" == "5.129329e-05"
    assert found.high[1] == pytest.approx(1 - found.low[0])
    assert found.high[0] == plain.high[0]


def test_weights_follow_their_laws():
    """Double-or-nothing draws 0 or 2 evenly; the vertex bootstrap draws S persons each time."""
    rng = np.random.default_rng(0)
    coin = DoubleOrNothing(replicates=400).weights(50, rng=rng)
    assert set(np.unique(coin)) == {0, 2}
    assert coin.mean() == pytest.approx(1.0, abs=0.05)
    drawn = VertexBootstrap(replicates=400).weights(50, rng=rng)
    assert (drawn.sum(axis=1) == 50).all()
    assert drawn.astype(float).var() == pytest.approx(1 - 1 / 50, abs=0.05)


def test_resampled_rates_equal_explicit_replication():
    """A replicate's rate is the rate among the drawn persons, copies at the cell's own rate."""
    rng = np.random.default_rng(7)
    found = Counted(random_tally(rng, persons=7)).false_matches(0.5)
    weights = rng.integers(0, 4, size=(20, found.persons)).astype(np.uint8)
    w = weights.astype(float)
    e = np.stack([found.table.matrix(c).toarray() for c in range(len(found.errors) - 1)])
    e = np.concatenate([e, e.sum(axis=0, keepdims=True)])
    top = np.einsum("ri,rj,cij->rc", w, w, e)
    plain = found.trials.weighted(weights, self_pairs=False)
    copies = found.trials.weighted(weights, self_pairs=True)
    rate = np.divide(found.errors, np.maximum(found.comparisons, 1))
    expected = np.where(copies > 0, (top + rate * (copies - plain)) / np.maximum(copies, 1), np.nan)
    assert found.resampled(weights, self_pairs=True) == pytest.approx(expected, nan_ok=True)
    expected = np.where(plain > 0, top / np.maximum(plain, 1), np.nan)
    assert found.resampled(weights, self_pairs=False) == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("part", [DoubleOrNothing(), VertexBootstrap()], ids=lambda p: p.name)
def test_bootstrap_spread_matches_theory(part):
    """Resampling pairs by persons has variance 3 S2 + C; persons alone, the plug-in variance."""
    tally = population(np.random.default_rng(3), fmr=[0.05], persons=[150], images=3)
    counted, rng = Counted(tally), np.random.default_rng(4)
    weights = part.weights(150, rng=rng)
    false_matches, misses = counted.false_matches(0.0), counted.false_non_matches(0.0)
    p = false_matches.errors[0] / false_matches.comparisons[0]
    e, m = false_matches.table.matrix(0).toarray(), 9.0
    y = np.triu(e - p * m, 1)
    s2 = (y**2).sum()
    r2 = ((y.sum(axis=0) + y.sum(axis=1)) ** 2).sum()
    expected = (3 * s2 + r2 - 2 * s2) / false_matches.comparisons[0] ** 2
    drawn = false_matches.resampled(weights, self_pairs=part.self_pairs)[:, 0]
    assert drawn.var() == pytest.approx(expected, rel=0.15)
    drawn = misses.resampled(weights, self_pairs=part.self_pairs)[:, 0]
    assert drawn.var() == pytest.approx(misses.variance[0], rel=0.12)
    # without person effects in the sample, the effective number is what persons are worth
    assert WilsonEffective().bounds(misses, rng=rng).high[0] > drawn.mean()
