"""Vendors' programs that work, and that break in every way we could think of; real processes."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from black_box_worlds import as_dict, by_hand, calls, counted, number_set, vendor

from frbench.comparison import ComparisonSpec
from frbench.errors import InputError
from frbench.intervals.wilson import Wilson
from frbench.matchers.command import CommandMatcher
from frbench.rates import error_rates
from frbench.values import Threshold


def agrees(faces, tally, **by):
    """Every comparison is there once, with its score, and no other."""
    mated, others = by_hand(faces, **by)
    assert as_dict(tally.mated) == mated
    assert as_dict(tally.tail) == others


def test_all_pairs_are_those_of_a_double_loop(tmp_path):
    """Scores, enrolment and the record; the image without a face is a failure to enrol."""
    faces = number_set(tmp_path / "set", texts=["no face", "9 9"])
    tally, record = counted(faces, vendor("good", tmp_path / "state"))
    agrees(faces, tally)
    assert tally.listed is None
    assert np.flatnonzero(~tally.enrolled).tolist() == [27]
    assert tally.histogram.counts.sum() == len(tally.mated) + len(tally.tail)
    assert tally.work["comparisons are"] == "all pairs"
    assert record["black_box"]
    assert record["vendor"] == {"name": "faulty", "version": "1"}
    assert record["stated"] == [{"fmr": 0.1, "score": -5.0}]


def test_an_impostor_policy_restricts_non_mated_comparisons_only(tmp_path):
    """same_kind: non-mated comparisons of one kind, mated ones all."""
    faces = number_set(tmp_path / "set")
    spec = ComparisonSpec(same=("kind",))
    tally, _ = counted(faces, vendor("good", tmp_path / "state"), spec=spec)
    mated, others = by_hand(faces)
    kind = faces.faces["label_kind"].to_numpy()
    assert as_dict(tally.mated) == mated
    assert as_dict(tally.tail) == {k: v for k, v in others.items() if kind[k[0]] == kind[k[1]]}


def test_a_crash_in_ten_calls_changes_no_count(tmp_path):
    """Calls that die at random are asked again, and halved, until all is answered."""
    faces = number_set(tmp_path / "set")
    matcher = vendor("crash_one_in_ten", tmp_path / "state", enrol_batch=2, compare_batch=25)
    tally, _ = counted(faces, matcher)
    agrees(faces, tally)
    assert calls(tmp_path / "state").count("crashed") >= 2
    assert tally.work["failed calls"] >= 2
    assert "lost items" not in tally.work


def test_a_poisonous_image_is_found_and_fails_alone(tmp_path):
    """The image that crashes the program is a failure to enrol, and its neighbours are not."""
    faces = number_set(tmp_path / "set", texts=["666 1", "8 8"])
    tally, _ = counted(faces, vendor("crash_on_poison", tmp_path / "state", retries=0))
    agrees(faces, tally, without=(27,))
    assert np.flatnonzero(~tally.enrolled).tolist() == [27]
    assert tally.work["lost items"] == 1


def test_an_image_on_which_the_program_hangs_fails_alone(tmp_path):
    """A call that does not end is killed in time, with all that it started."""
    faces = number_set(tmp_path / "set", persons=3, texts=["666 1"])
    matcher = vendor("hang_on_poison", tmp_path / "state", enrol_batch=2, timeout=3.0, retries=0)
    started = time.monotonic()
    tally, _ = counted(faces, matcher)
    assert time.monotonic() - started < 25
    agrees(faces, tally, without=(9,))
    assert tally.work["time-outs"] >= 2


def test_a_program_that_only_hangs_ends_in_one_sentence(tmp_path):
    """Nobody waits for ever for a dead program, and no process is left behind."""
    faces = number_set(tmp_path / "set", persons=4)
    matcher = vendor("hang", tmp_path / "state", enrol_batch=1, timeout=1.0, retries=0)
    with pytest.raises(InputError, match="5 items in a row failed") as caught:
        counted(faces, matcher)
    assert "\n" not in str(caught.value)
    assert not running(str(tmp_path / "state"))


def test_a_pair_that_crashes_the_program_is_a_failed_comparison(tmp_path):
    """It stays among the attempted ones: never a false match, and a miss where mated."""
    faces = number_set(tmp_path / "set", persons=3, texts=["3 3", "5 5", "no face"])
    matcher = vendor("crash_on_pair", tmp_path / "state", retries=0)
    tally, _ = counted(faces, matcher)
    mated, others = by_hand(faces)
    texts = [(faces.root / path).read_text() for path in faces.faces["path"]]
    poison = {
        pair
        for pair in (mated | others)
        if {texts[pair[0]].split()[0], texts[pair[1]].split()[0]} == {"3", "5"}
    }
    assert poison
    assert tally.work["failed comparisons"] == len(poison)
    assert as_dict(tally.tail) == {k: v for k, v in others.items() if k not in poison}
    assert len(tally.listed) == math.comb(12, 2)
    threshold = Threshold(-4.0, "fixed", None, 0.0, 0, 1, "")
    rates = error_rates(
        tally, [threshold], Wilson(), matcher="", benchmark="", rng=np.random.default_rng(0)
    )
    pooled = rates[rates["probe_group"] == "all"].set_index("kind")
    assert pooled.loc["FMR", "comparisons"] == math.comb(12, 2) - len(mated)
    assert pooled.loc["FMR", "errors"] == sum(v >= -4 for v in as_dict(tally.tail).values())


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("nan", "scores.tsv line 1: status 0 with the score nan"),
        ("words", "with the score 'good', no number"),
        ("short", "lines for"),
        ("short_status", "status.tsv has "),
        ("order", "answer in the order of the request"),
        ("garbage", "scores.tsv"),
        ("unstable", "asked a second time"),
        ("asymmetric", "matcher.asymmetric=true"),
    ],
)
def test_an_answer_that_breaks_the_contract_is_one_sentence(tmp_path, mode, words):
    """What, in which file and line, and whose."""
    faces = number_set(tmp_path / "set", persons=4)
    with pytest.raises(InputError, match="matcher faulty") as caught:
        counted(faces, vendor(mode, tmp_path / "state", retries=0))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_changes_within_the_tolerance_are_recorded(tmp_path):
    """A vendor that computes in parallel may differ in the last digits, if the user says so."""
    faces = number_set(tmp_path / "set", persons=3)
    tally, _ = counted(faces, vendor("unstable", tmp_path / "state", tolerance=1.0))
    assert 0 < tally.work["largest change on repetition"] <= 1.0


def test_a_program_that_never_stops_talking_is_drained(tmp_path):
    """25 MiB a call on stderr block nobody."""
    faces = number_set(tmp_path / "set", persons=3)
    tally, _ = counted(faces, vendor("flood", tmp_path / "state"))
    agrees(faces, tally)


def test_an_asymmetric_vendor_is_asked_in_both_orders(tmp_path):
    """Every ordered pair once, the first of which is the probe."""
    faces = number_set(tmp_path / "set", persons=4)
    tally, _ = counted(faces, vendor("asymmetric", tmp_path / "state", asymmetric=True))
    numbers = [int((faces.root / p).read_text().split()[0]) for p in faces.faces["path"]]
    mated, others = by_hand(faces, ordered=True)
    assert tally.ordered
    expected = {k: v + 0.25 * (numbers[k[0]] > numbers[k[1]]) for k, v in (mated | others).items()}
    assert as_dict(tally.mated) | as_dict(tally.tail) == expected


def test_a_budget_chooses_comparisons_and_says_so(tmp_path):
    """All mated ones and a balanced part of the others, never more than the budget."""
    faces = number_set(tmp_path / "set", persons=10)
    tally, _ = counted(faces, vendor("good", tmp_path / "state", budget=130))
    mated, others = by_hand(faces)
    asked = as_dict(tally.listed)
    assert len(asked) == 130
    assert {tuple(sorted(k)) for k in as_dict(tally.mated)} == set(mated)
    assert all(others[tuple(sorted(k))] == v for k, v in as_dict(tally.tail).items())
    assert tally.work["comparisons are"] == "a planned sample, balanced over persons"
    assert tally.work["possible"] == math.comb(30, 2)


def test_nothing_is_enrolled_twice_and_a_new_revision_is_enrolled_anew(tmp_path):
    """The store finds templates by the vendor's identity and the image's bytes."""
    faces, cache = number_set(tmp_path / "set", persons=4), tmp_path / "cache"
    first, _ = counted(faces, vendor("good", tmp_path / "state", cache=cache), cache=cache)
    enrolled = [each for each in calls(tmp_path / "state") if each.startswith("create")]
    second, _ = counted(faces, vendor("good", tmp_path / "state", cache=cache), cache=cache)
    again = [each for each in calls(tmp_path / "state") if each.startswith("create")]
    assert again == enrolled
    assert as_dict(first.tail) == as_dict(second.tail)
    counted(faces, vendor("good", tmp_path / "state", revision="2", cache=cache), cache=cache)
    assert len([e for e in calls(tmp_path / "state") if e.startswith("create")]) > len(enrolled)
    assert (cache / "black-boxes").stat().st_mode & 0o077 == 0
    assert not list((cache / "black-boxes" / "in-flight").iterdir())


CHILD = """
import sys
from dataclasses import replace
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from black_box_worlds import counted, number_set, vendor
place = Path(sys.argv[2])
settings = {"enrol_batch": 9, "compare_batch": 30, "workers": 1, "cache": place / "cache"}
matcher = vendor("slow", place / "state", **settings)
counted(number_set(place / "set"), matcher, cache=place / "cache")
"""


def test_a_killed_run_goes_on_where_it_was(tmp_path):
    """kill -9 amid the comparisons: what was saved is not asked again, counts are the same."""
    words = [sys.executable, "-c", CHILD, str(Path(__file__).parent), str(tmp_path)]
    child = subprocess.Popen(words)
    unfinished = tmp_path / "cache" / "black-boxes" / "unfinished"
    end = time.monotonic() + 60
    while not list(unfinished.glob("*/round-*.npz")) and time.monotonic() < end:
        assert child.poll() is None
        time.sleep(0.02)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    before = calls(tmp_path / "state")
    (tmp_path / "state" / "calls").unlink()
    faces = number_set(tmp_path / "set")
    settings = {"enrol_batch": 9, "compare_batch": 30, "workers": 1, "cache": tmp_path / "cache"}
    matcher = vendor("slow", tmp_path / "state", **settings)
    tally, _ = counted(faces, matcher, cache=tmp_path / "cache")
    agrees(faces, tally)
    after = calls(tmp_path / "state")
    assert [each for each in after if each.startswith("create")] == []
    sample, everything = 3 * math.ceil(200 / 30), math.ceil(math.comb(27, 2) / 30)
    asked = [sum(each.startswith("match") for each in log) for log in (before, after)]
    assert sample <= asked[1] < sample + everything
    assert asked[0] > sample
    assert not list(unfinished.iterdir())
    assert len(list((tmp_path / "cache" / "black-boxes" / "in-flight").iterdir())) == 0


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"program": "no-such-program"}, "no program that can be run"),
        ({"program": "true", "timeout": 0}, "matcher.timeout=0"),
        ({"program": "true", "workers": 0}, "matcher.workers=0"),
        ({"program": "true", "budget": "many"}, "matcher.budget=many"),
        ({"program": "true", "tolerance": -1}, "matcher.tolerance=-1"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings, words):
    """Before anything is started."""
    with pytest.raises(InputError, match=words):
        CommandMatcher(**settings)


def test_a_program_without_info_is_described_in_a_file(tmp_path):
    """``true`` writes nothing: refused by name, unless a YAML file speaks for it."""
    with pytest.raises(InputError, match="verb info"):
        CommandMatcher(program="true").info()
    file = tmp_path / "vendor.yaml"
    file.write_text("name: Acme\nversion: '2'\nthresholds: [{fmr: 1e-3, score: 0.6}]\n")
    info = CommandMatcher(program="true", info=str(file)).info()
    assert (info.name, info.version, dict(info.thresholds)) == ("Acme", "2", {1e-3: 0.6})
    file.write_text("name: Acme\nversion: '2'\nthresholds: [{fmr: 2, score: 0.6}]\n")
    with pytest.raises(InputError, match="0 < fmr < 1"):
        CommandMatcher(program="true", info=str(file)).info()


def running(words: str) -> list[str]:
    """Processes of this machine that have the words on their command line."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = file.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if words in line:
            found.append(line)
    return found


def test_a_protocols_list_is_asked_and_nothing_else(tmp_path):
    """Listed pairs, those with an image without a template failed but attempted."""
    faces = number_set(tmp_path / "set", persons=3, texts=["no face"])
    ids = faces.faces["image_id"]
    listed = pd.DataFrame({"probe_id": ids[[0, 0, 4]].array, "reference_id": ids[[1, 5, 9]].array})
    faces = replace(faces, pairs=listed.assign(fold=1))
    tally, _ = counted(faces, vendor("good", tmp_path / "state"))
    mated, others = by_hand(faces)
    assert as_dict(tally.mated) == {(0, 1): mated[0, 1]}
    assert as_dict(tally.tail) == {(0, 5): others[0, 5]}
    assert len(tally.listed) == 3
    assert tally.policy == "as listed"


def test_a_program_in_this_folder_is_found(tmp_path, monkeypatch):
    """``./acme`` is the file here, whatever the PATH holds; ``acme`` alone is looked up there."""
    (tmp_path / "acme").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "acme").chmod(0o700)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=f"matcher.program={tmp_path / 'acme'}, verb info"):
        CommandMatcher(program="./acme").info()
    with pytest.raises(InputError, match="is no program that can be run"):
        CommandMatcher(program="acme")
