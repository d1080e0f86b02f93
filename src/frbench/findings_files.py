"""Findings as files that other programs read: JSON, SARIF 2.1.0 and JUnit XML.

Labels come from users' tables. In SARIF and XML they are printed as harmless visible text, and
what XML cannot hold at all never reaches it; the JSON keeps them as they are.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from frbench import runs
from frbench.catalogue import PARTS, Entry, entry_of, pointer
from frbench.formatting import label_text
from frbench.judging import left_open, reaches
from frbench.values import Finding

SARIF_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
SARIF_LEVELS = {"flag": "error", "watch": "warning", "note": "none", "undecided": "none"}


def write_findings(folder: Path, findings: Sequence[Finding], *, verb: str, gate: str) -> None:
    """``findings.json``, ``findings.sarif`` and ``findings.junit.xml`` into a run folder.

    Args:
        folder: exists.
        findings: gravest first.
        verb: that asked.
        gate: level from which a finding fails the JUnit suite, as the exit status has it; with
            ``none`` a flag does, and the undecided are skipped.
    """
    runs.write_json(folder / "findings.json", _rows(findings))
    runs.write_json(folder / "findings.sarif", sarif(findings, verb))
    tree = ElementTree.ElementTree(junit(findings, verb, gate))
    ElementTree.indent(tree)
    tree.write(folder / "findings.junit.xml", encoding="utf-8", xml_declaration=True)


def sarif(findings: Sequence[Finding], verb: str) -> dict[str, Any]:
    """One run of SARIF 2.1.0 with a result per finding and the rules behind them.

    A flag is an error and a watch a warning. What is no fault has the kind ``open`` where it is
    undecided, ``pass`` where the interval lies within the limit, else ``informational``.
    """
    from frbench import __version__

    codes = list(dict.fromkeys(each.code for each in findings))
    driver = {
        "name": "frbench",
        "version": __version__,
        "rules": [_descriptor(code, entry_of(code)) for code in codes],
    }
    lines = _lines(findings)
    return {
        "$schema": SARIF_SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver},
                "automationDetails": {"id": f"frbench/{verb}/"},
                "invocations": [{"executionSuccessful": True}],
                "columnKind": "unicodeCodePoints",
                "results": [
                    _result(each, codes.index(each.code), line)
                    for each, line in zip(findings, lines, strict=True)
                ],
            }
        ],
    }


def junit(findings: Sequence[Finding], verb: str, gate: str) -> ElementTree.Element:
    """A suite with a test case per finding; it fails exactly where the exit status is not 0."""
    failing = "flag" if gate == "none" else gate
    cases = [_case(each, failing, skip=gate == "none") for each in findings]
    told = {
        "tests": len(cases),
        "failures": sum(case.find("failure") is not None for case in cases),
        "errors": sum(case.find("error") is not None for case in cases),
        "skipped": sum(case.find("skipped") is not None for case in cases),
    }
    counts = {key: str(value) for key, value in told.items()}
    suites = ElementTree.Element("testsuites", {"name": "frbench", **counts})
    suite = ElementTree.SubElement(suites, "testsuite", {"name": f"frbench {verb}", **counts})
    suite.extend(cases)
    return suites


def _descriptor(code: str, entry: Entry | None) -> dict[str, Any]:
    if entry is None:
        return {"id": label_text(code)}
    parts = {title: entry.words(part) for title, part in PARTS}
    return {
        "id": code,
        "shortDescription": {"text": entry.about.question},
        "fullDescription": {"text": f"{parts['Measured']} {parts['Threshold']}"},
        "help": {"text": entry.words("next_step")},
        "defaultConfiguration": {"level": SARIF_LEVELS[entry.gravest]},
        "properties": {
            "see": pointer(code),
            "least_evidence": parts["Least evidence"],
            "guidance": entry.about.answers.words,
        },
    }


def _result(finding: Finding, index: int, line: int) -> dict[str, Any]:
    place = {"artifactLocation": {"uri": "findings.json"}, "region": {"startLine": line}}
    return {
        "ruleId": label_text(finding.code),
        "ruleIndex": index,
        "kind": _kind(finding),
        "level": SARIF_LEVELS[finding.level],
        "message": {"text": label_text(finding.statement)},
        "locations": [{"physicalLocation": place}],
        "partialFingerprints": {"frbench/v1": _fingerprint(finding)},
        "properties": {
            "level": finding.level,
            "gravest": finding.gravest,
            "rests_on": _harmless(runs.plain(finding.keys)),
            "rule": _harmless(runs.plain(finding.rule)),
        },
    }


def _kind(finding: Finding) -> str:
    if finding.level in ("flag", "watch"):
        return "fail"
    if finding.level == "undecided":
        return "open"
    return "pass" if finding.interval_excludes_limit is False else "informational"


def _case(finding: Finding, gate: str, *, skip: bool) -> ElementTree.Element:
    where = ", ".join(f"{key}={_short(value)}" for key, value in finding.keys.items())
    name = label_text(f"{finding.code} [{where}]" if where else finding.code)
    case = ElementTree.Element(
        "testcase", {"classname": f"frbench.{label_text(finding.code)}", "name": name}
    )
    words = label_text(finding.statement)
    see = pointer(finding.code)
    if reaches(finding.level, gate):
        told = ElementTree.SubElement(case, "failure", {"type": finding.level, "message": words})
    elif finding.level == "undecided" and (skip or not left_open(finding, gate)):
        told = ElementTree.SubElement(case, "skipped", {"message": words})
    elif finding.level == "undecided":
        told = ElementTree.SubElement(case, "error", {"type": "undecided", "message": words})
    else:
        told = ElementTree.SubElement(case, "system-out")
    told.text = f"{finding.level}: {words}" + (f"\nSee {see}" if see else "")
    return case


def _short(value: Any) -> str:
    return "; ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _rows(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    return [{**asdict(each), "see": pointer(each.code)} for each in findings]


def _lines(findings: Sequence[Finding]) -> list[int]:
    """The line of ``findings.json`` on which each finding begins, as ``runs.write_json`` sets it.

    A line break within a label is written as two signs, so that only the layout breaks lines.
    """
    text = json.dumps(runs.plain(_rows(findings)), indent=2, ensure_ascii=False)
    return [number for number, line in enumerate(text.split("\n"), 1) if line == "  {"]


def _fingerprint(finding: Finding) -> str:
    """The same for the same question about the same rows, whatever was measured."""
    told = json.dumps([finding.code, runs.plain(finding.keys)], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()


def _harmless(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {label_text(key): _harmless(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_harmless(each) for each in value]
    return label_text(value) if isinstance(value, str) else value
