"""What is in a run folder: tables, tallies and the record, written, hashed and read back."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import math
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from frbench.errors import InputError
from frbench.values import Finding, Histogram, ScoredPairs, ScoreTally, Threshold

PACKAGES = (
    "frbench",
    "torch",
    "torchvision",
    "facenet-pytorch",
    "numpy",
    "numba",
    "pandas",
    "scipy",
    "pyarrow",
    "pillow",
    "hydra-core",
    "omegaconf",
    "dlib-bin",
    "face-recognition-models",
    "onnxruntime",
)
CHECKSUMS = "SHA256SUMS"
"""Over every other file of the folder, ``run.json`` included; ``sha256sum -c`` reads it."""

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class RunRecord:
    """Everything a reviewer needs to reproduce a run; written as ``run.json``.

    ``artefacts`` maps each file of the folder to its SHA-256. Undefined numbers are null.
    """

    schema_version: int
    run_id: str
    verb: str
    started: str
    finished: str
    seconds: Mapping[str, float]
    config: Mapping[str, Any]
    overrides: Sequence[str]
    seed: int
    device: str
    code: Mapping[str, Any]
    packages: Mapping[str, str]
    machine: Mapping[str, Any]
    benchmark: Mapping[str, Any]
    matchers: Sequence[Mapping[str, Any]]
    thresholds: Sequence[Mapping[str, Any]]
    comparisons: Sequence[Mapping[str, Any]]
    groups: Sequence[Mapping[str, Any]] = ()
    inputs: Mapping[str, Any] = field(default_factory=dict)
    artefacts: Mapping[str, str] = field(default_factory=dict)


def plain(value: Any) -> Any:
    """The value as JSON can hold it; NaN and infinities become null and "inf"/"-inf"."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | np.ndarray):
        return [plain(each) for each in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else ("inf" if value > 0 else "-inf")
    if isinstance(value, Path):
        return str(value)
    return value


def write_json(path: Path, value: Any) -> None:
    """Writes ``value`` as UTF-8 JSON that any reader accepts."""
    text = json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def write_table(folder: Path, name: str, table: pd.DataFrame) -> None:
    """``name.parquet`` with its types and ``name.csv`` for people's scripts.

    In the CSV a text that a spreadsheet would run as a formula is given a leading apostrophe.
    """
    table.to_parquet(folder / f"{name}.parquet", index=False)
    (folder / f"{name}.csv").write_text(csv_text(table), encoding="utf-8", newline="\n")


def csv_text(table: pd.DataFrame) -> str:
    """The table as CSV, with formulas disarmed as ``write_table`` says."""
    safe = table.copy()
    for column in safe.columns:
        if not pd.api.types.is_numeric_dtype(safe[column]):
            safe[column] = safe[column].map(_defused, na_action="ignore")
    return str(safe.to_csv(index=False, lineterminator="\n"))


def _defused(text: Any) -> Any:
    if isinstance(text, str) and text.startswith(FORMULA_STARTS):
        return "'" + text
    return text


def write_tally(folder: Path, tally: ScoreTally) -> None:
    """The tally as Parquet and JSON: persons and images are numbers, no id is written."""
    folder.mkdir(parents=True, exist_ok=True)
    images = {name: getattr(tally, name) for name in ("subject", "group", "stratum", "enrolled")}
    pd.DataFrame(images).to_parquet(folder / "images.parquet", index=False)
    for name in ("mated", "tail", "listed"):
        pairs: ScoredPairs | None = getattr(tally, name)
        if pairs is not None:
            table = pd.DataFrame(
                {"first": pairs.first, "second": pairs.second, "score": pairs.score}
            )
            table.to_parquet(folder / f"{name}.parquet", index=False)
    if tally.histogram is not None:
        with (folder / "histogram.npz").open("wb") as file:
            np.savez_compressed(file, edges=tally.histogram.edges, counts=tally.histogram.counts)
    about = {
        "groups": tally.groups,
        "floor": tally.floor,
        "policy": tally.policy,
        "ordered": tally.ordered,
        "references_from": tally.references_from,
        "enrolment_known": tally.enrolment_known,
        "bin_error": None if tally.histogram is None else tally.histogram.bin_error,
        "work": tally.work,
    }
    write_json(folder / "tally.json", about)


def read_tally(folder: Path) -> ScoreTally:
    """The tally that ``write_tally`` wrote. Raises InputError when the folder holds none."""
    try:
        about = json.loads((folder / "tally.json").read_text(encoding="utf-8"))
        images = pd.read_parquet(folder / "images.parquet")
        pairs = {name: _read_pairs(folder / f"{name}.parquet") for name in ("mated", "tail")}
    except (OSError, ValueError) as cause:
        raise InputError(f"{folder}: no readable tally of a run in it ({cause}).") from cause
    listed = folder / "listed.parquet"
    histogram = None
    if (folder / "histogram.npz").is_file():
        with np.load(folder / "histogram.npz", allow_pickle=False) as arrays:
            histogram = Histogram(arrays["edges"], arrays["counts"], about["bin_error"])
    return ScoreTally(
        groups=tuple(about["groups"]),
        subject=images["subject"].to_numpy(dtype=np.int32),
        group=images["group"].to_numpy(dtype=np.int16),
        stratum=images["stratum"].to_numpy(dtype=np.int16),
        enrolled=images["enrolled"].to_numpy(dtype=np.bool_),
        mated=pairs["mated"],
        tail=pairs["tail"],
        floor=float(about["floor"]),
        policy=about["policy"],
        ordered=about["ordered"],
        references_from=about.get("references_from"),  # earlier runs had one set or a list
        listed=_read_pairs(listed) if listed.is_file() else None,
        histogram=histogram,
        enrolment_known=about["enrolment_known"],
        work=about["work"],
    )


def _read_pairs(path: Path) -> ScoredPairs:
    table = pd.read_parquet(path)
    return ScoredPairs(
        table["first"].to_numpy(dtype=np.int32),
        table["second"].to_numpy(dtype=np.int32),
        table["score"].to_numpy(),
    )


def read_findings(path: Path) -> list[Finding]:
    """The findings of a run folder's ``findings.json``."""
    rows = json.loads(path.read_text(encoding="utf-8"))
    known = {each.name for each in fields(Finding)}
    return [Finding(**{key: row[key] for key in row if key in known}) for row in rows]


def threshold_row(arm: str, threshold: Threshold) -> dict[str, Any]:
    """A threshold as a row of the record, with the arm it belongs to."""
    return {"arm": arm, "label": threshold.label, **asdict(threshold)}


def hash_file(path: Path) -> str:
    """SHA-256 of a file's bytes, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_table(table: pd.DataFrame) -> str:
    """SHA-256 of a table's column names and values as text, in order."""
    digest = hashlib.sha256()
    digest.update(table.to_csv(index=False, lineterminator="\n").encode())
    return digest.hexdigest()


def artefact_hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below ``folder`` except ``run.json`` and logs, by relative name."""
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {
        p.relative_to(folder).as_posix(): hash_file(p)
        for p in files
        if p.name not in ("run.json", CHECKSUMS) and p.suffix != ".log"
    }


def checksums(folder: Path) -> str:
    """The text of ``SHA256SUMS`` as the folder stands, a line per file, by name."""
    names = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    return "".join(f"{hash_file(folder / n)}  {n}\n" for n in names if n != CHECKSUMS)


def write_checksums(folder: Path) -> None:
    """Writes ``SHA256SUMS``; whoever writes into a run folder does this last."""
    (folder / CHECKSUMS).write_text(checksums(folder), encoding="utf-8", newline="\n")


def packages() -> dict[str, str]:
    """Versions of the packages that can change a result, of those installed."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def code_revision() -> dict[str, Any]:
    """The git commit of frbench's own checkout and whether it was changed; nulls without one."""
    here = Path(__file__).resolve().parent

    def git(*words: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", "-C", str(here), *words], capture_output=True, text=True, timeout=20
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    tracked = git("ls-files", "--error-unmatch", str(Path(__file__).resolve()))
    if tracked is None:
        return {"revision": None, "dirty": None}
    return {"revision": git("rev-parse", "HEAD"), "dirty": bool(git("status", "--porcelain"))}
