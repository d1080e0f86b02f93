"""Which inputs of runs differ: settings by key, then contents and surroundings."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from frbench.run_diff.loaded import LoadedRun, Record

PLACES = ("output", "cache")
"""Settings that say where things are kept; they are no inputs and every run has its own."""

ABSENT = "(absent)"

CAUSES = {
    "set": ("benchmark", "groups", "seed", "operating_point.calibration", "embedding.choice"),
    "matcher": ("matcher", "before", "device"),
    "detector": ("detector", "matcher", "before"),
    "templates": ("benchmark", "matcher", "before", "detector", "embedding", "device", "groups"),
}
"""Settings from which a change of content follows."""


@dataclass(frozen=True)
class Difference:
    """One input that is not the same in all runs.

    Attributes:
        area: ``setting``, ``content`` or ``surroundings``.
        key: the setting's key, or what it is.
        values: letter of the run -> value as plain data, ``ABSENT`` where there is none.
        follows: changed settings that a change of content follows from; a content that follows
            from none changed by itself.
    """

    area: str
    key: str
    values: Mapping[str, Any]
    follows: tuple[str, ...] = ()


def differences(runs: Sequence[LoadedRun]) -> list[Difference]:
    """Every input in which the runs differ: settings first, each named once."""
    settings = _settings([run.record.get("config") or {} for run in runs], runs)
    keys = [each.key for each in settings]
    contents = []
    for key, values in _aligned([_contents(run) for run in runs], runs):
        causes = CAUSES[key.partition(":")[0]] if ":" in key else (key,)
        follows = tuple(name for name in keys if name.startswith(causes))
        contents.append(Difference("content", key, values, follows))
    around = [
        Difference("surroundings", key, values)
        for key, values in _aligned([_surroundings(run.record) for run in runs], runs)
    ]
    return [*settings, *contents, *around]


def _settings(configs: Sequence[Mapping[str, Any]], runs: Sequence[LoadedRun]) -> list[Difference]:
    kept = [{k: v for k, v in each.items() if k not in PLACES} for each in configs]
    return [Difference("setting", key, values) for key, values in _walk("", kept, runs)]


def _walk(
    where: str, nodes: Sequence[Any], runs: Sequence[LoadedRun]
) -> list[tuple[str, dict[str, Any]]]:
    """Keys whose values differ; where the part itself is another, its node is one value."""
    if all(_same(node, nodes[0]) for node in nodes):
        return []
    parts = {
        node.get("_target_") if isinstance(node, Mapping) else node.__class__ for node in nodes
    }
    if not all(isinstance(node, Mapping) for node in nodes) or len(parts) > 1:
        return [(where, {run.letter: node for run, node in zip(runs, nodes, strict=True)})]
    found = []
    for key in dict.fromkeys(key for node in nodes for key in node):
        inner = [node.get(key, ABSENT) for node in nodes]
        found += _walk(f"{where}.{key}" if where else str(key), inner, runs)
    return found


def _same(one: Any, other: Any) -> bool:
    return json.dumps(one, sort_keys=True, default=str) == json.dumps(
        other, sort_keys=True, default=str
    )


def _aligned(
    tables: Sequence[Mapping[str, Any]], runs: Sequence[LoadedRun]
) -> list[tuple[str, dict[str, Any]]]:
    keys = dict.fromkeys(key for table in tables for key in table)
    found = []
    for key in keys:
        values = [table.get(key, ABSENT) for table in tables]
        if not all(_same(value, values[0]) for value in values):
            found.append((key, {run.letter: v for run, v in zip(runs, values, strict=True)}))
    return found


def _contents(run: LoadedRun) -> dict[str, Any]:
    """What was read, by its fingerprints; keys before the colon are those of ``CAUSES``."""
    record = run.record
    benchmark = record.get("benchmark") or {}
    found = {f"set: {key}": benchmark.get(key) for key in ("name", "images", "subjects")}
    found["set: labels and persons (SHA-256)"] = benchmark.get("labels_sha256")
    for one in record.get("matchers", ()):
        arm = f" ({one['arm']})" if one.get("arm") else ""
        found[f"matcher: name{arm}"] = one.get("name")
        found[f"matcher: weights and identity{arm}"] = one.get("identity")
        found[f"matcher: preprocessing{arm}"] = one.get("preprocess")
        found[f"detector: name and weights{arm}"] = one.get("detector")
        found[f"templates: fingerprint{arm}"] = one.get("fingerprint")
    for one in (record.get("inputs") or {}).get("files", ()):
        found[str(one["key"])] = f"SHA-256 {one['sha256']}"
    images = (record.get("inputs") or {}).get("images") or {}
    if images:
        found["set: image files (SHA-256)"] = images.get("sha256")
    return found


def _surroundings(record: Record) -> dict[str, Any]:
    code = record.get("code") or {}
    found = {
        "code: revision": code.get("revision"),
        "code: changed after it": code.get("dirty"),
        "device": record.get("device"),
    }
    found |= {f"package: {key}": value for key, value in (record.get("packages") or {}).items()}
    found |= {f"machine: {key}": value for key, value in (record.get("machine") or {}).items()}
    return found


def said(value: Any) -> str:
    """A value as one line of text."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)
