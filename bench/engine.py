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
from frbench.counting import engine
from frbench.counting.heads import directions, head
from frbench.counting.listed import count_listed
from frbench.counting.plan import Plan
from frbench.values import EmbeddingSet

RESULTS = Path(__file__).parent / "results" / "engine.json"
N = 16_384
LARGE = 200_000
TAIL = ComparisonSpec(keep_fmr=1e-3, histogram_bins=0)
MOST = ComparisonSpec(keep_fmr=0.6, keep_all=1, histogram_bins=0)
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


def planned(repeats: int) -> list[Row]:
    """The way that the planner chooses against the fastest of the others, case by case."""
    random, rows = random_directions(N, 512), []
    cases = [
        ("random directions, d = 512", random, TAIL),
        ("random directions, d = 128", random_directions(N, 128), TAIL),
        ("N = 1,500, all scores kept, d = 512", _first(random, 1500), TAIL),
        ("N = 3,000, the highest 60 %, d = 512", _first(random, 3000), MOST),
    ]
    faces = real_faces(N)
    if faces is not None:
        cases.append(("dlib templates, rotated copies, d = 128", faces, TAIL))
        cases.append(("dlib templates, N = 3,000", _first(faces, 3000), TAIL))
    for name, data, spec in cases:
        way = compare(*data, spec).work["way"]
        others = [
            w
            for w in ("head", "digits", "direct")
            if w != way and (w != "direct" or len(data[1]) < N)
        ]
        runs = [lambda d=data, s=spec: compare(*d, s)]
        runs += [lambda d=data, s=spec, w=w: _forced(d, s, w) for w in others]
        ours, *rest = side_by_side(runs, repeats)
        best = int(np.argmin(rest))
        against = f"{others[best]}, the fastest other way"
        rows.append(row(f"chosen way: {name}", ours, against, rest[best], 1.1, way=way))
    return rows


def _first(data, n: int):
    embedded, faces = data
    columns = (embedded.vectors, embedded.enrolled, embedded.failure, embedded.image_id)
    part = EmbeddingSet(*(c[:n] for c in columns), embedded.matcher, embedded.fingerprint)
    return part, faces.iloc[:n].reset_index(drop=True)


def _forced(data, spec: ComparisonSpec, way: str) -> None:
    def always(vectors, layout, split, sample, floor, *, workers):
        front = None
        if way == "head":
            basis = directions(vectors, layout.order, split.mean)[:, : vectors.shape[1] // 2]
            front = head(vectors, layout.order, split, basis, workers=workers)
        return Plan(way, "forced", front)

    usual, engine.choose = engine.choose, always
    try:
        compare(*data, spec)
    finally:
        engine.choose = usual


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
    kept = {
        k: tally.work[k]
        for k in ("way", "way_chosen", "comparisons", "recomputed", "screened_band", "sweeps")
    }
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
    parser.add_argument(
        "--only", choices=["counting", "planned", "listed", "large", "peers"], action="append"
    )
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child is not None:
        child(options.child)
        return
    before = machine()
    parts = {
        "counting": lambda: counting(options.repeats),
        "planned": lambda: planned(options.repeats),
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
