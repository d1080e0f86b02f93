"""Findings as JSON, SARIF and JUnit XML, from made-up findings and from real runs."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frbench import cli
from frbench.findings_files import junit, sarif, write_findings
from frbench.judging import LEVELS, exit_status
from frbench.runs import read_findings
from frbench.values import Finding

SCHEMAS = Path(__file__).resolve().parents[2] / "docs" / "schemas"
HOSTILE = "<script>alert(1)</script>]]>&\"' \u202e\x00\x0b\ud800 =cmd \U0001f600"
LEVEL = {"enum": ["none", "note", "warning", "error"]}
TEXT = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}}
SARIF = {
    "type": "object",
    "required": ["version", "runs"],
    "properties": {
        "version": {"const": "2.1.0"},
        "$schema": {"type": "string", "format": "uri"},
        "runs": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["tool", "results"],
                "properties": {
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                    "automationDetails": {"required": ["id"]},
                    "invocations": {"items": {"required": ["executionSuccessful"]}},
                    "tool": {
                        "required": ["driver"],
                        "properties": {
                            "driver": {
                                "required": ["name"],
                                "properties": {
                                    "rules": {
                                        "items": {
                                            "required": ["id"],
                                            "properties": {
                                                "shortDescription": TEXT,
                                                "fullDescription": TEXT,
                                                "help": TEXT,
                                                "defaultConfiguration": {
                                                    "properties": {"level": LEVEL}
                                                },
                                            },
                                        }
                                    }
                                },
                            }
                        },
                    },
                    "results": {
                        "items": {
                            "required": ["message", "ruleId", "ruleIndex"],
                            "properties": {
                                "message": TEXT,
                                "level": LEVEL,
                                "kind": {
                                    "enum": [
                                        *("notApplicable", "pass", "fail"),
                                        *("review", "open", "informational"),
                                    ]
                                },
                                "partialFingerprints": {"additionalProperties": {"type": "string"}},
                            },
                        }
                    },
                },
            },
        },
    },
}
"""What SARIF 2.1.0 asks of the parts that are written here."""


def check_folder(folder: Path) -> list[Finding]:
    """Holds the files of a run folder to their schemas; gives the findings."""
    rows = json.loads((folder / "findings.json").read_text(encoding="utf-8"))
    schema = json.loads((SCHEMAS / "findings.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(rows, schema, cls=jsonschema.Draft202012Validator)
    log = json.loads((folder / "findings.sarif").read_text(encoding="utf-8"))
    check_sarif(log)
    results = log["runs"][0]["results"]
    assert [each["properties"]["level"] for each in results] == [row["level"] for row in rows]
    lines = (folder / "findings.json").read_text(encoding="utf-8").split("\n")
    for result, row in zip(results, rows, strict=True):
        start = result["locations"][0]["physicalLocation"]["region"]["startLine"]
        assert json.dumps(row["code"]) in lines[start]
    suites = ElementTree.parse(folder / "findings.junit.xml").getroot()
    assert len(suites.findall("testsuite/testcase")) == len(rows)
    return read_findings(folder / "findings.json")


def check_sarif(log: dict) -> None:
    """The structure, and what no schema says: faults have levels, and indices find their rule."""
    jsonschema.validate(log, SARIF)
    run = log["runs"][0]
    rules = run["tool"]["driver"]["rules"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert (result["kind"] == "fail") == (result["level"] != "none")


def run_verb(*words: str, cwd: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """The command line in this process, with a cache of its own."""
    monkeypatch.chdir(cwd)
    monkeypatch.setenv("FRBENCH_CACHE", str(cwd / "cache"))
    monkeypatch.setattr("sys.argv", ["frbench"])
    return cli.run(list(words))


def test_a_real_evaluation_keeps_the_schemas(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stored vectors under hostile labels: every file is whole, and the statuses agree."""
    rng = np.random.default_rng(3)
    person = np.repeat(np.arange(24), 2)
    ids = np.array([f"i{at}" for at in range(len(person))])
    vectors = rng.normal(size=(24, 8))[person] + 0.4 * rng.normal(size=(len(person), 8))
    np.savez(tmp_path / "v.npz", vectors=vectors.astype(np.float32), image_id=ids)
    labels = np.array(["<b>&\"'=cmd", "\u202eplain"])[person % 2]
    rows = {"image_id": ids, "path": ids, "subject_id": person.astype(str), "race": labels}
    pd.DataFrame(rows).to_csv(tmp_path / "m.csv", index=False)
    status = run_verb(
        *("evaluate", "benchmark=manifest", "benchmark.path=m.csv", "matcher=embeddings"),
        *("matcher.path=v.npz", "groups.by=[race]", "gate=flag", "output=out"),
        cwd=tmp_path,
        monkeypatch=monkeypatch,
    )
    folder = tmp_path / "out"
    findings = check_folder(folder)
    assert status == exit_status(findings, "flag") != 0
    suites = ElementTree.parse(folder / "findings.junit.xml").getroot()
    assert int(suites.get("failures")) + int(suites.get("errors")) > 0
    assert "\u202e" not in (folder / "findings.junit.xml").read_text(encoding="utf-8")
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    jsonschema.validate(record, json.loads((SCHEMAS / "run.schema.json").read_text()))
    assert {"findings.sarif", "findings.junit.xml"} <= set(record["artefacts"])
    check_rates(folder)


def check_rates(folder: Path) -> None:
    """Every row of rates.csv, read as CSV has it, keeps its schema."""
    schema = json.loads((SCHEMAS / "rates.schema.json").read_text(encoding="utf-8"))
    checker = jsonschema.Draft202012Validator(schema)
    numbers = {
        name
        for name, told in schema["properties"].items()
        if {"number", "integer"} & set(np.atleast_1d(told.get("type", "string")))
    }
    with (folder / "rates.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows
    for row in rows:
        typed = {
            key: None if text == "" else json.loads(text) if key in numbers else text
            for key, text in row.items()
        }
        checker.validate(typed)


def test_a_real_audit_keeps_the_schemas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The verbs that share one run folder write the same files."""
    rng = np.random.default_rng(4)
    rows = {
        "path": [f"{at}.jpg" for at in range(200)],
        "subject_id": [f"p{at // 2}" for at in range(200)],
        "ethnicity": np.repeat(rng.choice(["White", "Black"], 100), 2),
    }
    pd.DataFrame(rows).to_csv(tmp_path / "c.csv", index=False)
    status = run_verb(
        *("audit", "training_set.path=c.csv", "by=[ethnicity]", "output=out", "gate=flag"),
        cwd=tmp_path,
        monkeypatch=monkeypatch,
    )
    assert status == exit_status(check_folder(tmp_path / "out"), "flag")
    record = json.loads((tmp_path / "out" / "run.json").read_text(encoding="utf-8"))
    jsonschema.validate(record, json.loads((SCHEMAS / "run.schema.json").read_text()))


def test_hostile_labels_are_text(tmp_path: Path) -> None:
    """Markup, controls, overrides and half characters come out as visible text in XML and SARIF."""
    finding = Finding("fmr_gap", "flag", f"About “{HOSTILE}”.", {"group": [HOSTILE]})
    text = ElementTree.tostring(junit([finding], "evaluate", "flag"), encoding="unicode")
    told = ElementTree.fromstring(text).find("testsuite/testcase/failure")
    assert told is not None
    assert "<script>alert(1)</script>" in told.get("message", "")
    assert "<script>" not in text
    log = json.dumps(sarif([finding], "evaluate"), ensure_ascii=False)
    assert not {"\u202e", "\x00", "\ud800"} & {*log, *text}


findings_of = st.lists(
    st.builds(
        Finding,
        code=st.sampled_from(["fmr_gap", "missing_label.sex", "strange"]),
        level=st.sampled_from(LEVELS),
        statement=st.text(min_size=1),
        keys=st.dictionaries(st.text(), st.one_of(st.text(), st.lists(st.text()), st.integers())),
        gravest=st.sampled_from(["note", "watch", "flag"]),
    ),
    max_size=6,
)


@settings(deadline=None, max_examples=60)
@given(findings_of, st.sampled_from(["none", "note", "watch", "flag"]))
def test_suite_and_exit_status_agree(findings: list[Finding], gate: str) -> None:
    """JUnit fails where the exit status is 1 or 3, errs alone where it is 3; any text is legal."""
    suites = ElementTree.fromstring(ElementTree.tostring(junit(findings, "audit", gate)))
    failures, errors = int(suites.get("failures")), int(suites.get("errors"))
    assert len(suites.findall("testsuite/testcase")) == int(suites.get("tests")) == len(findings)
    status = exit_status(findings, gate)
    if gate == "none":
        assert errors == 0
        assert failures == sum(each.level == "flag" for each in findings)
    else:
        assert (failures > 0) == (status == 1)
        assert status != 3 or errors > 0
        assert status != 0 or failures + errors == 0
    assert sum(each.level == "undecided" for each in findings) == errors + int(
        suites.get("skipped")
    )
    check_sarif(sarif(findings, "audit"))


def test_findings_come_back(tmp_path: Path) -> None:
    """What was written is read back, the pointer aside."""
    findings = [Finding("fmr_gap", "undecided", "It cannot be told.", {"kind": "FMR"})]
    write_findings(tmp_path, findings, verb="evaluate", gate="none")
    assert read_findings(tmp_path / "findings.json") == findings
    assert check_folder(tmp_path) == findings


@pytest.mark.parametrize(("gravest", "status"), [("flag", 3), ("watch", 0), ("note", 0)])
def test_only_a_gated_question_can_be_undecided(gravest: str, status: int) -> None:
    """An open question counts where its answer could have reached the gate, and only there."""
    finding = Finding("rule", "undecided", "It cannot be told.", gravest=gravest)
    assert exit_status([finding], "flag") == status
