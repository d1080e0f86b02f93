"""A run folder as flat names and values, in the characters that trackers accept."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

NAME_LENGTH = 240
VALUE_LENGTH = 6000


def flat(settings: Mapping[str, Any]) -> dict[str, str]:
    """Nested settings as ``a.b.c`` -> text; lists are JSON, long texts end in an ellipsis."""
    found: dict[str, str] = {}
    for key, value in _leaves("", settings):
        name = distinct(safe_name(key), found)
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        found[name] = text if len(text) <= VALUE_LENGTH else text[: VALUE_LENGTH - 1] + "…"
    return found


def metrics_of(folder: Path, record: Mapping[str, Any]) -> dict[str, float]:
    """The run's finite numbers: rates with intervals per group, differentials, findings, seconds.

    A rate is ``[arm/]point/FMR/group`` with ``… low`` and ``… high``; groups compared with each
    other are left to the tables.
    """
    found: dict[str, float] = {}
    rates, gaps = folder / "rates.parquet", folder / "gaps.parquet"
    if rates.is_file():
        table = pd.read_parquet(rates)
        own = table[table["probe_group"] == table["reference_group"]]
        for row in own.to_dict("records"):
            start = [row["arm"], row["operating_point"], row["kind"], row["probe_group"]]
            _add(found, start, row["rate"])
            _add(found, [*start[:-1], f"{start[-1]} low"], row["low"])
            _add(found, [*start[:-1], f"{start[-1]} high"], row["high"])
    if gaps.is_file():
        for row in pd.read_parquet(gaps).to_dict("records"):
            names = [row["arm"], row["operating_point"], row["kind"], row["measure"]]
            _add(found, names, row["value"])
    for level, count in _levels(folder).items():
        _add(found, ["findings", level], count)
    for stage, seconds in (record.get("seconds") or {}).items():
        _add(found, ["seconds", stage], seconds)
    return found


def tags_of(folder: Path, record: Mapping[str, Any]) -> dict[str, str]:
    """What one looks a run up by: verb, set, matchers, code, and where the folder lies."""
    benchmark = record.get("benchmark") or {}
    matchers = [str(each.get("name", "")) for each in record.get("matchers") or ()]
    code = record.get("code") or {}
    levels = _levels(folder)
    tags = {
        "mlflow.runName": str(record.get("run_id", folder.name)),
        "frbench.verb": str(record.get("verb", "")),
        "frbench.run_folder": str(folder.resolve()),
        "frbench.benchmark": str(benchmark.get("name", "")),
        "frbench.matcher": ", ".join(matchers),
        "frbench.synthetic": str(bool(benchmark.get("synthetic"))).lower(),
        "frbench.seed": str(record.get("seed")),
        "frbench.revision": str(code.get("revision") or "unknown"),
        "frbench.flagged": str(bool(levels.get("flag"))).lower(),
    }
    return {key: value[:VALUE_LENGTH] for key, value in tags.items() if value}


def safe_name(text: str) -> str:
    """The text in letters, digits and ``_-. /``, without anything that reads as a path upwards."""
    told = text.replace(">=", "from")
    told = re.sub(r"[^\w.\- /]", "_", told)
    parts = [part.strip(" .") or "_" for part in told.split("/")]
    return "/".join(parts)[:NAME_LENGTH].rstrip(" ./") or "_"


def distinct(name: str, taken: Mapping[str, Any]) -> str:
    """The name, or with a number where another text became the same one."""
    number, chosen = 2, name
    while chosen in taken:
        chosen, number = f"{name}_{number}", number + 1
    return chosen


def _add(found: dict[str, float], parts: list[Any], value: Any) -> None:
    if value is None or value is pd.NA or not math.isfinite(float(value)):
        return
    words = [safe_name(str(part).replace("/", "_")) for part in parts if str(part)]
    found[distinct("/".join(words)[:NAME_LENGTH].rstrip(" ./"), found)] = float(value)


def _levels(folder: Path) -> Counter[str]:
    path = folder / "findings.json"
    if not path.is_file():
        return Counter()
    return Counter(str(each["level"]) for each in json.loads(path.read_text(encoding="utf-8")))


def _leaves(start: str, node: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(node, Mapping) and node:
        for key, value in node.items():
            yield from _leaves(f"{start}.{key}" if start else str(key), value)
    else:
        yield start, node
