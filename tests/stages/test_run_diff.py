"""Runs side by side: inputs by key, cells beyond noise, refusals, and the panel's ranking."""

from __future__ import annotations

import copy
import dataclasses
import json
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frbench.counted import Counted
from frbench.errors import InputError
from frbench.intervals.wilson_effective import WilsonEffective
from frbench.run_diff.comparable import common_ground
from frbench.run_diff.inputs import differences
from frbench.run_diff.loaded import load_runs
from frbench.run_diff.markdown import escaped
from frbench.run_diff.moved import adjusted, moved_cells
from frbench.run_diff.ranking import Approved, ranking, worst_at
from frbench.run_diff.tests_of_change import change_of
from frbench.run_diff.words import words_of
from frbench.values import ScoredPairs
from frbench.workflows import diff
from reporting_fixtures import HOSTILE
from run_folders import CONFIG, changed, regrouped, run_folder, target
from worlds import population

AT_ZERO = [target(0.0)]
NAMES = ("first", "second", "score")


def world(seed, *, fmr=(0.02, 0.02), fnmr=0.1, persons=40, **more):
    """A population of two groups, 3 images each."""
    rng = np.random.default_rng(seed)
    return population(rng, fmr=fmr, persons=persons, images=3, fnmr=fnmr, **more)


def compared(tmp_path, *tallies, labels=None, **more):
    """The table of moved cells of runs of these tallies."""
    names = labels or ["l"] * len(tallies)
    folders = [
        run_folder(tmp_path / f"r{number}", tally, AT_ZERO, labels=label, **more)
        for number, (tally, label) in enumerate(zip(tallies, names, strict=True))
    ]
    runs = load_runs(folders)
    return moved_cells(runs, common_ground(runs))


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [
        ("seed", 2, "seed"),
        ("operating_point.target_fmr", [0.01, 0.001], "operating_point.target_fmr"),
        ("operating_point.calibration.share", 0.5, "operating_point.calibration.share"),
        ("rules.gap.limit", 2.0, "rules.gap.limit"),
        ("rules.gap", None, "rules.gap"),
        ("groups.levels", {"sex": ["f"]}, "groups.levels.sex"),
        ("matcher", {"_target_": "frbench.matchers.dlib_resnet.DlibMatcher"}, "matcher"),
        ("before", {"_target_": "frbench.matchers.tiny.TinyMatcher"}, "before"),
    ],
)
def test_one_changed_key_is_the_one_named(tmp_path, key, value, named) -> None:
    """Two runs that differ in one key differ in that setting and in nothing else."""
    tally = world(1)
    one = run_folder(tmp_path / "one", tally, AT_ZERO)
    config = changed(changed(CONFIG, key, value), "output", "runs/elsewhere")
    other = run_folder(tmp_path / "other", tally, AT_ZERO, config=config)
    found = differences(load_runs([one, other]))
    assert [(each.area, each.key) for each in found] == [("setting", named)]


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_changed_leaf_anywhere_is_named(data) -> None:
    """Whatever the configuration looks like, exactly the changed leaf is named."""
    leaf = st.one_of(st.integers(), st.text(max_size=4), st.booleans(), st.none())
    key = st.text("abcdef", min_size=1, max_size=3)
    tree = st.recursive(
        leaf, lambda inner: st.dictionaries(key, inner, min_size=1, max_size=3), max_leaves=8
    )
    config = data.draw(st.dictionaries(key, tree, min_size=1, max_size=4))
    paths = list(leaves(config))
    path = data.draw(st.sampled_from(paths))
    other = copy.deepcopy(config)
    node = other
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = ["changed"]
    runs = [Record("A", {"config": config}), Record("B", {"config": other})]
    assert [each.key for each in differences(runs)] == [".".join(path)]


@dataclasses.dataclass
class Record:
    """What ``differences`` reads of a run."""

    letter: str
    record: dict


def leaves(node, path=()):
    """The paths of all leaves."""
    for key, value in node.items():
        if isinstance(value, dict):
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key)


def test_a_content_says_which_setting_it_follows_from(tmp_path) -> None:
    """Other weights under another path follow from it; under the same path they stand alone."""
    tally = world(1)
    records = [
        {"matchers": [{"arm": "", "name": "m", "fingerprint": "f", "identity": {"weights": sha}}]}
        for sha in "ab"
    ]
    elsewhere = changed(CONFIG, "matcher.path", "n.npz")
    folders = [
        run_folder(tmp_path / "one", tally, AT_ZERO, **records[0]),
        run_folder(tmp_path / "alike", tally, AT_ZERO, **records[1]),
        run_folder(tmp_path / "other", tally, AT_ZERO, config=elsewhere, **records[1]),
    ]
    alone = differences(load_runs(folders[:2]))
    assert [(each.key, each.follows) for each in alone] == [("matcher: weights and identity", ())]
    led = differences(load_runs([folders[0], folders[2]]))
    assert [(each.key, each.follows) for each in led] == [
        ("matcher.path", ()),
        ("matcher: weights and identity", ("matcher.path",)),
    ]


def test_identical_runs_show_no_movement(tmp_path) -> None:
    """A run beside itself: no input differs, every ratio is 1 with an interval of no width."""
    tally = world(2, fmr=(0.02, 0.001), crossing=True, failing=0.05)
    folder = run_folder(tmp_path / "one", tally, AT_ZERO)
    runs = load_runs([folder, folder])
    table = moved_cells(runs, common_ground(runs))
    assert differences(runs) == []
    assert not table["moved"].any()
    known = table[(table["errors_first"] > 0)]
    assert len(known) > 6
    assert (known[["ratio", "low", "high", "p_value"]] == 1).all(axis=None)
    assert set(table["kind"]) == {"FMR", "FNMR", "FTE", "FMR gap", "FNMR gap"}


@pytest.mark.parametrize("paired", [True, False])
def test_unbiased_reruns_move_hardly_any_cell(tmp_path, paired) -> None:
    """Of the cells of 20 pairs of reruns with other seeds at most 5 % are named."""
    flagged = tested = 0
    for pair in range(20):
        # an absent error, a few, and many: every kind of cell that a run can have
        sides = [
            world(1000 * paired + 2 * pair + side, fmr=(0.04, 0.004), persons=20, crossing=True)
            for side in (0, 1)
        ]
        labels = ["l", "l"] if paired else ["l", "other persons"]
        table = compared(tmp_path / str(pair), *sides, labels=labels)
        judged = table[table["errors_first"].fillna(9).clip(upper=5) >= 5]
        assert (judged["method"] == "paired").any() == paired
        flagged += int(table["moved"].sum())
        tested += int(table["p_value"].notna().sum())
    assert tested > 200
    assert flagged <= 0.05 * tested


def test_uncorrected_tests_keep_their_level() -> None:
    """p-values of unchanged worlds fall below 0.05 about as often as they say, never far more."""
    low = {True: [], False: []}
    for pair in range(30):
        one, other = (Counted(world(5000 + 2 * pair + side, persons=30)) for side in (0, 1))
        for paired, found in low.items():
            for errors in ("false_matches", "false_non_matches"):
                first, second = (getattr(side, errors)(np.float64(0.0)) for side in (one, other))
                found += list(change_of(first, second, paired=paired).p_value[:2] < 0.05)
    for paired, found in low.items():
        assert np.mean(found) < 0.1, paired
        assert np.mean(found) > 0.005, paired


@pytest.mark.parametrize("labels", [["l", "l"], ["l", "other persons"]])
def test_a_planted_change_is_found_and_nothing_else(tmp_path, labels) -> None:
    """One group's false-match rate rises sixfold; its cell is named, the other group's is not."""
    table = compared(
        tmp_path,
        world(7, fmr=(0.01, 0.02), persons=60),
        world(8, fmr=(0.06, 0.02), persons=60),
        labels=labels,
    )
    moved = table[table["moved"] & (table["kind"] == "FMR")]
    assert set(moved["probe_group"]) >= {"g0"}
    assert "g1" not in set(moved["probe_group"])
    assert set(moved["direction"]) == {"rose"}
    assert not table[table["kind"] == "FNMR"]["moved"].any()


def test_errors_out_of_nothing_are_found() -> None:
    """A rate that rises from no error at all is no gap in the method: 60 persons, 0 to many."""
    one, other = (
        Counted(world(3, fmr=(rate, 0.02), persons=60)).false_matches(np.float64(0.0))
        for rate in (1e-9, 0.2)
    )
    assert one.errors[0] == 0
    change = change_of(one, other, paired=True)
    assert change.ratio[0] == np.inf
    assert change.low[0] > 1
    assert change.p_value[0] < 0.01
    back = change_of(other, one, paired=True)
    assert back.ratio[0] == 0
    assert back.high[0] == pytest.approx(1 / change.low[0])


def test_two_samples_by_hand() -> None:
    """The interval of the ratio is Donner and Zou's of the two Wilson intervals."""
    one, other = (
        Counted(world(seed, fmr=(0.05, 0.03))).false_matches(np.float64(0.0)) for seed in (3, 4)
    )
    found = change_of(one, other, paired=False, level=0.9)
    bounds = [
        WilsonEffective(level=0.9).bounds(e, rng=np.random.default_rng(0)) for e in (one, other)
    ]
    p1, p2 = one.errors[0] / one.comparisons[0], other.errors[0] / other.comparisons[0]
    reach = np.sqrt(np.log(p2 / bounds[1].low[0]) ** 2 + np.log(bounds[0].high[0] / p1) ** 2)
    assert found.low[0] == pytest.approx(p2 / p1 * np.exp(-reach))
    inside = change_of(one, other, paired=False, level=1 - float(found.p_value[0]) - 1e-3)
    assert not inside.low[0] <= 1 <= inside.high[0] or found.p_value[0] == 1


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_corrections_by_their_definitions(values) -> None:
    """Holm: step down; Benjamini-Hochberg: step up; both as decisions at every level."""
    p = np.array([*values, np.nan])
    for alpha in (0.01, 0.05, 0.5):
        ordered, count = sorted(values), len(values)
        holm = 0
        while holm < count and ordered[holm] * (count - holm) <= alpha:
            holm += 1
        assert (adjusted(p, "holm") <= alpha).sum() == holm
        steps = [k for k in range(1, count + 1) if ordered[k - 1] * count / k <= alpha]
        assert (adjusted(p, "bh") <= alpha).sum() == max(steps, default=0)
    assert np.isnan(adjusted(p, "holm")[-1])


def refusal(*folders, **more) -> str:
    """The sentence with which a comparison is refused."""
    with pytest.raises(InputError) as caught:
        common_ground(load_runs(folders), **more)
    return str(caught.value)


def test_what_cannot_be_compared_is_refused_with_reasons(tmp_path) -> None:
    """Another set, other groups, another policy, other rules, a list: each is named and mended."""
    tally = world(1)
    other = run_folder(
        tmp_path / "set", tally, AT_ZERO, labels="x", benchmark={"name": "elsewhere"}
    )
    one = run_folder(tmp_path / "one", tally, AT_ZERO)
    groups = run_folder(tmp_path / "groups", regrouped(tally, ["g0", "h"]), AT_ZERO)
    policy = dataclasses.replace(tally, policy="same_sex")
    policy = run_folder(tmp_path / "policy", policy, AT_ZERO)
    fixed = [dataclasses.replace(target(0.1), rule="fixed", target_fmr=None)]
    fixed = run_folder(tmp_path / "fixed", tally, fixed)
    apart = run_folder(tmp_path / "apart", tally, [target(0.0, source="calibration split")])
    pairs = [
        np.concatenate([getattr(p, name) for p in (tally.mated, tally.tail)]) for name in NAMES
    ]
    listed = dataclasses.replace(tally, listed=ScoredPairs(*pairs))
    listed = run_folder(tmp_path / "listed", listed, AT_ZERO)
    audit = run_folder(tmp_path / "audit", tally, AT_ZERO, verb="audit")
    newer = run_folder(tmp_path / "newer", tally, AT_ZERO, schema_version=2)
    for folder, *words in (
        (other, "another set", "same_population=true"),
        (groups, "other groups", "in common: g0", "groups.by"),
        (policy, "impostor policy", "same_sex", "comparison="),
        (fixed, "no operating point", "score >= 0.1", "only=ranking"),
        (apart, "no operating point", "calibration split"),
        (listed, "pairs of a list"),
        (audit, "frbench audit"),
        (newer, "schema versions 1 and 2"),
    ):
        sentence = refusal(one, folder)
        assert all(word in sentence for word in words), sentence
    both = refusal(one, groups, policy)
    assert "A and B" in both
    assert "A and C" in both
    assert common_ground(load_runs([one, other]), same_population=True).paired == frozenset()
    assert common_ground(load_runs([one, fixed]), points_needed=False).points == ()


def test_the_other_points_are_left_out_by_name(tmp_path) -> None:
    """Points that only one run has are named; a score means nothing to another matcher."""
    tally = world(1)
    fixed = dataclasses.replace(target(0.1), rule="fixed", target_fmr=None)
    one = run_folder(tmp_path / "one", tally, [target(0.0), target(0.2, 0.001), fixed])
    other = run_folder(tmp_path / "other", tally, [target(0.1), fixed], matcher="n")
    common = common_ground(load_runs([one, other]))
    assert common.points == ("FMR 0.01",)
    assert any("“FMR 0.001” was not set in B" in note for note in common.notes)
    assert any("scores of other matchers" in note for note in common.notes)


def test_groups_in_another_order_are_the_same_groups(tmp_path) -> None:
    """Two samples whose groups are listed the other way round are compared group by group."""
    tally = world(5, fmr=(0.08, 0.005), persons=60)
    swapped = dataclasses.replace(
        tally, groups=tally.groups[::-1], group=(1 - tally.group).astype(np.int16)
    )
    table = compared(tmp_path, tally, swapped, labels=["l", "m"])
    cells = table[~table["kind"].str.endswith("gap")]
    assert (cells["errors_first"] == cells["errors_second"]).all()
    assert set(cells["probe_group"]) == {"g0", "g1", "all"}


def test_the_ranking_stands_where_the_worst_group_meets_the_rate(tmp_path) -> None:
    """At the threshold the upper limit meets the rate; one listed score lower it does not."""
    folder = run_folder(tmp_path / "one", world(5, fmr=(0.2, 0.1), persons=150), AT_ZERO)
    runs = load_runs([folder, folder])
    table = ranking(runs, common_ground(runs), Approved(0.06))
    row = table.iloc[0]
    assert row["answer"] == "meets"
    scores = np.unique(runs[0].tally.tail.score)
    lower = scores[scores < row["threshold"]][-1]
    assert worst_at(runs[0], row["threshold"], 0.95).high <= 0.06
    assert worst_at(runs[0], float(lower), 0.95).high > 0.06
    mated = runs[0].tally.mated.score
    assert row["tmr"] == pytest.approx((mated >= row["threshold"]).mean())
    assert (table["rank_from"] == 1).all()
    assert (table["rank_to"] == 2).all()


def test_the_better_matcher_is_first_and_the_even_ones_are_tied(tmp_path) -> None:
    """Two that miss a tenth are tied behind one that misses a hundredth."""
    folders = [
        run_folder(tmp_path / name, world(seed, fmr=(0.2, 0.1), fnmr=fnmr, persons=150), AT_ZERO)
        for name, seed, fnmr in (("even", 5, 0.1), ("best", 6, 0.005), ("alike", 8, 0.1))
    ]
    runs = load_runs(folders)
    table = ranking(runs, common_ground(runs), Approved(0.06))
    assert table["name"].iloc[0] == "best"
    spans = table.set_index("name")[["rank_from", "rank_to"]]
    assert spans.loc["best"].tolist() == [1, 1]
    assert spans.loc["even"].tolist() == spans.loc["alike"].tolist() == [2, 3]


def test_too_few_persons_rank_nobody(tmp_path) -> None:
    """What the persons cannot show is said, and no rank is given."""
    folder = run_folder(tmp_path / "one", world(5, persons=20), AT_ZERO)
    runs = load_runs([folder, folder])
    table = ranking(runs, common_ground(runs), Approved(1e-6))
    assert set(table["answer"]) == {"not shown"}
    assert table["rank_from"].isna().all()
    assert table["reason"].str.contains("too few persons").all()


@pytest.mark.parametrize("label", HOSTILE)
def test_hostile_labels_stay_text_in_markdown(label) -> None:
    """One line, no tag, no table cell, no link, no bidi control."""
    text = escaped(label, 400)
    assert not set("<>\n\u202e") & set(text)
    assert "|" not in text.replace("\\|", "")
    assert "@" not in escaped("@team https://x www.y")
    assert "://" not in escaped("@team https://x www.y")


def test_hostile_labels_stay_text_in_every_file(tmp_path, capsys) -> None:
    """Names of groups, matchers, keys and runs reach Markdown, JSON, CSV and page as text."""
    tally = regrouped(world(1, fmr=(0.05, 0.02)), HOSTILE[:2])
    other = regrouped(world(2, fmr=(0.3, 0.02)), HOSTILE[:2])
    config = changed(CONFIG, "seed", "<script>alert(2)</script>")
    config[HOSTILE[6]] = HOSTILE[0]
    one = run_folder(tmp_path / "one", tally, AT_ZERO, matcher=HOSTILE[0])
    two = run_folder(tmp_path / "=two", other, AT_ZERO, matcher=HOSTILE[6], config=config)
    place = tmp_path / "out"
    assert diff.command([str(one), str(two), f"output={place}"]) == 0
    printed = capsys.readouterr().out
    assert "<script>" not in printed
    for block in printed.split("\n\n"):
        rows = [line for line in block.splitlines() if line.startswith("|")]
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) <= 1, block
    page = (place / "report.html").read_text()
    assert "<script>alert" not in page.replace("\\u003c", "<")[: page.index('id="tables"')]
    assert "<img" not in page
    inputs = pd.read_csv(place / "inputs.csv", dtype=str)
    assert any(key.startswith("'=cmd") for key in inputs["key"])
    cells = (place / "cells.csv").read_text()
    assert not any(word.startswith("=") for word in cells.split(","))
    told = json.loads((place / "diff.json").read_text())
    assert {row["probe_group"] for row in told["cells"]} > set(HOSTILE[:2])
    assert (place / "diff.md").read_text() == printed
    record = json.loads((place / "run.json").read_text())
    assert record["verb"] == "diff"
    assert {"report.html", "diff.md", "diff.json", "cells.parquet"} <= set(record["artefacts"])


def test_the_command_answers_in_json_and_at_the_gate(tmp_path, capsys) -> None:
    """JSON for other programs; exit status 1 when a cell rose and the gate says watch."""
    one = run_folder(tmp_path / "sweep" / "one", world(7, fmr=(0.01, 0.02), persons=60), AT_ZERO)
    run_folder(tmp_path / "sweep" / "two", world(8, fmr=(0.06, 0.02), persons=60), AT_ZERO)
    assert diff.command([str(one.parent), "format=json", "gate=watch"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert [run["run_id"] for run in told["runs"]] == ["one", "two"]
    assert any(cell["moved"] for cell in told["cells"])
    assert diff.command([str(one), str(one), "--gate", "watch", "--only=cells"]) == 0
    assert "None of" in capsys.readouterr().out
    for words in ([str(one)], [str(one), str(tmp_path)], [str(one), str(one), "leve=0.9"]):
        with pytest.raises(InputError):
            diff.command(words)


def test_folders_with_an_equals_sign_are_folders(tmp_path) -> None:
    """A sweep names its folders after overrides; they are not taken for settings."""
    folder = tmp_path / "0_matcher=tiny"
    folder.mkdir()
    words = words_of([str(folder), "level=0.9", "--output", "x"], ("level", "output"))
    assert words.names == (str(folder),)
    assert words.settings == {"level": "0.9", "output": "x"}
