"""Promises that every rule keeps, whatever the evidence."""

from __future__ import annotations

import functools
import itertools
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf

from frbench.judging import LEVELS
from worlds import evidence_of, population, random_tally

CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "rules"
PARTS = {
    f"{file.stem}.{name}": instantiate(node)
    for file in sorted(CONFIGS.glob("*.yaml"))
    for name, node in OmegaConf.load(file).items()
    if name != "defaults"
}
every_part = pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)


@functools.cache
def messy_evidence():
    """Tiny and messy sets at thresholds where all, some and none match, with two arms."""
    found = []
    for seed, threshold in itertools.product(range(6), (0.25, 0.5, 1.0, 2.0)):
        tally = random_tally(np.random.default_rng(seed), persons=4 + seed)
        found.append(evidence_of({"before": tally, "after": tally}, threshold, target=0.01))
    return found


@every_part
def test_any_evidence_gets_plain_answers(part):
    """Tiny and messy sets: known levels, one finished sentence, parameters that can be written."""
    for finding in itertools.chain(*(part.findings(each) for each in messy_evidence())):
        assert finding.level in LEVELS
        assert finding.statement.endswith(".")
        assert "nan" not in finding.statement.lower().split()
        assert finding.code == part.code
        if finding.level == "undecided":
            assert finding.interval_excludes_limit is None
        if finding.level == "flag":
            assert finding.interval_excludes_limit is True
        json.dumps(asdict(finding))


@every_part
def test_order_of_rows_is_nothing(part):
    """Shuffling the tables' rows changes no statement."""
    tally = population(np.random.default_rng(0), fmr=[0.002, 0.03], persons=[40, 40], failing=0.05)
    evidence = evidence_of({"": tally}, 0.0, target=0.01)
    shuffled = type(evidence)(
        rates=evidence.rates.sample(frac=1, random_state=1),
        gaps=evidence.gaps.sample(frac=1, random_state=1),
        thresholds=evidence.thresholds,
        faces=evidence.faces,
    )
    one, two = (sorted(f.statement for f in part.findings(each)) for each in (evidence, shuffled))
    assert one == two


@every_part
def test_an_empty_set_is_no_crash(part):
    """No comparisons at all: no rule flags anything."""
    tally = population(np.random.default_rng(0), fmr=[0.05], persons=[1], images=1)
    evidence = evidence_of({"": tally}, 0.0, target=0.01)
    assert not [f for f in part.findings(evidence) if f.level == "flag"]


def test_parts_are_told_apart():
    """Codes of the configured rules are unique within a choice of rules."""
    for file in sorted(CONFIGS.glob("*.yaml")):
        codes = [p.code for name, p in PARTS.items() if name.startswith(f"{file.stem}.")]
        assert len(set(codes)) == len(codes)


def test_parameters_are_on_record():
    """Every finding of a rule with limits carries them."""
    for part in PARTS.values():
        parameters = dict(part.parameters())
        assert isinstance(json.dumps(parameters), str)
        assert pd.Series(parameters, dtype=object).notna().all()
