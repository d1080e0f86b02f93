"""The audit of a manifest of a million rows, beside merely reading the same file.

``ours`` is the whole command in a process of its own: start, reading, shares and intervals of
three labels and their combination, history, sources, findings, page and run folder.
"""

from __future__ import annotations

import argparse
import json
import os
import runpy
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd
from bench.timing import Row, machine, row, side_by_side, table

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "bench" / "results" / "audit.json"
MOST_SECONDS = 10.0
MOST_TIMES_READING = 20.0
"""No bar of a user's: a warning that the audit has grown beyond the reading that it needs."""


def written(folder: Path, rows: int) -> Path:
    """The made-up custody manifest of the documentation, with so many rows."""
    custody = runpy.run_path(str(ROOT / "scripts" / "custody_example.py"))["custody"]
    path = folder / "custody.csv"
    custody(rows, seed=20220901).to_csv(path, index=False, lineterminator="\n")
    return path


def audited(path: Path, folder: Path) -> None:
    """``frbench audit`` of the file, every label and their combination."""
    command = [sys.executable, "-m", "frbench", "audit", f"training_set.path={path}"]
    words = ("training_set.synthetic=true", "by=[ethnicity,sex,age_band]", "as_of=2026-11-23")
    out = Path(tempfile.mkdtemp(dir=folder)) / "run"
    done = subprocess.run(
        [*command, *words, f"output={out}"], capture_output=True, text=True, cwd=ROOT, check=False
    )
    if done.returncode != 0 or not (out / "report.html").is_file():
        raise SystemExit(f"frbench audit ended with {done.returncode}: {done.stderr}")


def measured(rows: int, repeats: int) -> list[Row]:
    """The audit and its peer in turn, after one round to warm the files."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = written(folder, rows)
        ours, reading = side_by_side(
            [lambda: audited(path, folder), lambda: pd.read_csv(path)], repeats
        )
        size = path.stat().st_size
    work = f"frbench audit, {rows:,} rows, three labels and their combination"
    more = {"rows": rows, "bytes": size}
    return [
        row(work, ours, "the bar", MOST_SECONDS, 1.0, **more),
        row(work, ours, "pandas.read_csv of the same file", reading, MOST_TIMES_READING, **more),
    ]


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--rows", type=int, default=1_000_000)
    options = parser.parse_args()
    before = machine()
    rows = measured(options.rows, options.repeats)
    print(table(rows))
    if options.rows != 1_000_000:
        print("not written: the results are of 1,000,000 rows")
        return
    found = [{**each, "machine": before} for each in rows]
    RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(f"written to {os.path.relpath(RESULTS)}")


if __name__ == "__main__":
    main()
