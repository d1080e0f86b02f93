"""The planner: each way where it is best, one result in all of them, and the choice on record."""

from __future__ import annotations

import numpy as np
import pytest
from comparison_worlds import score_by_hand
from hypothesis import given, settings
from hypothesis import strategies as st

import frbench.counting.engine as engine
import frbench.counting.plan as planning
from frbench.counting.digits import digits
from frbench.counting.engine import Counted, Settings, count_all
from frbench.counting.heads import directions, head
from frbench.counting.images import Images
from frbench.counting.plan import Plan
from frbench.counting.products import float_product, product_for


def templates(n: int, d: int, counting: int, seed: int = 0) -> np.ndarray:
    """Unit templates round a common direction; ``counting`` directions hold nearly all spread."""
    rng = np.random.default_rng(seed)
    size = np.where(np.arange(d) < counting, 1.0, 0.02)
    turned = np.linalg.qr(rng.standard_normal((d, d)))[0]
    x = (rng.standard_normal((n, d)) * size) @ turned + 5 * turned[0]
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def persons(n: int, each: int = 3) -> Images:
    """Images of n / each persons in one group and one stratum."""
    zero = np.zeros(n, np.int16)
    return Images((np.arange(n) // each).astype(np.int32), zero, zero, np.ones(n, np.bool_))


def counted(x: np.ndarray, *, keep_fmr: float = 1e-3, keep_all: int = 1) -> Counted:
    """The tail of all comparisons of these templates."""
    spec = Settings(keep_fmr, keep_all, 10**7, bins=0, tile=256, workers=2)
    return count_all(x, persons(len(x)), 1, spec)


def forced(monkeypatch: pytest.MonkeyPatch, x: np.ndarray, way: str, wide: int = 16) -> Counted:
    """The same, whatever the planner would choose."""

    def always(vectors, layout, split, sample, floor, *, workers):
        if way != "head":
            return Plan(way, "forced")
        basis = directions(vectors, layout.order, split.mean)[:, :wide]
        return Plan(way, "forced", head(vectors, layout.order, split, basis, workers=workers))

    with monkeypatch.context() as patch:
        patch.setattr(engine, "choose", always)
        return counted(x)


WORLDS = {
    "head": lambda: templates(9000, 128, 10),
    "digits": lambda: templates(3000, 128, 128),
    "direct": lambda: templates(300, 32, 32),
}


@pytest.mark.parametrize("way", ["head", "digits", "direct"])
def test_each_way_is_chosen_where_it_is_best(way: str):
    """Few counting directions call for a head, many for all digits, a list of all for scores."""
    found = counted(WORLDS[way](), keep_all=10**6 if way == "direct" else 1)
    assert found.work["way"] == way
    assert found.work["way_chosen"]


@pytest.mark.parametrize("world", ["head", "digits"])
def test_every_way_lists_the_same(monkeypatch: pytest.MonkeyPatch, world: str):
    """Whatever is chosen, pairs, scores and floor are the same to the bit."""
    x = WORLDS[world]()[:900]
    first = counted(x)
    for way, wide in (("head", 16), ("head", 64), ("digits", 0), ("direct", 0)):
        other = forced(monkeypatch, x, way, wide)
        assert other.work["way"] == way
        assert other.floor == first.floor
        for name in ("first", "second", "score"):
            assert (getattr(other.tail, name) == getattr(first.tail, name)).all()


def test_a_choice_is_made_again_alike():
    """The same case gives the same way for the same reason."""
    x = WORLDS["head"]()[:2000]
    one, two = counted(x), counted(x)
    assert one.work["way_chosen"] == two.work["way_chosen"]


def test_a_floor_that_most_comparisons_reach_leaves_nothing_to_sieve():
    """Where most of all scores are kept, each is computed at once."""
    found = counted(WORLDS["digits"]()[:1500], keep_fmr=0.9)
    assert found.work["way"] == "direct"
    assert "would pass" in str(found.work["way_chosen"])


def test_a_histogram_takes_all_digits():
    """With a histogram every comparison's digits are needed, and the record says so."""
    x = WORLDS["head"]()[:400]
    spec = Settings(1e-2, 1, 10**6, bins=64, tile=256, workers=1)
    work = count_all(x, persons(400), 1, spec).work
    assert (work["way"], "histogram" in str(work["way_chosen"])) == ("digits", True)


def test_a_slow_product_makes_heads_more_worth_having(monkeypatch: pytest.MonkeyPatch):
    """The forecast knows which product is exact here: without 8-bit ones a product costs more."""
    fast = planning.multiply(128)
    monkeypatch.setattr(planning, "product_for", lambda width: "float32")
    assert planning.multiply(128) > 2 * fast or product_for(128) != "int8"


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    d=st.sampled_from([17, 32, 65, 256]),
    part=st.floats(0.05, 1.0),
    counting=st.sampled_from([2, 10, 300]),
    length=st.sampled_from([1e-3, 1.0, 37.0]),
)
def test_no_score_escapes_a_head(seed, d, part, counting, length):
    """With the floor at a score, the head lets that comparison pass, for any number of directions.

    Checked with int64 arithmetic on the written definition of a score, term by term.
    """
    x = (length * templates(14, d, counting, seed)).astype(np.float32)
    order = np.random.default_rng(seed).permutation(len(x))
    split = digits(x, order)
    basis = directions(x, order, split.mean)[:, : max(int(part * d), 1)]
    front = head(x, order, split, basis, workers=1)
    h = front.high.numpy().astype(np.int64)
    product, add = h @ h.T, front.column_terms().astype(np.int64)
    for i in range(len(x)):
        for j in range(len(x)):
            score = float(score_by_hand(x[order[i]], x[order[j]]))
            need = int(front.row_terms(score)[i])
            assert product[i, j] + add[j] >= need
            assert abs(product[i, j] + add[j]) < 2**31


def test_a_head_of_crooked_directions_is_refused():
    """The bound rests on orthonormal directions, so others are not taken."""
    x = templates(40, 32, 8)
    order = np.arange(40)
    split = digits(x, order)
    with pytest.raises(ValueError, match="orthonormal"):
        head(x, order, split, 1.01 * np.eye(32)[:, :8])


def test_float_products_stay_exact_where_they_are_taken():
    """Up to the stated width a float32 product of the largest digits is an exact integer."""
    import torch

    from frbench.counting.products import SINGLE_WIDTH

    left = torch.full((3, SINGLE_WIDTH), 127, dtype=torch.int8)
    out = torch.empty((3, 3), dtype=torch.int32)
    float_product(left, -left, out, torch.float32)
    assert (out == -(127**2) * SINGLE_WIDTH).all()
    assert SINGLE_WIDTH * 127**2 <= 2**24 < (SINGLE_WIDTH + 1) * 127**2
