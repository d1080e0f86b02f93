"""Speed of the comparison engine on a CUDA device; run by ``scripts/bench gpu``.

Without a CUDA device nothing is measured and nothing written. The peers are the products of the
vendor's library alone, over the same tiles of the upper triangle into a reused buffer: int8 with
int32 sums, which is what the kernel multiplies, and bfloat16.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from bench.sets import random_directions
from bench.timing import Row, machine, row, side_by_side, table

from frbench.comparison import ComparisonSpec, compare
from frbench.counting.devices import LANES, WIDEST
from frbench.counting.digits import digits
from frbench.counting.images import code_images
from frbench.counting.layout import lay_out
from frbench.counting.trial import tiles_for, usable
from frbench.counting.uploaded import Uploaded
from frbench.values import ScoreTally

RESULTS = Path(__file__).parent / "results" / "gpu.json"
N, D = 1_000_000, 512
SIDE = 16_384
"""Of the peers' products: their sums take 1 GiB."""

SHARE = 0.6
"""Of the vendor's speed that is to be reached."""


def rows_for(device: torch.device, n: int, d: int, repeats: int) -> list[Row]:
    """All rows on one device."""
    vectors, faces = random_directions(n, d)
    spec = ComparisonSpec(keep_fmr=1e-3, histogram_bins=0)
    binned = replace(spec, histogram_bins=4096)
    taken, tally = _timed(lambda: compare(vectors, faces, spec, device=str(device)))
    taken_binned, _ = _timed(lambda: compare(vectors, faces, binned, device=str(device)))
    images = code_images(vectors, faces, ())
    kept = {k: tally.work[k] for k in ("comparisons", "recomputed", "sweeps", "devices")}
    kept |= {"listed": len(tally.tail), "floor": tally.floor}
    search, products = _searching(vectors.vectors, images, device, tally.floor)
    names = ("int8 product alone", "bfloat16 product alone")
    ours, *peers = side_by_side([search, *products], repeats)
    work = f"N = {n:,}, d = {d}"
    return [
        *(
            row(f"{work}: candidates of all comparisons", ours, name, peer, 1 / SHARE, **kept)
            for name, peer in zip(names, peers, strict=True)
        ),
        row(f"{work}: templates to exact tail", taken, "20 s", 20.0, 1.0, **kept),
        row(f"{work}: the same with 4,096-bin histograms", taken_binned, "20 s", 20.0, 1.0),
    ]


def _timed(run: Callable[[], ScoreTally]) -> tuple[float, ScoreTally]:
    started = time.perf_counter()
    tally = run()
    return time.perf_counter() - started, tally


def _searching(vectors, images, device, floor) -> tuple[Callable[[], None], list[Callable]]:
    """The kernel over all tiles as the engine drives it, and the bare products."""
    layout = lay_out(images)
    split = digits(vectors, layout.order)
    uploaded = Uploaded(split, layout, device, bins=0, shift=0)
    make = tiles_for(device, False)
    lanes = [make(uploaded) for _ in range(LANES)]
    tiles = list(layout.tiles(WIDEST))

    def part(number: int) -> None:
        for tile in tiles[number::LANES]:
            if lanes[number].find(tile, floor) is None:
                raise SystemExit("a tile holds more candidates than a lane; raise the floor")

    def search() -> None:
        with ThreadPoolExecutor(LANES) as pool:
            list(pool.map(part, range(LANES)))
        _wait(device)

    small = uploaded.templates[0]
    return search, [
        _bare(small, layout, lambda a, b, out: torch._int_mm(a, b, out=out), torch.int32),
        _bare(small.bfloat16(), layout, lambda a, b, out: torch.mm(a, b, out=out), torch.bfloat16),
    ]


def _bare(templates, layout, multiply, sums) -> Callable[[], None]:
    held = torch.empty(SIDE * SIDE, dtype=sums, device=templates.device)

    def run() -> None:
        for tile in layout.tiles(SIDE):
            shape = (tile.r1 - tile.r0, tile.c1 - tile.c0)
            out = held[: shape[0] * shape[1]].view(shape)
            multiply(templates[tile.r0 : tile.r1], templates[tile.c0 : tile.c1].t(), out)
        _wait(templates.device)

    return run


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def agree(device: torch.device, n: int, d: int) -> None:
    """Refuse to measure what gives other results than the processor."""
    vectors, faces = random_directions(n, d)
    spec = ComparisonSpec(keep_fmr=1e-3, keep_all=1, histogram_bins=1024)
    here = compare(vectors, faces, spec)
    there = compare(vectors, faces, replace(spec, devices=(str(device),)))
    same = here.floor == there.floor and all(
        np.array_equal(getattr(here.tail, name), getattr(there.tail, name))
        for name in ("first", "second", "score")
    )
    if not same or not np.array_equal(here.histogram.counts, there.histogram.counts):
        raise SystemExit(f"{device} and the processor disagree")


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--images", type=int, default=N, help="other than the usual: not written")
    options = parser.parse_args()
    if not torch.cuda.is_available():
        print("skipped: no CUDA device")
        return
    device = usable("cuda")
    on = {**machine(), "gpu": torch.cuda.get_device_name(device)}
    agree(device, 20_000, D)
    rows = rows_for(device, options.images, D, options.repeats)
    print(table(rows))
    if options.images == N:
        RESULTS.parent.mkdir(exist_ok=True)
        named = [{**r, "machine": on} for r in rows]
        RESULTS.write_text(json.dumps(named, indent=1) + "\n", encoding="utf-8")
        print(f"written to {os.path.relpath(RESULTS)}")


if __name__ == "__main__":
    main()
