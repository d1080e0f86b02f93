"""The conformance table as a page and as lines for the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.conformance import in_words

PAGE = Path(__file__).parents[1] / "docs" / "conformance.md"

Case = Mapping[str, Any]
MARKS = {"no such function": "–"}

INTRODUCTION = """\
# Does it count right?

Small tables with known answers, each a place where tools for error rates have gone wrong. They
were put to frbench and to other tools through the functions that each of them documents.

Made by `{command}` on {made} (Python {python}). Versions: {versions}.

| word | meaning |
|---|---|
| right | the expected answer, or a refusal where the input is at fault |
| differs | right under another definition of the same quantity, which is stated |
| wrong | a number that no definition known to us gives |
| refuses | an error instead of an answer |
| – | the tool has no such function, and does not claim to |

A dash is no criticism: fairlearn takes decisions rather than scores, bob.measure, pyeer and cimat
know no groups, and bob.bio.base leaves the counting to bob.measure. What each tool gave, and the
function that was called, is in `bench/results/conformance.json`.
"""

ELSEWHERE = """
## Run them on your tool

The inputs and expected answers below are also in `bench/conformance_cases.json`. A comparison
matches if its score is at or above the threshold. `times` repeats a row; a score of `null` is a
comparison that failed; an expected `null` is an undefined number. Where `subjects` are not named,
every comparison has persons of its own, the two sides of a mated one being the same person.
"""


def page(cases: Sequence[Case], record: Mapping[str, Any]) -> str:
    """docs/conformance.md."""
    tools = record["tools"]
    asked = {name: tool for name, tool in tools.items() if "verdicts" in tool}
    first = next(iter(asked.values()))
    versions = ", ".join(f"{name} {tool['versions'][name]}" for name, tool in asked.items())
    parts = [
        INTRODUCTION.format(
            command=record["command"],
            made=record["made"],
            python=first["python"],
            versions=versions,
        )
    ]
    for name, tool in tools.items():
        if "not_asked" in tool:
            parts.append(f"**{name}** could not be asked on this machine: {tool['not_asked']}\n")
    parts.append(_table(cases, asked))
    parts.append(_notes(cases, asked).rstrip("\n"))
    parts.append(ELSEWHERE)
    parts += [_case(number, case) for number, case in enumerate(cases, 1)]
    return "\n".join(parts)


def _table(cases: Sequence[Case], asked: Mapping[str, Any]) -> str:
    lines = ["## The table", "", "| | trap | " + " | ".join(asked) + " |"]
    lines.append("|---|---|" + "---|" * len(asked))
    for number, case in enumerate(cases, 1):
        words = [_word(tool["verdicts"][case["id"]]) for tool in asked.values()]
        lines.append(f"| {number} | {case['trap']} | " + " | ".join(words) + " |")
    return "\n".join(lines) + "\n"


def _word(found: Mapping[str, Any]) -> str:
    result = found["result"]
    return f"**{result}**" if result == "wrong" else MARKS.get(result, result)


def _notes(cases: Sequence[Case], asked: Mapping[str, Any]) -> str:
    """What lies behind each word but ``right`` and the dash."""
    lines = ["What was given instead:", ""]
    for number, case in enumerate(cases, 1):
        for name, tool in asked.items():
            found = tool["verdicts"][case["id"]]
            if found["result"] in ("wrong", "differs", "refuses"):
                detail = found["detail"]
                if found["result"] == "differs":
                    detail += f" ({in_words(found['answer'])})"
                if remark := case.get("remarks", {}).get(name):
                    detail += f"; {remark}"
                function = f" `{found['api']}`" if "api" in found else ""
                lines.append(f"- {number}, {name}{function}: {found['result']}: {detail}")
    return "\n".join(lines) + "\n"


def _case(number: int, case: Case) -> str:
    expected = case["expected"]
    answer = "the input is refused" if expected == "refuses" else in_words(expected)
    lines = [f"### {number}. {case['trap']}", "", case["why"], "", f"Expected: {answer}.", ""]
    settings = {
        key: case[key] for key in ("threshold", "target_fmr", "groups", "persons") if key in case
    }
    words = "; ".join(f"{key.replace('_', ' ')} {_plain(v)}" for key, v in settings.items())
    lines += [f"Given: {words}.", ""]
    rows = case.get("comparisons") or case.get("templates") or []
    if rows:
        names = list(dict.fromkeys(key for row in rows for key in row))
        lines += ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
        lines += ["| " + " | ".join(_cell(row, name) for name in names) + " |" for row in rows]
        lines.append("")
    return "\n".join(lines)


def _cell(row: Mapping[str, Any], name: str) -> str:
    return _plain(row[name]) if name in row else ""


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(_plain, value))
    return "null" if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def summary(cases: Sequence[Case], record: Mapping[str, Any]) -> str:
    """Lines for the terminal: each case, each tool, and how often each word occurs."""
    lines = []
    for name, tool in record["tools"].items():
        if "not_asked" in tool:
            lines.append(f"{name}: not asked: {tool['not_asked']}")
            continue
        counts = Counter(found["result"] for found in tool["verdicts"].values())
        lines.append(f"{name} {tool['versions'][name]}: " + _counted(counts))
        for case in cases:
            found = tool["verdicts"][case["id"]]
            if found["result"] in ("wrong", "differs", "refuses"):
                lines.append(f"  {case['id']}: {found['result']}: {found['detail']}")
    return "\n".join(lines)


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {word}" for word, count in counts.items())
