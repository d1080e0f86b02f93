"""Runs of black boxes: the same counts as all pairs, cheaper, and resumable after a kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opaque_sets import Told, embeddings_of, even_faces, messy_faces

from frbench.counting.score import scores
from frbench.errors import InputError
from frbench.intervals.wilson_effective import WilsonEffective
from frbench.opaque.comparator import VectorComparator
from frbench.opaque.gate import Gate
from frbench.opaque.plan import plan_comparisons
from frbench.opaque.run import run_plan
from frbench.rates import error_rates
from worlds import as_listed, tally_of, threshold_at

COUNTS = ["kind", "probe_group", "reference_group", "errors", "comparisons", "failed", "subjects"]


def rates_of(tally, thresholds):
    """The RateTable of a tally."""
    return error_rates(
        tally,
        [threshold_at(value) for value in thresholds],
        WilsonEffective(),
        matcher="vectors",
        benchmark="a world",
        rng=np.random.default_rng(0),
    )


def all_scores(vectors):
    """float32 [N, N], the engine's score of every pair of images."""
    n = len(vectors)
    first, second = np.divmod(np.arange(n * n), n)
    return scores(np.ascontiguousarray(vectors), first, second).reshape(n, n)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans(), st.booleans())
def test_a_full_plan_gives_the_rates_of_all_pairs(seed, roles, spread):
    """With budget for everything the tables of rates equal those of exact all-pairs counting."""
    rng = np.random.default_rng(seed)
    faces = messy_faces(rng, persons=8, spread=spread)
    embeddings = embeddings_of(rng, faces)
    stratum = rng.integers(0, 2, len(faces)).astype(np.int16)
    plan = plan_comparisons(
        faces, embeddings.enrolled, budget=10**6, roles=roles, stratum=stratum, rng=rng
    )
    blobs = VectorComparator.blobs(embeddings)
    outcome = run_plan(VectorComparator(dimensions=16), blobs, plan)
    score = all_scores(embeddings.vectors).astype(np.float64)
    exact = tally_of(
        score,
        subject=plan.subject,
        group=plan.group,
        groups=plan.groups,
        stratum=stratum,
        enrolled=embeddings.enrolled,
    )
    if roles:
        exact = as_listed(exact, score, ordered=True)
    thresholds = [-0.1, 0.3, float(np.median(score))]
    found, truth = rates_of(outcome.tally, thresholds), rates_of(exact, thresholds)
    pd.testing.assert_frame_equal(found[COUNTS], truth[COUNTS])
    np.testing.assert_allclose(found["rate"], truth["rate"])
    np.testing.assert_allclose(found["rate_completed"], truth["rate_completed"])


def test_references_may_have_templates_of_their_own():
    """With roles, the probe's template is compared with the other's reference template."""
    faces = even_faces(3, 2)
    plan = plan_comparisons(
        faces, np.ones(6, bool), budget=100, roles=True, rng=np.random.default_rng(0)
    )

    class Asymmetric(Told):
        def compare(self, probe, references):
            assert probe.startswith(b"p")
            assert all(other.startswith(b"r") for other in references)
            return [float(probe[1:]) * 10 + float(other[1:]) for other in references]

    outcome = run_plan(
        Asymmetric(np.zeros((6, 6))),
        [b"p%d" % k for k in range(6)],
        plan,
        references=[b"r%d" % k for k in range(6)],
    )
    listed = outcome.tally.listed
    assert np.array_equal(listed.score, listed.first * 10.0 + listed.second)
    assert len(listed) == 30


def gated(seed=0, persons=120, budget=20_000):
    """A plan of two groups, one clean and one far above a limit of 1 %, and its black box."""
    rng = np.random.default_rng(seed)
    faces = even_faces(persons, 2, groups=2)
    n = len(faces)
    group = np.repeat([0, 1], n // 2)
    rate = np.where((group[:, None] == 1) & (group[None, :] == 1), 0.1, 0.0005)
    told = Told((rng.random((n, n)) < rate).astype(float))
    plan = plan_comparisons(faces, np.ones(n, bool), budget=budget, mated=50, rng=rng)
    return plan, told


def test_decided_cells_cost_no_more():
    """A decided cell is asked about no further; its numbers are those at its decision."""
    plan, told = gated()
    outcome = run_plan(told, told.blobs(), plan, [Gate(0.01, 0.5)])
    decision = {(v.probe_group, v.reference_group): v for v in outcome.verdicts}
    assert decision["g0", "g0"].decision == "below"
    assert decision["g1", "g1"].decision == "above"
    assert outcome.asked < 0.7 * outcome.planned
    for cell, (a, b) in enumerate(plan.cells.names[:-1]):
        verdict = decision[a, b]
        until = plan.round < (verdict.round or plan.rounds)
        chosen = ~plan.mated & (plan.cell == cell) & until
        assert verdict.comparisons == np.count_nonzero(chosen)
        score = told.scores[plan.first[chosen], plan.second[chosen]]
        assert verdict.errors == np.count_nonzero(score >= 0.5)
        assert verdict.low <= verdict.rate <= verdict.high
    assert outcome.table()["sentence"].str.contains("below 0.01|above 0.01").all()


def test_one_call_serves_many_references():
    """Comparisons are grouped by probe and cut into batches."""
    plan, told = gated(budget=4000)
    outcome = run_plan(told, told.blobs(), plan, batch=4)
    groups = pd.Series(np.ones(len(plan))).groupby([plan.round, plan.first]).sum()
    assert outcome.calls == told.calls == int(np.ceil(groups / 4).sum())
    assert np.array_equal(outcome.tally.listed.score, told.scores[plan.first, plan.second])


def test_the_honest_sentence_names_what_is_missing():
    """A limit out of reach is said to be so, with the bound and what would be needed."""
    faces = even_faces(60, 2)
    told = Told(np.zeros((120, 120)))
    plan = plan_comparisons(
        faces, np.ones(120, bool), budget=1000, mated=0, rng=np.random.default_rng(0)
    )
    outcome = run_plan(told, told.blobs(), plan, [Gate(1e-6, 0.5, heterogeneity=np.inf)])
    (verdict,) = outcome.verdicts
    assert verdict.decision == "undecided"
    assert verdict.sentence.startswith(
        "1,000 comparisons between 60 persons cannot show FMR <= 1e-06 for g0 with g0: with no "
        "error at all the 95 % upper bound is"
    )
    bound = float(verdict.sentence.split("upper bound is ")[1].split()[0])
    assert bound == pytest.approx(1 - (0.025 / 8) ** (1 / 30), rel=0.05)
    assert "even 10,000,000 persons would not settle it" in verdict.sentence


def test_a_straddling_cell_says_what_this_rate_would_take():
    """Where errors were seen, the sentence extrapolates from their rate."""
    faces, rng = even_faces(150, 2), np.random.default_rng(1)
    told = Told((rng.random((300, 300)) < 0.007).astype(float))
    plan = plan_comparisons(faces, np.ones(300, bool), budget=4000, mated=0, rng=rng)
    outcome = run_plan(told, told.blobs(), plan, [Gate(0.01, 0.5)])
    (verdict,) = outcome.verdicts
    assert "do not settle FMR <= 0.01 for g0 with g0" in verdict.sentence
    assert f"{verdict.errors} errors" in verdict.sentence
    assert "persons would be needed" in verdict.sentence


@pytest.mark.parametrize("most", [12, 50])
def test_a_run_out_of_calls_goes_on_where_it_was(tmp_path, most):
    """Cut into many runs of a few calls each, a run ends like an uninterrupted one."""
    plan, told = gated(persons=10, budget=250)
    gates = [Gate(0.01, 0.5)]
    whole = run_plan(told, told.blobs(), plan, gates)
    used = told.calls
    told.calls, limit, runs = 0, most, 1
    cut = run_plan(told, told.blobs(), plan, gates, checkpoint=tmp_path / "c", max_calls=limit)
    assert most >= whole.calls or f"stopped after {most:,} calls" in cut.stopped
    while cut.stopped:
        limit, runs = limit + most, runs + 1
        cut = run_plan(told, told.blobs(), plan, gates, checkpoint=tmp_path / "c", max_calls=limit)
    assert runs == -(-used // most)
    assert told.calls == used == cut.calls
    assert cut.table().equals(whole.table())
    assert np.array_equal(cut.tally.listed.score, whole.tally.listed.score)


KILLED = """
import sys, time
from pathlib import Path
sys.path[:0] = {paths!r}
import numpy as np
from opaque_sets import Told, even_faces
from frbench.opaque.gate import Gate
from frbench.opaque.plan import plan_comparisons
from frbench.opaque.run import run_plan

class Slow(Told):
    def compare(self, probe, references):
        time.sleep({pause})
        answer = super().compare(probe, references)
        with open({log!r}, "a") as log:
            log.writelines(f"{{probe.decode()}} {{other.decode()}}\\n" for other in references)
        return answer

rng = np.random.default_rng(3)
faces = even_faces(40, 2, groups=2)
told = Slow((rng.random((160, 160)) < 0.02).astype(float))
plan = plan_comparisons(faces, np.ones(160, bool), budget=3000, rng=rng)
outcome = run_plan(
    told, told.blobs(), plan, [Gate(0.01, 0.5)], batch=8, checkpoint=Path({folder!r}), part=40
)
outcome.table().to_csv({result!r})
"""


def script(tmp_path, name, folder, pause):
    """A process that runs the plan, logging every answered comparison."""
    place = Path(__file__).resolve()
    code = KILLED.format(
        paths=[str(place.parent), str(place.parents[1])],
        pause=pause,
        log=str(tmp_path / f"{name}.log"),
        folder=str(tmp_path / folder),
        result=str(tmp_path / f"{name}.csv"),
    )
    return subprocess.Popen([sys.executable, "-c", code])


def test_a_killed_process_resumes_without_asking_again(tmp_path):
    """After SIGKILL nothing on disk is asked again, and the result is the uninterrupted one."""
    process = script(tmp_path, "killed", "checkpoint", 0.005)
    folder, deadline = tmp_path / "checkpoint", time.monotonic() + 60
    while len(list(folder.glob("*.npz"))) < 12:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    stored = sum(len(np.load(file)["score"]) for file in folder.glob("*.npz"))
    assert stored >= 200
    for name, where in (("resumed", "checkpoint"), ("whole", "elsewhere")):
        assert script(tmp_path, name, where, 0.0).wait(timeout=120) == 0
    asked = {
        name: (tmp_path / f"{name}.log").read_text().splitlines()
        for name in ("killed", "resumed", "whole")
    }
    assert len(asked["resumed"]) == len(asked["whole"]) - stored
    assert set(asked["killed"][:stored]).isdisjoint(asked["resumed"])
    assert set(asked["killed"][:stored]) | set(asked["resumed"]) == set(asked["whole"])
    whole = (tmp_path / "whole.csv").read_text()
    assert (tmp_path / "resumed.csv").read_text() == whole


def test_a_finished_run_is_read_back_without_a_call(tmp_path):
    """Run again over its checkpoint, a finished run asks nothing and says the same."""
    plan, told = gated(persons=40, budget=600)
    once = run_plan(told, told.blobs(), plan, checkpoint=tmp_path, repeat_share=0.1)
    told.calls = 0
    again = run_plan(told, told.blobs(), plan, checkpoint=tmp_path, repeat_share=0.1)
    assert told.calls == 0
    assert (again.calls, again.repeats) == (once.calls, once.repeats)
    assert np.array_equal(again.tally.listed.score, once.tally.listed.score)


def test_a_foreign_or_damaged_checkpoint_is_refused(tmp_path):
    """Scores of another plan are never taken for this one's, nor half a file for a whole."""
    plan, told = gated(persons=40, budget=600)
    other, _ = gated(seed=1, persons=40, budget=600)
    run_plan(told, told.blobs(), plan, checkpoint=tmp_path)
    with pytest.raises(InputError, match="holds the checkpoint of another run"):
        run_plan(told, told.blobs(), other, checkpoint=tmp_path)
    with pytest.raises(InputError, match="holds the checkpoint of another run"):
        run_plan(told, told.blobs(), plan, [Gate(0.1, 0.5)], checkpoint=tmp_path)
    file = sorted(tmp_path.glob("*.npz"))[0]
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(InputError, match="cannot be read"):
        run_plan(told, told.blobs(), plan, checkpoint=tmp_path)


def test_progress_reaches_the_end():
    """Progress counts up to what was asked, out of what was planned."""
    plan, told = gated(persons=40, budget=600)
    seen = []
    run_plan(told, told.blobs(), plan, progress=lambda done, total: seen.append((done, total)))
    assert seen == sorted(seen)
    assert seen[-1] == (len(plan), len(plan))
