"""The engine against other packages, each in an environment of its own under ``bench/.envs``."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from bench.sets import labelled, random_directions
from bench.timing import Row, row

from frbench.comparison import ComparisonSpec, compare
from frbench.counting.listed import count_listed
from frbench.values import ScoreTally

HERE = Path(__file__).parent
SPEC = ComparisonSpec(keep_fmr=1e-2, keep_all=1, histogram_bins=0)
THRESHOLD = 0.3


def rows() -> list[Row]:
    """Rows for the peers whose environments exist; the others are named on stderr."""
    found: list[Row] = []
    for peer, measure in (("fairlearn", _fairlearn), ("bob.bio.base", _bob)):
        python = HERE / ".envs" / peer / "bin" / "python"
        if python.exists():
            found += measure(python)
        else:
            print(f"no environment for {peer} in bench/.envs: its row is left out", file=sys.stderr)
    return found


def _run(command: list[str]) -> dict[str, Any]:
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(command, check=True, capture_output=True, env=environment)
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def _fairlearn(python: Path) -> list[Row]:
    rng = np.random.default_rng(0)
    score = rng.standard_normal(1_000_000).astype(np.float32)
    cell, mated = rng.integers(0, 36, len(score)), rng.random(len(score)) < 0.1
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scores.npz"
        np.savez(path, score=score, cell=cell, mated=mated, threshold=1.0)
        theirs = _run([str(python), str(HERE / "peer_runs" / "fairlearn_rates.py"), str(path)])
    taken = []
    for _ in range(11):
        started = time.perf_counter()
        counts = count_listed(score, cell, mated, cells=36, threshold=1.0)
        fmr = counts[1, :, 2] / counts[1, :, 0]
        fnmr = 1 - counts[0, :, 2] / counts[0, :, 0]
        taken.append(time.perf_counter() - started)
    agrees = bool(np.allclose(np.stack([fmr, fnmr], axis=1), theirs["rates"], rtol=1e-12, atol=0))
    work = "10^6 scored comparisons, 36 cells, to rates"
    ours = float(np.median(taken))
    name = "fairlearn MetricFrame"
    return [row(work, ours, name, theirs["seconds"], 1 / 300, rates_agree=agrees)]


def _bob(python: Path) -> list[Row]:
    vectors, _ = random_directions(2000, 128)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "embeddings.npz"
        subject = np.arange(2000) // 4
        np.savez(path, vectors=vectors.vectors, subject=subject, threshold=THRESHOLD)
        theirs = _run([str(python), str(HERE / "peer_runs" / "bob_rates.py"), str(path)])
        ours = _run([sys.executable, "-m", "bench.against_peers", str(path)])
    work = "2,000 x 2,000 embeddings to false matches per pair of groups"
    name = "bob.bio.base PipelineSimple, without its score file"
    agrees = ours["errors"] == theirs["errors"]
    return [
        row(work, ours["seconds"], name, theirs["seconds"], 1 / 500, counts_agree=agrees),
        row(
            f"{work}: peak memory beyond imports and data",
            ours["peak"],
            name,
            theirs["peak"],
            0.1,
            unit="bytes",
            counts_agree=agrees,
        ),
    ]


def _errors(tally: ScoreTally) -> np.ndarray:
    kept = tally.tail.score >= np.float32(THRESHOLD)
    a, b = tally.group[tally.tail.first[kept]], tally.group[tally.tail.second[kept]]
    errors = np.zeros((8, 8), np.int64)
    # the peer compares in both directions
    np.add.at(errors, (a, b), 1)
    np.add.at(errors, (b, a), 1)
    return errors


def main() -> None:
    """Our side of the embeddings row, in a process of its own."""
    data = np.load(sys.argv[1])
    embedded, faces = labelled(data["vectors"], data["subject"])
    small = [labelled(data["vectors"][:64], data["subject"][:64])]
    # loads the compiled loops, as importing does for the peer
    compare(*small[0], SPEC)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    taken = []
    for _ in range(7):
        started = time.perf_counter()
        errors = _errors(compare(embedded, faces, SPEC))
        taken.append(time.perf_counter() - started)
    peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    seconds = float(np.median(taken))
    print(json.dumps({"seconds": seconds, "peak": peak, "errors": errors.tolist()}))


if __name__ == "__main__":
    main()
