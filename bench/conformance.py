"""Does your tool count right? Small tables with known answers, put to frbench and its peers.

    python -m bench.conformance            ask every tool, write the table and the record
    python -m bench.conformance --only frbench --only cimat

Writes ``bench/results/conformance.json`` and ``docs/conformance.md``. The cases are data, in
``bench/conformance_cases.json``, for anybody to run on another tool.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.peers import PEERS
from bench.peers.environments import ADAPTERS, Unavailable, ask, interpreter

HERE = Path(__file__).parent
CASES = HERE / "conformance_cases.json"
RECORD = HERE / "results" / "conformance.json"
OURS = "frbench"
SECONDS = 1800
"""Time limit of one tool for all cases; the largest has 17 million comparisons."""


def load_cases() -> list[dict[str, Any]]:
    """The cases in their order."""
    cases: list[dict[str, Any]] = json.loads(CASES.read_text(encoding="utf-8"))
    return cases


def verdict(case: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, str]:
    """What to say about one tool's answer: ``result`` and, behind it, ``detail``.

    ``right``; ``differs`` when the answer is right under another, stated definition of the same
    quantity; ``wrong``; ``refuses``; ``no such function``.
    """
    if "no_such_function" in given:
        return {"result": "no such function", "detail": given["no_such_function"]}
    if "refuses" in given:
        wanted = case["expected"] == "refuses" or case.get("right_if_refused", False)
        return {"result": "right" if wanted else "refuses", "detail": given["refuses"]}
    answer = given["answer"]
    if agrees(case["expected"], answer, case):
        return {"result": "right", "detail": ""}
    for other in case.get("alternatives", ()):
        if agrees(other["expected"], answer, case):
            return {"result": "differs", "detail": other["definition"]}
    return {"result": "wrong", "detail": "gave " + in_words(answer)}


def agrees(expected: Any, answer: Mapping[str, Any], case: Mapping[str, Any]) -> bool:
    """Whether every expected number is there, and no group too many."""
    if expected == "refuses":
        return False
    if case["ask"] == "fmr_by_group" and set(answer) != set(expected):
        return False
    relative = case.get("relative", 1e-6)
    return all(
        key in answer and _same(wanted, answer[key], relative) for key, wanted in expected.items()
    )


def _same(wanted: Any, found: Any, relative: float) -> bool:
    if wanted is None or found is None or isinstance(wanted, str) or isinstance(found, str):
        return bool(wanted == found)
    if isinstance(wanted, dict):
        return bool(found >= wanted["at_least"])
    return math.isclose(wanted, found, rel_tol=relative, abs_tol=1e-12)


def in_words(answer: Mapping[str, Any]) -> str:
    """``fmr 0.25, fnmr undefined``."""
    return ", ".join(f"{key} {_number(value)}" for key, value in answer.items())


def _number(value: Any) -> str:
    if value is None:
        return "undefined"
    if isinstance(value, dict):
        return f"at least {_number(value['at_least'])}"
    if isinstance(value, int):
        return f"{value:,}"
    return value if isinstance(value, str) else f"{value:.10g}"


def put_to(name: str, cases: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One tool's versions and verdicts, or the reason why it could not be asked."""
    try:
        if name == OURS:
            command: list[str | Path] = [sys.executable, "-m", "bench.conformance_frbench"]
            given = ask(command, given=cases, timeout=SECONDS, folder=HERE.parent)
        else:
            tool = next(peer for peer in PEERS if peer.name == name)
            command = [interpreter(tool), ADAPTERS / tool.adapter]
            given = ask(command, given=cases, timeout=SECONDS)
    except Unavailable as reason:
        return {"not_asked": str(reason)}
    verdicts = {}
    for case in cases:
        answer = given["answers"][case["id"]]
        kept = {key: answer[key] for key in ("api", "answer") if key in answer}
        verdicts[case["id"]] = {**verdict(case, answer), **kept}
    return {"python": given["python"], "versions": given["versions"], "verdicts": verdicts}


def main() -> int:
    """Ask, print, write; 1 if frbench itself is not right everywhere."""
    from bench.conformance_page import PAGE, page, summary

    names = [OURS, *(peer.name for peer in PEERS)]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", action="append", choices=names, help="ask this tool again")
    asked = parser.parse_args().only or names
    cases = load_cases()
    found = {name: put_to(name, cases) for name in asked}
    tools: dict[str, Any] = {}
    if RECORD.is_file():
        tools = json.loads(RECORD.read_text(encoding="utf-8"))["tools"]
    tools |= found
    record = {
        "command": "scripts/bench conformance",
        "made": datetime.now(UTC).date().isoformat(),
        "tools": {name: tools[name] for name in names if name in tools},
    }
    RECORD.parent.mkdir(exist_ok=True)
    RECORD.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    PAGE.write_text(page(cases, record), encoding="utf-8")
    print(summary(cases, record))
    ours = record["tools"].get(OURS, {}).get("verdicts", {})
    return 0 if ours and all(each["result"] == "right" for each in ours.values()) else 1


if __name__ == "__main__":
    raise SystemExit(main())
