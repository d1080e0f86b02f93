"""Findings on worlds whose answer is planted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf

from frbench.judging import LEVELS, judge
from frbench.rules._limits import Measured, against, holm
from frbench.rules.enrolment_gap import EnrolmentGap
from frbench.rules.fnmr_gap import FnmrGap
from frbench.rules.gap_exceeds import GapExceeds
from frbench.rules.group_rate_exceeds_target import GroupRateExceedsTarget
from frbench.rules.retraining_widens_gap import RetrainingWidensGap
from frbench.rules.synthetic_data import SyntheticData
from frbench.rules.too_little_evidence import TooLittleEvidence
from frbench.rules.unlabelled_share import UnlabelledShare
from worlds import evidence_of, population

RULES = {
    name: instantiate(node)
    for name, node in OmegaConf.load(
        Path(__file__).resolve().parents[2] / "configs" / "rules" / "standard.yaml"
    ).items()
}


def world(seed=0, **settings):
    """A population of two groups, fair unless told otherwise."""
    defaults = {"fmr": [0.02, 0.02], "persons": [60, 60], "images": 3, "person_share": 0.1}
    return population(np.random.default_rng(seed), **{**defaults, **settings})


def levels(rule, tally, target=0.02):
    """(level, group) of each of a rule's findings."""
    found = rule.findings(evidence_of({"": tally}, 0.0, target=target))
    return [(one.level, one.keys.get("group")) for one in found]


def test_a_planted_gap_is_flagged_with_its_group():
    """Eight times the others' FMR: that group, one sentence with the numbers."""
    tally = world(fmr=[0.005, 0.005, 0.04], persons=[60] * 3)
    found = GapExceeds().findings(evidence_of({"": tally}, 0.0, target=0.02))
    flagged = [one for one in found if one.level == "flag"]
    assert [one.keys["group"] for one in flagged] == ["g2"]
    assert flagged[0].interval_excludes_limit is True
    assert flagged[0].statement.startswith(
        "At one global threshold (FMR 0.02 pooled), the false-match rate of “g2” is "
    )
    assert "times the mean of the other groups (95 % interval" in flagged[0].statement
    assert "Holm" in flagged[0].statement


def test_a_fair_matcher_is_noted():
    """Equal rates and enough persons: one note, and no flag."""
    assert [level for level, _ in levels(GapExceeds(limit=2.5), world(persons=[120] * 2))] == [
        "note"
    ]


def test_too_few_persons_are_undecided_and_told_how_many():
    """Twice the rate on 15 persons a group: cannot be told, and about how many would tell."""
    tally = world(fmr=[0.02, 0.04], persons=[15, 15])
    found = GapExceeds().findings(evidence_of({"": tally}, 0.0, target=0.02))
    assert [one.level for one in found] == ["undecided"]
    assert "persons per group would tell, it has 15" in found[0].statement
    assert found[0].interval_excludes_limit is None


def test_misses_and_enrolment_have_their_own_rules():
    """A group that is missed, and a group that is not enrolled, are flagged as such."""
    tally = world(images=4)
    ours = tally.subject[tally.mated.first] < 60
    low = np.where(ours & (np.arange(len(ours)) % 2 == 0), -1.0, tally.mated.score)
    missed = replace(tally, mated=replace(tally.mated, score=low))
    assert ("flag", "g0") in levels(FnmrGap(), missed)
    lost = (tally.group == 1) & (np.arange(len(tally.group)) % 3 == 0)

    def kept(pairs):
        return pairs.take(~(lost[pairs.first] | lost[pairs.second]))

    failed = replace(tally, enrolled=~lost, mated=kept(tally.mated), tail=kept(tally.tail))
    # the other group enrolled everyone: an infinite ratio is the worst gap, not a missing one
    assert ("flag", "g1") in levels(EnrolmentGap(), failed)
    one = replace(failed, enrolled=failed.enrolled & (np.arange(len(lost)) != 0))
    one = replace(
        one,
        mated=one.mated.take(one.mated.first != 0),
        tail=one.tail.take(one.tail.first != 0),
    )
    assert ("flag", "g1") in levels(EnrolmentGap(), one)


def test_the_only_group_that_is_missed_is_not_left_out():
    """All misses in one group: it is flagged, and nobody says that no group exceeds the limit."""
    tally = world(images=4)
    ours = tally.subject[tally.mated.first] < 60
    bad = ours & (np.arange(len(ours)) % 2 == 0)
    score = np.where(bad, -1.0, np.maximum(tally.mated.score, 1.0))
    missed = replace(tally, mated=replace(tally.mated, score=score))
    assert levels(FnmrGap(), missed) == [("flag", "g0")]


def test_a_tiny_group_without_errors_flags_nobody():
    """Two equal groups and two persons who were never matched: they do not halve the mean."""
    tally = world(fmr=[0.02, 0.02, 0.0], persons=[120, 120, 2])
    found = levels(GapExceeds(), tally)
    assert [level for level, _ in found] == ["undecided"]


def test_a_rate_that_rose_from_nothing_is_not_passed_over():
    """No false match before and many after: there is no ratio, and the rule says so."""
    before = world(fmr=[0.0, 0.02])
    after = replace(before, tail=world(fmr=[0.03, 0.02]).tail)
    evidence = evidence_of({"old": before, "new": after}, 0.0, target=0.02)
    found = RetrainingWidensGap().findings(evidence)
    told = [one for one in found if one.keys["group"] == "g0"]
    assert [one.level for one in told] == ["undecided"]
    assert "from no false match at all" in told[0].statement


def test_a_broken_promise_is_watched():
    """A group at ten times the target; a group at the target is not named."""
    tally = world(fmr=[0.02, 0.002], persons=[80, 80])
    found = levels(GroupRateExceedsTarget(), tally, target=0.002)
    assert ("watch", "g0") in found
    assert ("watch", "g1") not in found


def test_a_fixed_threshold_made_no_promise():
    """Without a target there is nothing to exceed."""
    evidence = evidence_of({"": world()}, 0.0)
    assert GroupRateExceedsTarget().findings(evidence) == []


def test_thin_rows_and_cautions_are_named():
    """Few persons, few errors, and the threshold's own caution."""
    evidence = evidence_of({"": world(persons=[60, 10])}, 0.0, target=0.02)
    careful = [replace(t, caution="Only 12 errors support it.") for t in evidence.thresholds[""]]
    found = TooLittleEvidence().findings(replace(evidence, thresholds={"": careful}))
    assert found[0].statement == "Only 12 errors support it."
    assert "“g1” (fewer than 20 persons" in found[1].statement


def test_synthetic_sets_always_say_so():
    """A synthetic set is called synthetic; a real one is not."""
    evidence = evidence_of({"": world()}, 0.0)
    assert "synthetic: no real person" in SyntheticData().findings(evidence)[0].statement
    real = replace(evidence, faces=replace(evidence.faces, synthetic=False))
    assert SyntheticData().findings(real) == []


@pytest.mark.parametrize(("missing", "level"), [(0, None), (3, "note"), (30, "watch")])
def test_unlabelled_images_are_counted(missing, level):
    """Nothing below one image; a note up to the limit, then a watch."""
    evidence = evidence_of({"": world()}, 0.0)
    group = pd.Categorical(["unlabelled"] * missing + ["g0"] * (100 - missing))
    faces = replace(evidence.faces, faces=pd.DataFrame({"group": group}))
    found = UnlabelledShare().findings(replace(evidence, faces=faces))
    assert [one.level for one in found] == ([level] if level else [])


def test_retraining_that_widens_the_gap_is_flagged():
    """Three in four false matches of one group are new: the disparity and the group are named."""
    after = world(fmr=[0.01, 0.04], persons=[80, 80])
    rng = np.random.default_rng(1)
    ours = after.group[after.tail.first] == 1
    before = replace(after, tail=after.tail.take(~ours | (rng.random(len(ours)) < 0.25)))
    found = RetrainingWidensGap().findings(
        evidence_of({"old": before, "new": after}, 0.0, target=0.01)
    )
    assert [(one.level, one.keys["group"]) for one in found] == [
        ("flag", "worst_to_geometric_mean"),
        ("flag", "g1"),
    ]
    assert "From “old” to “new”" in found[0].statement
    back = RetrainingWidensGap().findings(
        evidence_of({"new": after, "old": before}, 0.0, target=0.01)
    )
    assert [one.level for one in back] == ["note"]


def test_gravest_first():
    """All rules together: flags before watches before undecided before notes."""
    tally = world(fmr=[0.005, 0.005, 0.04], persons=[60] * 3)
    found = judge(evidence_of({"": tally}, 0.0, target=0.005), RULES)
    order = [LEVELS.index(one.level) for one in found]
    assert order == sorted(order)
    assert found[0].code == "fmr_gap"
    assert found[-1].level == "note"


def test_sentences_say_that_the_tests_are_one_sided():
    """A two-sided interval that reaches past the limit beside "none exceeds" needs the word."""
    tally = world(fmr=[0.005, 0.005, 0.04], persons=[60] * 3)
    flagged = GapExceeds().findings(evidence_of({"": tally}, 0.0, target=0.02))[0]
    fair = world(persons=[120] * 2)
    noted = GapExceeds(limit=2.5).findings(evidence_of({"": fair}, 0.0, target=0.02))[0]
    assert (flagged.level, noted.level) == ("flag", "note")
    assert "(one-sided tests, Holm)" in flagged.statement
    assert noted.statement.endswith("Each group was tested one-sided at 95 %.")


def test_holm_by_hand():
    """Sorted p-values times 4, 3, 2, 1, never falling; in the order given."""
    assert holm(np.array([0.04, 0.01, 0.03, 0.02])).tolist() == pytest.approx(
        [0.06, 0.04, 0.06, 0.06]
    )


def test_family_makes_a_flag_harder():
    """The same group alone is beyond the limit; among many quiet ones it is undecided."""
    one = Measured("a", 2.0, 1.55, 2.58, 0.95, 100)
    quiet = [Measured(str(k), 1.0, 0.7, 1.4, 0.95, 100) for k in range(19)]
    assert against(1.5, [one], level=0.95)[0].beyond is True
    among = against(1.5, [one, *quiet], level=0.95)
    assert among[0].beyond is None
    assert among[0].persons_needed > 100
    assert all(answer.beyond is False for answer in among[1:])
