"""Speed and memory of the comparison engine; run by ``scripts/bench engine``.

Every row measures both sides in this run. The bare product is ``torch.mm`` in float32 over the
same tiles of the upper triangle into reused buffers, with all cores: each product split over the
cores, each core with tiles of its own, or with larger tiles, whichever is the fastest.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from bench import peer_rows
from bench.sets import random_directions, real_faces
from bench.timing import Row, machine, row, side_by_side, table

from frbench.comparison import ComparisonSpec, compare
from frbench.counting.listed import count_listed

RESULTS = Path(__file__).parent / "results" / "engine.json"
N = 16_384
LARGE = 200_000
TAIL = ComparisonSpec(keep_fmr=1e-3, histogram_bins=0)
FULL = ComparisonSpec(keep_fmr=1e-3, histogram_bins=4096)


def bare_product(vectors: np.ndarray, tile: int) -> Callable[[], None]:
    """The blocked float32 product alone: what any exact counting was thought to cost at least."""
    x, out = torch.from_numpy(vectors), torch.empty(tile, tile)

    def run() -> None:
        for i in range(0, len(x), tile):
            for j in range(i, len(x), tile):
                torch.mm(x[i : i + tile], x[j : j + tile].t(), out=out)

    return run


def product_per_core(vectors: np.ndarray, tile: int) -> Callable[[], None]:
    """The same, with whole tiles for each core, as the engine works."""
    x, local = torch.from_numpy(vectors), threading.local()

    def one(place: tuple[int, int]) -> None:
        if not hasattr(local, "out"):
            local.out = torch.empty(tile, tile)
        i, j = place
        torch.mm(x[i : i + tile], x[j : j + tile].t(), out=local.out)

    def run() -> None:
        places = [(i, j) for i in range(0, len(x), tile) for j in range(i, len(x), tile)]
        cores, before = len(os.sched_getaffinity(0)), torch.get_num_threads()
        with ThreadPoolExecutor(cores, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            list(pool.map(one, places))
        torch.set_num_threads(before)

    return run


def counting(repeats: int) -> list[Row]:
    """Exact counts against the bare product."""
    rows = []
    for d, bar in ((512, 1.10), (128, 1.20)):
        data = random_directions(N, d)
        rows.append(_against_product(f"exact tail at FMR 1e-3, d = {d}", data, TAIL, bar, repeats))
        if d == 512:
            work = "the same with 4,096-bin histograms, 8 x 8 groups, d = 512"
            rows.append(_against_product(work, data, FULL, 1.25, repeats))
    faces = real_faces(N)
    if faces is not None:
        work = "exact tail at FMR 1e-3 on dlib templates of real faces, rotated copies, d = 128"
        rows.append(_against_product(work, faces, TAIL, 0.6, repeats))
        work = "the same with 4,096-bin histograms, d = 128"
        rows.append(_against_product(work, faces, FULL, 1.25, repeats))
    return rows


def _against_product(work, data, spec, bar, repeats) -> Row:
    vectors = data[0].vectors
    runs = [
        lambda: compare(*data, spec),
        bare_product(vectors, spec.tile),
        bare_product(vectors, 2048),
        product_per_core(vectors, spec.tile),
    ]
    ours, *bare = side_by_side(runs, repeats)
    tally = compare(*data, spec)
    kept = {k: tally.work[k] for k in ("comparisons", "recomputed", "screened_band", "sweeps")}
    name = "bare blocked float32 product"
    return row(f"N = {N:,}: {work}", ours, name, min(bare), bar, **kept, listed=len(tally.tail))


def listed_scores(repeats: int) -> list[Row]:
    """A million scored comparisons in 36 cells."""
    rng = np.random.default_rng(0)
    score = rng.standard_normal(1_000_000).astype(np.float32)
    cell, mated = rng.integers(0, 36, len(score)), rng.random(len(score)) < 0.1

    def by_bincount() -> np.ndarray:
        key = cell + 36 * ~mated
        accepted = np.bincount(key[score >= np.float32(3)], minlength=72)
        return accepted / np.maximum(np.bincount(key, minlength=72), 1)

    def by_frbench() -> np.ndarray:
        counts = count_listed(score, cell, mated, cells=36, threshold=3.0).reshape(72, 3)
        return counts[:, 2] / np.maximum(counts[:, 0], 1)

    if not np.array_equal(by_bincount(), by_frbench()):
        raise SystemExit("count_listed and numpy.bincount disagree")
    ours, peer = side_by_side([by_frbench, by_bincount], 5 * repeats)
    return [row("10^6 scored comparisons, 36 cells, to rates", ours, "numpy.bincount", peer, 1.5)]


def large() -> list[Row]:
    """Memory, and survival of a kill, at N = 200,000."""
    folder = tempfile.mkdtemp()
    killed = subprocess.Popen(_child(folder))
    state = Path(folder) / "sweep.npz"
    while killed.poll() is None and not state.exists():
        time.sleep(0.5)
    time.sleep(2.0)
    killed.send_signal(signal.SIGKILL)
    if killed.wait() == 0:
        raise SystemExit("the large run ended before it could be killed")
    resumed = json.loads(subprocess.run(_child(folder), check=True, capture_output=True).stdout)
    whole = json.loads(subprocess.run(_child(""), check=True, capture_output=True).stdout)
    if resumed["digest"] != whole["digest"]:
        raise SystemExit("the resumed run differs from the uninterrupted one")
    work = f"N = {LARGE:,}, d = 128, 8 groups, histograms: peak memory beside the templates"
    return [
        row(
            work,
            whole["peak"],
            "2 GB",
            2e9,
            1.0,
            unit="bytes",
            seconds=whole["seconds"],
            listed=whole["listed"],
            resumed_after_kill=True,
            skipped=resumed["skipped"],
            peak_resumed=resumed["peak"],
        )
    ]


def beside_peers(repeats: int) -> list[Row]:
    """The rows against other tools, each in an environment of its own."""
    rows, missing = peer_rows.measured(["templates", "listed"], min(repeats, 3))
    for name, reason in missing.items():
        print(f"{name}: not measured: {reason}")
    return rows


def _child(folder: str) -> list[str]:
    return [sys.executable, "-m", "bench.engine", "--child", folder]


def child(folder: str) -> None:
    """One large run in a process of its own; prints peak memory beyond templates as JSON."""
    vectors, faces = random_directions(LARGE, 128)
    told: list[int] = []
    started = time.perf_counter()
    tally = compare(
        vectors,
        faces,
        ComparisonSpec(keep_fmr=1e-3),
        progress=lambda done, total: told.append(done),
        checkpoint=Path(folder) if folder else None,
    )
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - vectors.vectors.nbytes
    digest = [
        int(tally.tail.first.sum()),
        int(tally.tail.second.sum()),
        tally.floor,
        float(tally.tail.score.sum(dtype=np.float64)),
        zlib.crc32(tally.histogram.counts.tobytes()),
    ]
    print(
        json.dumps(
            {
                "peak": peak,
                "seconds": seconds,
                "listed": len(tally.tail),
                "skipped": told[0],
                "digest": digest,
            }
        )
    )


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--only", choices=["counting", "listed", "large", "peers"], action="append")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child is not None:
        child(options.child)
        return
    before = machine()
    parts = {
        "counting": lambda: counting(options.repeats),
        "listed": lambda: listed_scores(options.repeats),
        "large": large,
        "peers": lambda: beside_peers(options.repeats),
    }
    rows = [r for name in options.only or parts for r in parts[name]()]
    print(table(rows))
    write([{**r, "machine": before} for r in rows])


def write(rows: list[Row]) -> None:
    """Replace the rows of the same work and peer, keep the others."""
    RESULTS.parent.mkdir(exist_ok=True)
    old = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else []
    measured = {(r["work"], r["against"]) for r in rows}
    kept = [r for r in old if (r["work"], r["against"]) not in measured]
    RESULTS.write_text(json.dumps([*kept, *rows], indent=1) + "\n", encoding="utf-8")
    print(f"written to {os.path.relpath(RESULTS)}")


if __name__ == "__main__":
    main()
