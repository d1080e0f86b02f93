"""Plans against closed forms, published numbers, and the power of simulated tests."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import stats

from frbench import cli
from frbench.counted import Counted
from frbench.errors import InputError
from frbench.planning import Components, components_of, plan
from frbench.runs import plain, write_tally
from frbench.significance import group_rates, pairwise
from frbench.workflows.plan import command
from worlds import population


@pytest.mark.parametrize(("ratio", "fmr"), [(2, 1e-3), (2, 1e-4), (10, 1e-4)])
def test_independent_comparisons_follow_the_textbook(ratio, fmr):
    """Comparisons per group: (z_a + z_b)^2 ((1 - p1)/p1 + (1 - p2)/p2) / log(r)^2."""
    row = plan(ratio, fmr, components=Components(), images=[1]).iloc[0]
    z = stats.norm.ppf(0.975) + stats.norm.ppf(0.8)
    both = (1 - fmr) / fmr + (1 - ratio * fmr) / (ratio * fmr)
    needed = z**2 * both / np.log(ratio) ** 2
    persons = int(row["persons"])
    assert (persons - 1) * (persons - 2) / 2 < needed <= row["comparisons"]
    assert row["design_effect"] == pytest.approx(1.0)


def test_more_dependence_more_images_and_more_groups_move_the_plan():
    """Person effects ask for more persons, images for fewer, a family of groups for more."""
    base = plan(2, 1e-3, components=Components(pair=50, person=0.5))
    assert base["persons"].is_monotonic_decreasing
    worse = plan(2, 1e-3, components=Components(pair=50, person=2.0))
    family = plan(2, 1e-3, components=Components(pair=50, person=0.5), groups=4)
    assert (worse["persons"] > base["persons"]).all()
    assert (family["persons"] > base["persons"]).all()
    assert (base["power"] >= 0.8).all()


def test_the_variance_is_that_of_simulated_rates():
    """Components of one large world predict the spread of the rate over many small ones."""

    def world(seed, persons):
        return population(
            np.random.default_rng(seed), fmr=[0.03], persons=[persons], images=3, person_share=0.15
        )

    components = components_of(world(0, 250), 0.0)
    rates = []
    for seed in range(1, 151):
        errors = Counted(world(seed, 30)).false_matches(0.0)
        rates.append(errors.errors[0] / errors.comparisons[0])
    seen = np.var(rates) / np.mean(rates) ** 2
    assert components.relative_variance(0.03, 30, 3) == pytest.approx(seen, rel=0.3)


def test_the_planned_size_has_the_planned_power():
    """A pilot's components plan a test; 120 worlds of that size find the ratio 80 % of the time."""
    pilot = population(
        np.random.default_rng(7), fmr=[0.03, 0.03], persons=[150] * 2, images=2, person_share=0.1
    )
    components = components_of(pilot, 0.0)
    row = plan(2.0, 0.03, components=components, images=[2]).iloc[0]
    found = []
    for seed in range(120):
        tally = population(
            np.random.default_rng(1000 + seed), fmr=[0.03, 0.06],
            persons=[int(row["persons"])] * 2, images=2, person_share=0.1,
        )  # fmt: skip
        groups = group_rates(Counted(tally).false_matches(0.0), tally.groups)
        found.append(pairwise(groups)[0]["p_value"] <= 0.05)
    assert 0.68 <= np.mean(found) <= 0.92


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"ratio": 1.0}, "must lie above 1"),
        ({"fmr": 0.7}, "between 0 and 1"),
        ({"groups": 1}, "at least 2"),
        ({"images": [0]}, "1 or more"),
        ({"ratio": 1.00001}, "even 10,000,000 persons"),
    ],
)
def test_impossible_plans_are_refused(more, words):
    """One sentence each."""
    arguments = {"ratio": 2.0, "fmr": 1e-6, "components": Components(person=1.0), **more}
    with pytest.raises(InputError, match=words):
        plan(arguments.pop("ratio"), arguments.pop("fmr"), **arguments)


def test_a_pilot_needs_errors():
    """Fewer than ten false matches say nothing about dependence."""
    tally = population(np.random.default_rng(0), fmr=[1e-6], persons=[10])
    with pytest.raises(InputError, match="at least 10"):
        components_of(tally, 0.0)


def test_the_verb_reads_a_pilot_and_writes_json(tmp_path, capsys):
    """From a run folder's tally to the table and the file; wrong words are refused."""
    tally = population(np.random.default_rng(1), fmr=[0.05] * 2, persons=[40] * 2, images=2)
    write_tally(tmp_path / "tally", tally)
    row = {"arm": "", "label": "FMR 0.05", "value": 0.0, "achieved_fmr": 0.05}
    (tmp_path / "run.json").write_text(json.dumps(plain({"thresholds": [row]})))
    out = tmp_path / "plan.json"
    words = ["plan", "ratio=2", "fmr=0.02", "images=[2,4]", f"pilot={tmp_path}", f"output={out}"]
    assert cli.run(words) == 0
    printed = capsys.readouterr().out
    written = json.loads(out.read_text())
    assert [each["images"] for each in written["plan"]] == [2, 4]
    assert f"{written['plan'][0]['persons']:,}" in printed
    assert written["settings"]["person"] > 0
    assert cli.run(["plan", "fmrr=1"]) == 2
    assert cli.run(["plan", "fmr=one"]) == 2
    assert cli.run(["plan", f"pilot={tmp_path / 'none'}"]) == 2


@pytest.mark.parametrize(
    ("word", "words"),
    [
        ("ratio=[2]", "is not a number"),
        ("images=[1.5]", "must be whole"),
        ("groups=2.7", "must be whole"),
        ("groups=1e400", "is not finite"),
        ("arm=before", "give pilot=RUNDIR too"),
        ("output=/no/such/folder/plan.json", "cannot be written"),
    ],
)
def test_settings_are_refused_in_a_sentence_and_never_rounded(word, words):
    """Half an image is no image; a path that is not there is no fault of frbench."""
    with pytest.raises(InputError, match=words):
        command([word])
