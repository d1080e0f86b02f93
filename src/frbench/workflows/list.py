"""List the parts that can be chosen: benchmark sets, matchers, detectors, rules …"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from frbench.config import config_dir
from frbench.errors import InputError


def command(arguments: Sequence[str]) -> int:
    """Prints every choice of every config group with the first line of its comment.

    ``findings`` prints the catalogue instead: every rule with its question.
    """
    if list(arguments) == ["findings"]:
        return _findings()
    folder = config_dir()
    groups = {p.name: p for p in folder.iterdir() if p.is_dir() and p.name != "local"}
    # no group of its own: what matcher.convention takes
    groups["convention"] = Path(__file__).resolve().parents[1] / "conventions"
    wanted = list(arguments) or sorted(groups)
    unknown = [name for name in wanted if name not in groups]
    if unknown:
        known = ", ".join(sorted([*groups, "findings"]))
        raise InputError(f"there is no group {', '.join(unknown)}; there are: {known}.")
    table = Table("group", "choice", "what it is", box=None, pad_edge=False)
    for group in wanted:
        for file in sorted(groups[group].glob("*.yaml")):
            table.add_row(
                group, file.stem, escape(_first_comment(file.read_text(encoding="utf-8")))
            )
    Console(width=None if Console().is_terminal else 120).print(table)
    return 0


def _findings() -> int:
    from frbench.catalogue import PAGE, catalogue

    table = Table("id", "asked by", "gravest", "question", box=None, pad_edge=False)
    for each in catalogue():
        table.add_row(each.code, each.verb, each.gravest, escape(each.about.question))
    console = Console(width=None if Console().is_terminal else 140)
    console.print(table)
    console.print(f"Thresholds, least evidence and what to do next: {PAGE}")
    return 0


def _first_comment(text: str) -> str:
    words: list[str] = []
    for line in text.splitlines():
        if line.startswith("# @package"):
            continue
        if not line.startswith("#"):
            break
        words.append(line.removeprefix("#").strip())
        if words[-1].endswith("."):
            break
    return " ".join(words)
