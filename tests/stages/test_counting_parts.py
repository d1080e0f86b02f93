"""The engine's parts, each against what it claims: bounds, ranks, integers, closed forms."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
import torch
from comparison_worlds import double_loop, score_by_hand, world
from hypothesis import given, settings
from hypothesis import strategies as st

import frbench.counting.engine as engine
from frbench.comparison import ComparisonSpec, compare
from frbench.counting.digits import digits
from frbench.counting.histograms import bin_edges, bin_shift
from frbench.counting.images import code_images
from frbench.counting.layout import lay_out, non_mated_comparisons
from frbench.counting.products import SINGLE_WIDTH, float_product, int8_is_exact, integer_product
from frbench.counting.sweep import behind_own_run
from frbench.counting.tail import Tail

SHAPES = ["random", "one_hot", "constant", "clustered", "identical", "long", "tiny", "zero"]


def templates(shape: str, d: int, rng: np.random.Generator, n: int = 12) -> np.ndarray:
    """Templates that are hard in one way each."""
    x = rng.standard_normal((n, d))
    if shape == "one_hot":
        x = np.eye(d)[rng.integers(0, d, n)] * rng.choice([-1, 1], (n, 1))
    elif shape == "constant":
        x = rng.choice([-1.0, 1.0], (n, d))
    elif shape == "clustered":
        x = rng.standard_normal(d) + 1e-4 * x
    elif shape == "identical":
        x = np.tile(x[0], (n, 1))
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    factor = {"long": 37.0, "tiny": 1e-3, "zero": 0.0}.get(shape, 1.0)
    return (factor * x).astype(np.float32)


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.sampled_from(SHAPES),
    d=st.sampled_from([1, 2, 16, 65, 512, 2048]),
    bins=st.sampled_from([0, 64, 4096]),
)
def test_no_score_escapes_the_sieve(seed, shape, d, bins):
    """With the floor at a score, the integers let that comparison pass; bounds are kept."""
    x = templates(shape, d, np.random.default_rng(seed))
    order = np.random.default_rng(seed + 1).permutation(len(x))
    split = digits(x, order, bins=bins)
    h = split.high.numpy().astype(np.int64)
    product = h @ h.T
    add = split.column_terms().astype(np.int64)
    for i in range(len(x)):
        for j in range(i, len(x)):
            score = float(score_by_hand(x[order[i]], x[order[j]]))
            need = int(split.row_terms(score)[i])
            assert product[i, j] + add[j] >= need
            # far above the score nothing passes: the band is finite and as wide as stated
            beyond = score + 2 * split.band() + 3 / split.scale**2
            assert product[i, j] + add[j] < int(split.row_terms(beyond)[i])
            if bins:
                _check_bin(split, i, j, score, bins)


def _check_bin(split, i: int, j: int, score: float, bins: int) -> None:
    both = split.both.numpy().astype(np.int64)
    wide = both.shape[2] // 2
    value = 256 * (both[0, i, :wide] @ both[0, j, :wide]) + both[0, i] @ both[1, j]
    value += int(split.fine_terms()[i]) + int(split.fine_terms()[j])
    assert abs(value) < 2**31
    assert abs(score - value * split.unit) <= split.fine_error
    place = (int(value) >> bin_shift(split, bins)) + bins // 2
    assert 0 <= place < bins
    edges = bin_edges(split, bins)
    assert edges[place] - split.fine_error <= score <= edges[place + 1] + split.fine_error


@settings(max_examples=200, deadline=None)
@given(
    values=st.lists(st.integers(0, 12), min_size=1, max_size=120),
    keep=st.integers(1, 40),
    spare=st.integers(0, 10),
    seed=st.integers(0, 2**32 - 1),
    chunk=st.integers(1, 50),
    room=st.integers(1, 30),
)
def test_tail_depends_on_ranks_alone(values, keep, spare, seed, chunk, room):
    """Whatever the order of arrival and the trimming on the way, the final list is the same."""
    score = np.array(values, np.float32)
    limit = keep + spare
    tail = Tail(keep=keep, limit=limit, guess=-math.inf, room=keep + room)
    order = np.random.default_rng(seed).permutation(len(score)).astype(np.int32)
    for start in range(0, len(order), chunk):
        part = order[start : start + chunk]
        tail.add(part, part + 1, score[part])
    first, second, kept, floor = tail.finish()
    expected_floor = -math.inf
    if len(score) > keep:
        value = np.sort(score)[::-1][keep - 1]
        if (score >= value).sum() > limit:
            value = np.nextafter(value, np.float32(np.inf))
        expected_floor = float(value)
    expected = np.flatnonzero(score >= expected_floor)
    assert floor == expected_floor
    assert first.tolist() == expected.tolist()
    assert (second == first + 1).all()
    assert (kept == score[first]).all()
    assert tail.complete


def test_a_restored_tail_stays_trimmed():
    """Going on from a saved state ends as without the break, though ties are cut on the way."""

    def offer(tail: Tail, value: float, start: int, count: int) -> None:
        place = np.arange(start, start + count, dtype=np.int32)
        tail.add(place, place + 1, np.full(count, value, np.float32))

    def fresh() -> Tail:
        return Tail(keep=10, limit=15, guess=-math.inf, room=16)

    whole = fresh()
    for value, start, count in ((0.5, 0, 15), (0.4, 15, 1), (0.5, 16, 2)):
        offer(whole, value, start, count)
    resumed = fresh()
    resumed.restore({name: part.copy() for name, part in whole.state().items()})
    for tail in (whole, resumed):
        offer(tail, 0.5, 30, 12)
    ends = [tail.finish() for tail in (whole, resumed)]
    assert [len(end[0]) for end in ends] == [0, 0]
    assert ends[0][3] == ends[1][3] == np.nextafter(np.float32(0.5), np.float32(1))


@pytest.mark.parametrize(("share", "kept"), [(0.0003, 652), (0.0006, 1303), (0.01, 21701)])
def test_what_is_kept_counts_in_decimals(share: float, kept: int):
    """One more than the errors that a threshold at the same target allows, in any binary."""
    settings = engine.Settings(share, keep_all=1, limit=10**9, bins=0, tile=64, workers=1)
    assert settings.kept(2_170_000) == kept


def test_a_guess_too_high_is_noticed():
    """When fewer scores than must be kept reach the guess, the tail says that it is incomplete."""
    tail = Tail(keep=3, limit=10, guess=0.5)
    n = np.arange(5, dtype=np.int32)
    tail.add(n, n, np.array([0.1, 0.2, 0.6, 0.7, 0.4], np.float32))
    assert len(tail) == 2
    assert not tail.complete


def test_a_wrong_guess_costs_a_sweep_and_nothing_else(monkeypatch: pytest.MonkeyPatch):
    """A floor guessed too high leads to a second sweep with the same result, histogram included."""
    w = world(21, images=400, subjects=150, dimensions=32)
    spec = ComparisonSpec(keep_fmr=0.02, keep_all=1, tile=64)
    right = compare(w.embedded, w.faces, spec)
    monkeypatch.setattr(engine, "CAUTION", (-8.0, 4.0, math.inf))
    wrong = compare(w.embedded, w.faces, spec)
    assert (right.work["sweeps"], wrong.work["sweeps"]) == (1, 2)
    assert wrong.floor == right.floor
    np.testing.assert_array_equal(wrong.tail.score, right.tail.score)
    np.testing.assert_array_equal(wrong.histogram.counts, right.histogram.counts)


@pytest.mark.parametrize("width", [16, 48, 512, 2048])
@pytest.mark.parametrize("extreme", [False, True])
def test_integer_products_are_exact(width: int, extreme: bool):
    """Both ways of multiplying give the integers of int64 arithmetic, at the extremes too."""
    rng = np.random.default_rng(width)
    draw = rng.choice([-127, 127], (70, width)) if extreme else rng.integers(-127, 128, (70, width))
    left, right = draw[:37].astype(np.int8), draw[37:].astype(np.int8)
    if extreme:
        left[0], right[0] = 127, 127
    expected = left.astype(np.int64) @ right.astype(np.int64).T
    single, double = (partial(float_product, kind=k) for k in (torch.float32, torch.float64))
    products = [integer_product, double, *([single] if width <= SINGLE_WIDTH else [])]
    for product in products:
        out = torch.empty(expected.shape, dtype=torch.int32)
        product(torch.from_numpy(left), torch.from_numpy(right), out)
        assert (out.numpy() == expected).all()
    assert isinstance(int8_is_exact(width), bool)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    images=st.integers(1, 60),
    same=st.sampled_from([(), ("sex",), ("sex", "age_band")]),
    probes=st.one_of(st.none(), st.integers(0, 60)),
    size=st.integers(1, 20),
)
def test_tiles_cover_every_comparison_once(seed, images, same, probes, size):
    """Each pair of images of a stratum lies in one tile; the closed form counts the non-mated."""
    w = world(seed, images=images)
    probes = None if probes is None else min(probes, images)
    coded = code_images(w.embedded, w.faces, same, probes)
    layout = lay_out(coded)
    met: list[tuple[int, int]] = []
    for tile in layout.tiles(size):
        before = len(met)
        for r in range(tile.r0, tile.r1):
            start = max(r + 1, tile.c0) if tile.triangle else tile.c0
            for c in range(start, tile.c1):
                pair = (int(layout.order[r]), int(layout.order[c]))
                met.append((min(pair), max(pair)))
        assert tile.comparisons == len(met) - before
    assert len(met) == len(set(met)) == layout.pairs
    truth = double_loop(w, same, probes)
    apart = {pair for pair in met if coded.subject[pair[0]] != coded.subject[pair[1]]}
    assert apart == {(i, j) for i, j, _ in truth.non_mated}
    assert non_mated_comparisons(coded) == len(truth.non_mated)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(0, 3), max_size=30))
def test_each_place_knows_where_another_person_begins(persons):
    """Counted place by place: the first later place that holds somebody else, or the end."""
    subject = np.array(persons, np.int32)
    expected = [
        next((q for q in range(p, len(persons)) if persons[q] != persons[p]), len(persons))
        for p in range(len(persons))
    ]
    assert behind_own_run(subject).tolist() == expected
