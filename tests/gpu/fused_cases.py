"""What the fused kernel must do, case by case, against plain integers; used by test_fused.

Run as a program it checks every case under Triton's interpreter and prints the outcome as JSON.
"""

from __future__ import annotations

import json
import math
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "stages"))

from comparison_worlds import world

from frbench.comparison import ComparisonSpec, compare
from frbench.counting.digits import Digits, digits
from frbench.counting.fused import FusedTiles, Shape
from frbench.counting.histograms import bin_shift
from frbench.counting.images import Images
from frbench.counting.layout import Layout, Tile, lay_out
from frbench.counting.trial import trial
from frbench.counting.uploaded import Found, Uploaded

SMALL = Shape(rows=16, columns=32, warps=4, stages=2)


class Scene:
    """Random templates of two groups, on the device and as plain integers."""

    def __init__(self, device: str, *, n: int = 75, d: int = 24, bins: int = 0) -> None:
        rng = np.random.default_rng(n + d)
        vectors = rng.standard_normal((n, d)).astype(np.float32)
        group = np.repeat(np.array([1, 0], np.int16), [n // 3, n - n // 3])
        images = Images(np.arange(n, dtype=np.int32), group, 0 * group, np.ones(n, np.bool_))
        self.bins = bins
        self.layout: Layout = lay_out(images)
        self.split: Digits = digits(vectors, self.layout.order, bins=bins)
        self.shift = bin_shift(self.split, bins) if bins else 0
        self.uploaded = Uploaded(
            self.split, self.layout, torch.device(device), bins=bins, shift=self.shift
        )

    def lane(self, **options) -> FusedTiles:
        """A lane with small blocks, so that small tiles have many, and ragged ones."""
        return FusedTiles(self.uploaded, shape=SMALL, **options)

    def check(self, found: Found | None, tile: Tile, floor: float) -> int:
        """Hold a finding against plain integers; gives the number of candidates."""
        rows, columns = np.arange(tile.r0, tile.r1), np.arange(tile.c0, tile.c1)
        high = self.split.high.numpy().astype(np.int64)
        product = high[rows] @ high[columns].T
        inside = (columns[None, :] > rows[:, None]) | (not tile.triangle)
        reached = product + self.split.column_terms().astype(np.int64)[columns]
        hit = inside & (reached >= self.split.row_terms(floor)[rows, None])
        known = list(zip(*(part.tolist() for part in np.nonzero(hit)), strict=True))
        assert found is not None
        assert sorted(zip(found.rows.tolist(), found.columns.tolist(), strict=True)) == known
        if self.bins:
            self._check_counts(found, rows, columns, product, inside)
        return len(known)

    def _check_counts(self, found, rows, columns, product, inside) -> None:
        width = self.split.high.shape[1]
        both = self.split.both.numpy().astype(np.int64)[0]
        high, low = both[:, :width], both[:, width:]
        term = self.split.fine_terms().astype(np.int64)
        value = 256 * product + high[rows] @ low[columns].T + low[rows] @ high[columns].T
        bin_of = (value + term[rows, None] + term[columns]) // 2**self.shift + self.bins // 2
        cells = {(a, b): counts for a, b, counts in found.counts}
        assert len(cells) == len(found.counts)
        group = self.layout.group
        for a in (0, 1):
            for b in (0, 1):
                here = inside & (group[rows] == a)[:, None] & (group[columns] == b)
                counts = np.bincount(bin_of[here], minlength=self.bins)
                assert cells.get((a, b), np.zeros(self.bins)).tolist() == counts.tolist()


def ragged_rectangle(device: str) -> None:
    """Rows and columns that fill no block."""
    scene, tile = Scene(device), Tile(3, 40, 41, 75, False)
    assert 0 < scene.check(scene.lane().find(tile, 4.0), tile, 4.0) < 37 * 34


def triangle(device: str) -> None:
    """On the diagonal only what lies behind it counts; below it, nothing."""
    scene = Scene(device)
    lane = scene.lane()
    for tile in (Tile(0, 75, 0, 75, True), Tile(20, 55, 5, 60, True), Tile(0, 30, 30, 75, True)):
        assert scene.check(lane.find(tile, 3.0), tile, 3.0) > 0
    below = Tile(50, 75, 0, 40, True)
    assert scene.check(lane.find(below, 3.0), below, 3.0) == 0


def everything(device: str) -> None:
    """Without a floor every comparison of the tile is a candidate."""
    scene, tile = Scene(device, n=34), Tile(0, 34, 0, 34, True)
    assert scene.check(scene.lane().find(tile, -math.inf), tile, -math.inf) == 34 * 33 // 2


def nothing(device: str) -> None:
    """A floor above all scores leaves no candidate."""
    scene, tile = Scene(device, n=34), Tile(0, 34, 0, 34, True)
    assert scene.check(scene.lane().find(tile, 1e6), tile, 1e6) == 0


def deep(device: str) -> None:
    """Products of several steps, the last one padded."""
    for d in (130, 200):
        scene, tile = Scene(device, n=40, d=d), Tile(0, 40, 0, 40, True)
        assert scene.check(scene.lane().find(tile, 10.0), tile, 10.0) > 0


def overflow(device: str) -> None:
    """A list that is too short is enlarged and filled anew; the lane works on afterwards."""
    scene, tile = Scene(device), Tile(0, 75, 0, 75, True)
    lane = scene.lane(room=8)
    for floor in (2.0, -3.0, 8.0):
        assert scene.check(lane.find(tile, floor), tile, floor) > 8


def full_to_the_brim(device: str) -> None:
    """A list of just the right length, or one place off, holds every candidate."""
    scene, tile = Scene(device, n=34), Tile(0, 34, 0, 34, True)
    found = scene.lane().find(tile, 5.0)
    assert found is not None
    for room in (len(found.rows) - 1, len(found.rows), len(found.rows) + 1):
        assert scene.check(scene.lane(room=room).find(tile, 5.0), tile, 5.0) == len(found.rows)


def overflow_with_histogram(device: str) -> None:
    """Repeating the sieve does not count the histogram twice."""
    scene, tile = Scene(device, bins=64), Tile(0, 75, 0, 75, True)
    assert scene.check(scene.lane(room=8).find(tile, 2.0), tile, 2.0) > 8


def too_many(device: str) -> None:
    """More candidates than a lane may hold are refused, so that the tile is cut."""
    scene, tile = Scene(device), Tile(0, 75, 0, 75, True)
    assert scene.lane(room=8, most=20).find(tile, 2.0) is None


def histogram(device: str) -> None:
    """Bins per pair of groups, of triangles, rectangles and tiles within one group."""
    scene = Scene(device, d=70, bins=256)
    lane = scene.lane()
    for tile in (Tile(0, 75, 0, 75, True), Tile(2, 33, 40, 74, True), Tile(40, 75, 1, 52, False)):
        scene.check(lane.find(tile, 9.0), tile, 9.0)


def more_blocks_than_copies(device: str) -> None:
    """Copies of a histogram are used in turn, and all of them count."""
    scene, tile = Scene(device, n=210, bins=32), Tile(0, 140, 0, 140, False)
    scene.check(scene.lane().find(tile, 9.0), tile, 9.0)


def usual_blocks(device: str) -> None:
    """The trial that stands before every use, with blocks of the usual size."""
    for bins in (False, True):
        assert trial(FusedTiles, device, bins) == ""


def whole_comparison(device: str) -> None:
    """From templates to tally, with a device of two lanes and several tiles."""
    w = world(4, images=90, subjects=40)
    for bins in (0, 64):
        spec = ComparisonSpec(keep_fmr=0.05, keep_all=1, histogram_bins=bins)
        there = ComparisonSpec(
            keep_fmr=0.05, keep_all=1, histogram_bins=bins, tile=2, devices=(device, device)
        )
        known, found = compare(w.embedded, w.faces, spec), compare(w.embedded, w.faces, there)
        assert "(fused)" in str(found.work["devices"])
        assert found.floor == known.floor
        for column in ("first", "second", "score"):
            left, right = (getattr(t.tail, column) for t in (found, known))
            np.testing.assert_array_equal(left, right)
        if bins:
            np.testing.assert_array_equal(found.histogram.counts, known.histogram.counts)


CASES: dict[str, Callable[[str], None]] = {
    case.__name__: case
    for case in (
        ragged_rectangle,
        triangle,
        everything,
        nothing,
        deep,
        overflow,
        full_to_the_brim,
        overflow_with_histogram,
        too_many,
        histogram,
        more_blocks_than_copies,
        usual_blocks,
        whole_comparison,
    )
}


def main() -> None:
    """Print {case: "" or what went wrong}."""
    outcome = {}
    for name, case in CASES.items():
        try:
            case("cpu")
            outcome[name] = ""
        except Exception:
            outcome[name] = traceback.format_exc()
    print(json.dumps(outcome))


if __name__ == "__main__":
    main()
