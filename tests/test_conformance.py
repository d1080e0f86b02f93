"""frbench against the counting traps that it puts to other tools."""

from __future__ import annotations

import copy
import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.conformance import RECORD, agrees, load_cases, verdict
from bench.conformance_frbench import ANSWERS, exchange
from bench.conformance_page import PAGE

CASES = {case["id"]: case for case in load_cases()}


SLOW = {name for name, case in CASES.items() if case.get("large")}


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in CASES]
)
def test_frbench_counts_right(name):
    """Each trap has the expected answer, reached through the doors that users have."""
    given = exchange.answer_one(CASES[name], ANSWERS, {})
    assert verdict(CASES[name], given)["result"] == "right", given


def test_a_refusal_names_the_culprit():
    """The refused inputs are refused for the reason that the case is about."""
    for name, culprit in [
        ("unknown_group", "'D'"),
        ("two_labels", "P"),
        ("duplicate_comparison", "p1"),
    ]:
        given = exchange.answer_one(CASES[name], ANSWERS, {})
        assert given["refuses"].startswith("InputError")
        assert culprit in given["refuses"]


def test_each_case_tells_right_from_wrong():
    """An answer with any one number changed is no longer right, and a missing one is not either."""
    for case in CASES.values():
        if case["expected"] == "refuses":
            assert verdict(case, {"api": "", "answer": {"A": 0.0}})["result"] == "wrong"
            continue
        exact = {
            k: v["at_least"] if isinstance(v, dict) else v for k, v in case["expected"].items()
        }
        assert agrees(case["expected"], exact, case)
        for key, value in exact.items():
            changed = copy.deepcopy(exact)
            changed[key] = value * 0.99 - 0.001 if isinstance(value, float | int) else 1.0
            assert not agrees(case["expected"], changed, case), (case["id"], key)
            del changed[key]
            assert not agrees(case["expected"], changed, case), (case["id"], key)


def test_the_published_table_is_about_these_cases():
    """docs/conformance.md and its record hold every case, and were made with frbench right."""
    record = json.loads(RECORD.read_text(encoding="utf-8"))
    found = record["tools"]["frbench"]["verdicts"]
    assert list(found) == list(CASES)
    assert {each["result"] for each in found.values()} == {"right"}
    page = PAGE.read_text(encoding="utf-8")
    for case in CASES.values():
        assert case["why"] in page
