"""A vendor's stated threshold against worlds whose rates are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from frbench.rules.stated_threshold_holds import StatedThresholdHolds
from worlds import evidence_of, population


def stated(seed, *, fmr, persons, statement):
    """Evidence in which the score 0 is stated to have the false-match rate ``statement``."""
    tally = population(np.random.default_rng(seed), fmr=fmr, persons=persons)
    evidence = evidence_of({"": tally}, 0.0, target=statement)
    thresholds = tuple(
        replace(each, rule="stated", stated_by="Acme 4.2") for each in evidence.thresholds[""]
    )
    label = thresholds[0].label
    return replace(
        evidence,
        rates=evidence.rates.assign(operating_point=label),
        gaps=evidence.gaps.assign(operating_point=label),
        thresholds={"": thresholds},
    )


def levels(findings):
    """{groups of a finding: its level}."""
    return {str(each.keys["group"]): each.level for each in findings}


def test_a_group_beyond_the_statement_is_flagged_and_the_others_are_not():
    """Group 1 errs five times as often as stated."""
    evidence = stated(1, fmr=[0.001, 0.05], persons=[200, 200], statement=0.01)
    found = StatedThresholdHolds().findings(evidence)
    flagged = [each for each in found if each.level == "flag" and each.keys["group"] != "all"]
    assert [each.keys["group"] for each in flagged] == [evidence.rates["probe_group"].unique()[2]]
    assert "Acme 4.2" in flagged[0].statement
    assert "beyond the stated 0.01" in flagged[0].statement
    assert flagged[0].interval_excludes_limit is True


def test_a_statement_with_room_to_spare_holds_for_all():
    """Rates of a tenth of what is stated: a note for all together, and one for the groups."""
    found = StatedThresholdHolds().findings(
        stated(2, fmr=[0.002, 0.002], persons=[200, 200], statement=0.02)
    )
    assert [each.level for each in found] == ["note", "note"]


def test_few_persons_cannot_tell():
    """Twelve persons a group say nothing about 1e-3."""
    found = StatedThresholdHolds().findings(
        stated(3, fmr=[0.001, 0.001], persons=[12, 12], statement=0.001)
    )
    assert {each.level for each in found} == {"undecided"}


def test_a_target_of_our_own_is_no_statement():
    """The rule is silent about thresholds that were chosen on this set."""
    tally = population(np.random.default_rng(0), fmr=[0.01, 0.01], persons=[40, 40])
    assert StatedThresholdHolds().findings(evidence_of({"": tally}, 0.0, target=0.01)) == []


def test_a_true_statement_is_rarely_called_false():
    """Rates exactly as stated: at most 5 % of 60 worlds raise a flag about a group."""
    flags = sum(
        any(
            each.level == "flag" and each.keys["group"] != "all"
            for each in StatedThresholdHolds().findings(
                stated(seed, fmr=[0.01] * 3, persons=[60] * 3, statement=0.01)
            )
        )
        for seed in range(60)
    )
    assert flags <= 6  # 60 draws at 5 %: 7 or more has probability 0.03
