"""The bundle as one JSON file, checked line by line when it comes from somebody else."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from frbench.errors import InputError
from frbench.exchange.counts import KINDS, VERSION, Bundle, Cell
from frbench.runs import plain
from frbench.values import ALL

FORMAT = "frbench-exchange"


def write_bundle(bundle: Bundle, path: Path) -> str:
    """Writes the file; gives the SHA-256 of its content, which is also in it.

    Raises:
        InputError: the file cannot be written.
    """
    content = _content(bundle)
    digest = _digest(content)
    text = json.dumps({**content, "sha256": digest}, indent=1, ensure_ascii=False, allow_nan=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n", encoding="utf-8", newline="\n")
    except OSError as cause:
        raise InputError(
            f"output={path}: cannot be written ({cause.strerror}); choose another file."
        ) from cause
    return digest


def read_bundle(path: Path) -> Bundle:
    """Reads and checks a bundle.

    Raises:
        InputError: no bundle, another version, changed on the way, or counts that cannot be.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as cause:
        raise InputError(f"{path}: cannot be read as JSON ({cause}).") from cause
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InputError(f"{path}: no bundle of frbench exchange.")
    if content.get("version") != VERSION:
        raise InputError(
            f"{path}: version {content.get('version')} of the bundle, this frbench reads {VERSION}."
        )
    digest = content.pop("sha256", "")
    if _digest(content) != digest:
        raise InputError(f"{path}: changed since it was written; ask its source for it again.")
    try:
        bundle = _bundle(content)
    except (KeyError, TypeError, ValueError) as cause:
        raise InputError(f"{path}: not a whole bundle ({cause}).") from cause
    problems = _impossible(bundle)
    if problems:
        raise InputError.listing(f"{path}: counts that cannot be:", problems)
    return replace(bundle, sha256=digest)


def _content(bundle: Bundle) -> dict[str, Any]:
    content = {key: value for key, value in asdict(bundle).items() if key != "sha256"}
    content["cells"] = [
        [getattr(cell, each.name) for each in fields(Cell)] for cell in bundle.cells
    ]
    content["columns"] = [each.name for each in fields(Cell)]
    told: dict[str, Any] = plain({"format": FORMAT, "version": VERSION, **content})
    return told


def _digest(content: dict[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def _bundle(content: dict[str, Any]) -> Bundle:
    if content["columns"] != [each.name for each in fields(Cell)]:
        raise ValueError("its columns are not those of this version")
    cells = []
    for row in content["cells"]:
        kind, point, probe, reference, errors, comparisons, effective = row
        texts = (kind, point, probe, reference)
        if kind not in KINDS or not all(isinstance(each, str) for each in texts):
            raise ValueError(f"a cell without a kind or a group: {row}")
        cells.append(Cell(*texts, _count(errors), _count(comparisons), _number(effective)))
    return Bundle(
        source=str(content["source"]),
        k=int(content["k"]),
        about=dict(content["about"]),
        thresholds={str(key): float(value) for key, value in content["thresholds"].items()},
        groups=tuple((str(g), _count(p), _count(i)) for g, p, i in content["groups"]),
        totals=(int(content["totals"][0]), int(content["totals"][1])),
        cells=tuple(cells),
    )


def _count(value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{value!r} is no count")
    return value


def _number(value: Any) -> float | None:
    if value is None:
        return None
    number = float(value)
    if not math.isfinite(number) or number <= 0:
        raise ValueError(f"{value!r} is no effective number of comparisons")
    return number


def _impossible(bundle: Bundle) -> list[str]:
    """Cells with more errors than comparisons, doubled cells, and totals below their parts."""
    problems = []
    seen: set[tuple[str, str, str, str]] = set()
    parts: dict[tuple[str, str], int] = {}
    for cell in bundle.cells:
        key = (cell.kind, cell.point, cell.probe_group, cell.reference_group)
        if key in seen:
            problems.append(f"{key} stands twice")
        seen.add(key)
        if None not in (cell.errors, cell.comparisons) and cell.errors > cell.comparisons:  # type: ignore[operator]
            problems.append(f"{key}: {cell.errors} errors in {cell.comparisons} comparisons")
        if cell.reference_group != ALL and cell.errors is not None:
            parts[cell.kind, cell.point] = parts.get((cell.kind, cell.point), 0) + cell.errors
    for cell in bundle.cells:
        if cell.probe_group == cell.reference_group == ALL and cell.errors is not None:
            known = parts.get((cell.kind, cell.point), 0)
            if cell.errors < known:
                problems.append(f"{cell.kind} {cell.point}: the total is below its cells")
    return problems
