"""Which runs may go: old ones, all but the newest of their kind, and what interrupted runs left."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from frbench.errors import InputError
from frbench.run_collection.index import Entry

UNFINISHED_AFTER = timedelta(days=1)


@dataclass(frozen=True)
class Candidate:
    """A folder that would go.

    Attributes:
        size: bytes of its files.
        why: in words.
    """

    folder: Path
    size: int
    why: str


def candidates(
    root: Path,
    runs: Sequence[Entry],
    *,
    now: datetime,
    older_than: int | None = None,
    keep: int | None = None,
    aside: bool = False,
) -> list[Candidate]:
    """Folders that may go, oldest first.

    Args:
        runs: newest first.
        older_than: days since the run finished.
        keep: how many of the newest of each verb, matcher and set stay. With ``older_than`` a run
            goes only if both say so.
        aside: also runs that moved aside when another took their place (``name~1``).

    Unfinished folders of more than a day go in any case. A run whose thresholds another run takes
    (``operating_point.from_run``), or that a comparison was made of, stays.
    """
    found = _unfinished(root, now)
    needed = _needed(root, runs)
    seen: dict[tuple[str, str, str], int] = {}
    for entry in runs:
        kind = (entry.verb, entry.matcher, entry.benchmark)
        seen[kind] = seen.get(kind, 0) + 1
        reasons = _reasons(entry, seen[kind], now, older_than, keep)
        if aside and "~" in Path(entry.folder).name:
            reasons = ["another run took its place"]
        folder = (root / entry.folder).resolve()
        if reasons and folder not in needed:
            found.append(Candidate(folder, _size(folder), " and ".join(reasons)))
    return found[::-1]


def _reasons(
    entry: Entry, place: int, now: datetime, older_than: int | None, keep: int | None
) -> list[str]:
    """Why a run may go, empty where one of the conditions that were given keeps it."""
    reasons = []
    if older_than is not None:
        try:
            finished = datetime.fromisoformat(entry.finished)
        except ValueError:
            return []
        finished = finished if finished.tzinfo else finished.replace(tzinfo=UTC)
        if now - finished <= timedelta(days=older_than):
            return []
        reasons.append(f"finished {(now - finished).days} days ago")
    if keep is not None:
        if place <= keep:
            return []
        reasons.append(f"not among the newest {keep} of its kind")
    return reasons


def _unfinished(root: Path, now: datetime) -> list[Candidate]:
    found = []
    for folder in root.rglob(".*partial-*"):
        if not folder.is_dir() or folder.is_symlink() or (folder / "run.json").is_file():
            continue
        age = now - datetime.fromtimestamp(folder.stat().st_mtime, UTC)
        if age > UNFINISHED_AFTER:
            found.append(Candidate(folder, _size(folder), "left by an interrupted run"))
    return found


def _needed(root: Path, runs: Sequence[Entry]) -> set[Path]:
    """Folders that the records of other runs refer to."""
    needed = set()
    for entry in runs:
        try:
            record = json.loads((root / entry.folder / "run.json").read_text(encoding="utf-8"))
            source = ((record.get("config") or {}).get("operating_point") or {}).get("from_run")
            names = [source] if source else []
            names += [one["folder"] for one in record.get("compared") or ()]
        except (OSError, ValueError, AttributeError, KeyError, TypeError):
            continue
        needed |= {Path(str(name)).expanduser().resolve() for name in names}
    return needed


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def remove(found: Sequence[Candidate]) -> None:
    """Deletes the folders. Raises InputError where one cannot be deleted."""
    for each in found:
        try:
            shutil.rmtree(each.folder)
        except OSError as cause:
            raise InputError(f"{each.folder}: cannot be deleted ({cause.strerror})") from cause
