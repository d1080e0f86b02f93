"""A rule that lacks evidence says that it cannot tell, and what would do; it never keeps silent."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf
from rich.console import Console

from frbench.catalogue import entry_of
from frbench.config import config_dir
from frbench.judging import exit_status, judge
from frbench.progress import Stages
from frbench.workflows import audit
from worlds import evidence_of, population

NUMBER = re.compile(r"(?:about|more than|at least|of) [\d,]+ |\b[\d,]+ (?:persons|are needed|such)")


def shelf(name: str) -> dict:
    """The rules of the standard choice of a shelf."""
    return {
        key: instantiate(node)
        for key, node in OmegaConf.load(config_dir() / name / "standard.yaml").items()
    }


def needing(rules: dict) -> dict:
    """Those whose entry in the catalogue names a least evidence."""
    return {key: rule for key, rule in rules.items() if not rule.about.evidence.startswith("None")}


def tiny(seed: int, persons: list[int], images: int, fmr: float, fnmr: float, *, two: bool = True):
    """Evidence of a few persons per group, real ones as far as the rules know."""
    rng = np.random.default_rng(seed)
    tally = population(rng, fmr=[fmr] * len(persons), persons=persons, images=images, fnmr=fnmr)
    arms = {"before": tally, "after": tally} if two else {"": tally}
    found = evidence_of(arms, 0.0, target=0.001)
    point = [replace(found.thresholds[arm][0], rule="stated") for arm in arms][:1]
    labels = {each.label for each in point}
    rates, gaps = (t.assign(operating_point=point[0].label) for t in (found.rates, found.gaps))
    assert len(labels) == 1
    return replace(
        found,
        rates=rates,
        gaps=gaps,
        thresholds=dict.fromkeys(arms, point),
        faces=replace(found.faces, synthetic=False),
    )


@settings(deadline=None, max_examples=12)
@given(
    seed=st.integers(0, 1000),
    persons=st.lists(st.integers(1, 3), min_size=1, max_size=3),
    images=st.integers(1, 2),
    rates=st.sampled_from([(1e-9, 1e-9), (0.05, 0.1), (0.001, 0.5)]),
)
def test_with_a_few_persons_every_rule_of_an_evaluation_says_so(seed, persons, images, rates):
    """One to three persons a group: every rule answers, none finds a group within its limit, and
    whatever is undecided says how much would decide it; a gate is not passed."""
    evidence = tiny(seed, persons, images, *rates)
    rules = needing(shelf("rules"))
    assert len(rules) >= 8
    for key, rule in rules.items():
        found = rule.findings(evidence)
        assert found, f"{key} keeps silent"
        for each in found:
            assert each.interval_excludes_limit is not False, each.statement
            if each.level == "undecided":
                assert NUMBER.search(each.statement), each.statement
    assert exit_status(judge(evidence, rules), "flag") in (1, 3)


def test_one_matcher_alone_is_not_asked_what_changed():
    """Rules about a change have no question for a single matcher; the others have theirs."""
    rules = needing(shelf("rules"))
    evidence = tiny(0, [2, 2], 2, 1e-9, 1e-9, two=False)
    silent = {key for key, rule in rules.items() if not rule.findings(evidence)}
    assert silent == {"retraining_widens_gap", "no_worse_for_any_group"}


@pytest.mark.parametrize("key", ["gap_exceeds", "fnmr_gap", "enrolment_gap"])
def test_enough_persons_without_an_error_are_no_open_question(key):
    """Where nobody errs and every interval is short, the rule says so and leaves nothing open."""
    rng = np.random.default_rng(0)
    tally = population(rng, fmr=[1e-9] * 2, persons=[150, 150], images=2, fnmr=1e-9)
    evidence = evidence_of({"": tally}, 0.0, target=0.05)
    found = shelf("rules")[key].findings(evidence)
    assert [each.level for each in found] == ["note"]
    assert "is above" in found[0].statement


def test_a_group_without_a_comparison_is_not_passed_over():
    """Two groups that compare well do not hide a third of one person."""
    rng = np.random.default_rng(1)
    tally = population(rng, fmr=[0.2] * 3, persons=[80, 80, 1], images=1, person_share=0.1)
    found = shelf("rules")["gap_exceeds"].findings(evidence_of({"": tally}, 0.0, target=0.2))
    named = [each.keys["group"] for each in found if each.level == "undecided"]
    assert named in (["g2"], [["g2"]])


def tiny_audit(folder: Path, rows: pd.DataFrame, *words: str) -> list:
    """The findings of an audit of these rows."""
    rows.to_csv(folder / "m.csv", index=False)
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        cfg = compose(
            "audit",
            [f"training_set.path={folder / 'm.csv'}", "by=[ethnicity]", "as_of=2026-11-23",
             f"output={folder / 'out'}", *words],
        )  # fmt: skip
    return list(audit.run(audit.check(cfg), Stages(Console(quiet=True))).findings)


@settings(deadline=None, max_examples=4)
@given(st.lists(st.sampled_from(["White", "Black", "Asian"]), min_size=2, max_size=5, unique=False))
def test_with_a_few_persons_every_rule_of_an_audit_says_so(tmp_path_factory, kinds):
    """A handful of rows without dates and disposals: every rule answers or has no question."""
    if len(set(kinds)) < 2:
        kinds = [*kinds, *{"White", "Black"} - set(kinds)]
    rows = pd.DataFrame(
        {
            "path": [f"{at}.jpg" for at in range(len(kinds))],
            "subject_id": [f"p{at}" for at in range(len(kinds))],
            "ethnicity": kinds,
        }
    )
    found = tiny_audit(tmp_path_factory.mktemp("audit"), rows)
    answered = {each.code for each in found}
    wanted = {rule.code for rule in needing(shelf("audit_rules")).values()}
    assert wanted - answered <= {"benchmark_overlap"}, "only the rule about a set that is not there"
    for each in found:
        entry = entry_of(each.code)
        assert entry is not None
        if each.level == "undecided" and each.code not in ("released_and_kept", "too_few_persons"):
            assert NUMBER.search(each.statement), each.statement
    assert exit_status(found, "flag") in (1, 3)


def test_few_released_people_per_group_are_told_with_the_number(tmp_path):
    """Two persons a group with disposals and dates: no silence about groups, and a number."""
    rows = pd.DataFrame(
        {
            "path": [f"{at}.jpg" for at in range(4)],
            "subject_id": [f"p{at}" for at in range(4)],
            "ethnicity": ["White", "White", "Black", "Black"],
            "disposal": ["charged", "nfa", "charged", "nfa"],
            "captured": ["2024-01-02", "2024-04-02", "2024-08-02", "2024-12-02"],
        }
    )
    found = tiny_audit(tmp_path, rows)
    for code in ("released_and_kept", "rising_share"):
        told = [each for each in found if each.code == code and each.level == "undecided"]
        assert told, code
        assert all("persons would tell" in each.statement for each in told)
