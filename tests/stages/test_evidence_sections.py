"""The page's tables of tests and of uncertain thresholds, from real tallies."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from frbench.intervals.wilson_effective import WilsonEffective
from frbench.operating_points import carried_rates, with_interval
from frbench.page.model import Page
from frbench.page.sections import sections
from frbench.rates import error_rates
from frbench.significance import group_tests
from frbench.thresholds import choose_thresholds
from worlds import population

COUNTS = pd.DataFrame({"group": ["g0"], "subjects": [40], "images": [160], "failed": [0]})


@pytest.fixture
def page():
    """Three groups of which one has a single person, the threshold from other persons."""
    rng = np.random.default_rng(1)
    other, tally = (population(rng, fmr=[0.2, 0.4, 0.2], persons=[40, 40, 1]) for _ in range(2))
    (chosen,) = choose_thresholds(other, [0.05], chosen_on="others")
    point = replace(
        with_interval(other, chosen, WilsonEffective(), rng), source="calibration split"
    )
    rates = error_rates(tally, [point], WilsonEffective(), matcher="m", benchmark="b", rng=rng)
    tests = group_tests(tally, [point], rng=rng, draws=19)
    return Page(
        rates=rates,
        gaps=tests.head(0),
        thresholds={"": [point]},
        groups=tally.groups,
        tables={
            "tests": tests,
            "threshold_uncertainty": carried_rates(tally, [point], rates),
        },
    )


def test_every_pair_stands_with_its_answer_and_no_undefined_number(page):
    """A row per tested pair of groups; what could not be seen is said in words."""
    every = {each.id: each for each in sections(page, COUNTS)}
    whole, pairs = (part.table for part in every["tests"].parts)
    tests = page.tables["tests"]
    tested = tests[(tests["test"] == "pairwise") & (tests["verdict"] != "no errors")]
    assert len(pairs.rows) == len(tested)
    assert {row[0].text for row in whole.rows} == {"FMR", "FNMR"}
    surest = tested.sort_values("p_holm", kind="stable").iloc[0]
    assert pairs.rows[0][-1].text == surest["verdict"] == "differs"
    texts = [cell.text for table in (whole, pairs) for row in table.rows for cell in row]
    assert not any("nan" in text or "inf" in text for text in texts)
    assert "more than 100" in texts


def test_the_wider_interval_stands_beside_the_plain_one(page):
    """One row per group and kind, pooled first, the carried interval never narrower."""
    every = {each.id: each for each in sections(page, COUNTS)}
    (part,) = every["carried"].parts
    carried = page.tables["threshold_uncertainty"]
    own = carried[carried["probe_group"] == carried["reference_group"]]
    assert len(part.table.rows) == len(own)
    assert part.table.rows[0][0].text == "all groups together"
    assert all(row[-1].number >= row[-2].number for row in part.table.rows)


def test_runs_without_the_tables_have_no_such_section(page):
    """An older run, or a threshold of the set itself, leaves the sections out."""
    bare = sections(replace(page, tables={}), COUNTS)
    assert not {"tests", "carried"} & {each.id for each in bare}
