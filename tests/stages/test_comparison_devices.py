"""Tiles searched on devices, here by plain torch on the processor: the same result to the bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from comparison_worlds import world
from hypothesis import given, settings
from hypothesis import strategies as st

from frbench.comparison import ComparisonSpec, compare, compare_sets
from frbench.counting import checkpoint, devices, torch_tiles
from frbench.counting.torch_tiles import (
    TorchTiles,
    exact_product,
    float32_product,
    float64_product,
    int8_product,
    is_exact,
)
from frbench.counting.trial import tiles_for, trial
from frbench.counting.uploaded import Found
from frbench.errors import InputError
from frbench.values import ScoreTally

TWO = ("cpu", "cpu")


def assert_equal(a: ScoreTally, b: ScoreTally) -> None:
    """Equal to the bit."""
    assert a.floor == b.floor
    for name in ("mated", "tail"):
        for column in ("first", "second", "score"):
            left, right = (getattr(getattr(t, name), column) for t in (a, b))
            np.testing.assert_array_equal(left, right)
    assert (a.histogram is None) == (b.histogram is None)
    if a.histogram is not None:
        np.testing.assert_array_equal(a.histogram.counts, b.histogram.counts)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    images=st.integers(1, 150),
    dimensions=st.sampled_from([1, 24, 67]),
    spread=st.sampled_from([1.0, 0.05, 0.0]),
    same=st.sampled_from([(), ("sex",)]),
    keep_fmr=st.sampled_from([0.02, 0.3]),
    limit=st.sampled_from([5, 10**6]),
    bins=st.sampled_from([0, 64]),
    tile=st.sampled_from([1, 2]),
    side=st.sampled_from([7, 4096]),
)
def test_equals_the_processor(
    seed, images, dimensions, spread, same, keep_fmr, limit, bins, tile, side
):
    """Tail, floor, mated scores and histogram are those of the compiled loops."""
    w = world(seed, images=images, dimensions=dimensions, spread=spread)
    rest = {"same": same, "keep_fmr": keep_fmr, "tail_limit": limit, "histogram_bins": bins}
    known = compare(w.embedded, w.faces, ComparisonSpec(keep_all=1, **rest))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch_tiles, "SIDE", side)
        spec = ComparisonSpec(keep_all=1, tile=tile, devices=("cpu",), **rest)
        found = compare(w.embedded, w.faces, spec)
    assert_equal(found, known)
    assert found.work["devices"] == "cpu (torch)"


@pytest.mark.parametrize("bins", [0, 64])
def test_sets_equal_the_processor(bins: int):
    """Probes against references on a device, without a diagonal and with ordered cells."""
    w = world(3, images=120)
    sides = [w.rows(np.arange(50)), w.rows(np.arange(50, 120))]
    both = [part for side in sides for part in (side.embedded, side.faces)]
    spec = ComparisonSpec(keep_fmr=0.1, keep_all=1, histogram_bins=bins)
    there = ComparisonSpec(keep_fmr=0.1, keep_all=1, histogram_bins=bins, tile=1, devices=("cpu",))
    assert_equal(compare_sets(*both, there), compare_sets(*both, spec))


@pytest.mark.parametrize("devices_", [("cpu",), TWO, ("cpu",) * 5], ids=len)
@pytest.mark.parametrize("everything", [False, True])
def test_the_number_of_devices_does_not_matter(devices_: tuple[str, ...], everything: bool):
    """Devices share the tiles, in whatever order they end; with and without a guessed floor."""
    w = world(5, images=300, subjects=90, dimensions=40)
    keep = 10**6 if everything else 1
    spec = ComparisonSpec(keep_fmr=0.02, keep_all=keep, histogram_bins=64)
    there = ComparisonSpec(
        keep_fmr=0.02,
        keep_all=keep,
        histogram_bins=64,
        tile=32 if everything else 1,
        devices=devices_,
        workers=3,
    )
    found = compare(w.embedded, w.faces, there)
    assert_equal(found, compare(w.embedded, w.faces, spec))
    assert found.work["devices"] == ", ".join(["cpu (torch)"] * len(devices_))


def test_resumes_between_tiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """An interrupted run goes on behind its last saved tile and gives the uninterrupted result."""
    monkeypatch.setattr(checkpoint, "SPACING", 0.0)
    w = world(6, images=400, subjects=90)
    spec = ComparisonSpec(keep_fmr=0.02, keep_all=1, histogram_bins=64, tile=1, devices=TWO)
    told: list[int] = []

    def interrupt(done: int, total: int) -> None:
        told.append(done)
        if len(told) == 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compare(w.embedded, w.faces, spec, progress=interrupt, checkpoint=tmp_path)
    assert (tmp_path / "sweep.npz").exists()
    resumed: list[int] = []
    tally = compare(
        w.embedded,
        w.faces,
        spec,
        progress=lambda done, _: resumed.append(done),
        checkpoint=tmp_path,
    )
    whole: list[int] = []
    known = compare(w.embedded, w.faces, spec, progress=lambda done, _: whole.append(done))
    assert 0 < len(resumed) < len(whole)
    assert resumed == whole[-len(resumed) :]
    assert_equal(tally, known)
    plain = ComparisonSpec(keep_fmr=0.02, keep_all=1, histogram_bins=64)
    assert_equal(tally, compare(w.embedded, w.faces, plain))


def test_a_tile_with_too_many_candidates_is_searched_in_parts(monkeypatch: pytest.MonkeyPatch):
    """A lane that holds few candidates loses none of them, and counts no part twice."""
    refused = []

    class Small(TorchTiles):
        name = "small"

        def __init__(self, uploaded):
            super().__init__(uploaded, most=3)

        def find(self, tile, floor):
            found = super().find(tile, floor)
            refused.append(found is None)
            return found

    monkeypatch.setattr(devices, "tiles_for", lambda device, bins: Small)
    w = world(7, images=70)
    rest = {"keep_fmr": 0.05, "keep_all": 1, "histogram_bins": 64}
    found = compare(w.embedded, w.faces, ComparisonSpec(tile=2, devices=("cpu",), **rest))
    assert any(refused)
    assert_equal(found, compare(w.embedded, w.faces, ComparisonSpec(**rest)))


@pytest.mark.parametrize("width", [64, 1024, 1088, 2048])
@pytest.mark.parametrize("product", [int8_product, float32_product, float64_product])
def test_products_are_exact(product, width: int):
    """The largest digits and random ones, against sums in 64-bit integers."""
    if product is int8_product and not is_exact(product, "cpu", 64):
        pytest.skip("this processor's int8 product saturates")
    draw = torch.Generator().manual_seed(width)
    x = torch.randint(-127, 128, (40, width), generator=draw)
    x[:5] = torch.tensor([[127], [-127], [-128], [126], [-128]])
    found = product(x.to(torch.int8), x.to(torch.int8))
    assert found.dtype == torch.int32
    assert (found == x @ x.t()).all()


def test_a_product_that_rounds_is_not_taken():
    """One float32 sum over 2,047 coordinates cannot hold 2,047 times 127 squared, an odd number."""

    def unsplit(left, right):
        return (left.float() @ right.float().t()).to(torch.int32)

    assert not is_exact(unsplit, "cpu", 2047)
    assert is_exact(unsplit, "cpu", 1024)
    assert is_exact(exact_product("cpu", 2047), "cpu", 2047)


@pytest.mark.parametrize("bins", [False, True])
def test_lanes_are_tried_before_use(bins: bool):
    """A lane that loses a candidate, miscounts a bin or fails is found out."""

    class Loses(TorchTiles):
        def find(self, tile, floor):
            found = super().find(tile, floor)
            return Found(found.rows[1:], found.columns[1:], found.counts)

    class Miscounts(TorchTiles):
        def find(self, tile, floor):
            found = super().find(tile, floor)
            counts = tuple((b, a, each) for a, b, each in found.counts)
            return Found(found.rows, found.columns, counts)

    class Fails(TorchTiles):
        def find(self, tile, floor):
            raise RuntimeError("no such instruction")

    assert trial(TorchTiles, "cpu", bins) == ""
    assert trial(Loses, "cpu", bins) == "its results differ"
    assert trial(Miscounts, "cpu", bins) == ("its results differ" if bins else "")
    assert trial(Fails, "cpu", bins) == "RuntimeError: no such instruction"


@pytest.mark.parametrize("name", ["cuda:97", "nonsense"])
def test_a_device_that_is_not_there_is_named(name: str):
    """Asking for a device that this machine lacks is one sentence with a way out."""
    w = world(8)
    with pytest.raises(InputError, match=f"device '{name}' cannot be used .* take device=cpu"):
        compare(w.embedded, w.faces, ComparisonSpec(), device=name)


def test_a_device_without_right_integers_is_refused(monkeypatch: pytest.MonkeyPatch):
    """Where no way of multiplying is exact, the run stops before it counts anything."""

    def off_by_one(left, right):
        return float64_product(left, right) + 1

    monkeypatch.setattr(torch_tiles, "exact_product", lambda device, width: off_by_one)
    trial.cache_clear()
    with pytest.raises(InputError, match=r"'cpu' cannot be used .* \(its results differ\)"):
        tiles_for(torch.device("cpu"), False)
    trial.cache_clear()
