"""Black boxes that misbehave: one clear sentence or a counted failure, and never a hang."""

from __future__ import annotations

import time

import numpy as np
import pytest
from opaque_sets import Told, even_faces

from frbench.errors import InputError
from frbench.opaque.comparator import VectorComparator
from frbench.opaque.gate import Gate
from frbench.opaque.plan import plan_comparisons
from frbench.opaque.run import run_plan


def small(enrolled=None, **settings):
    """A plan of 20 images of 10 persons."""
    enrolled = np.ones(20, bool) if enrolled is None else enrolled
    rng = np.random.default_rng(0)
    return plan_comparisons(even_faces(10, 2), enrolled, budget=150, rng=rng, **settings)


class Odd(Told):
    """Scores of zero, handed through ``answer`` first."""

    def __init__(self, answer):
        super().__init__(np.zeros((20, 20)))
        self.answer = answer

    def compare(self, probe, references):
        """Whatever the test wants."""
        return self.answer(super().compare(probe, references), references)


def raising(scores, references):
    """A vendor that is down."""
    raise OSError("licence server gone")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda s, r: s[:-1], "answer has shape"),
        (lambda s, r: [*s, 0.0], "answer has shape"),
        (lambda s, r: 0.5, r"answer has shape \(\)"),
        (lambda s, r: None, "answer"),
        (lambda s, r: ["high" for _ in s], "not a list of numbers"),
        (lambda s, r: [[1.0], *s], "not a list of numbers"),
        (lambda s, r: [np.inf for _ in s], "infinite"),
        (lambda s, r: [-np.inf for _ in s], "infinite"),
        (raising, "failed 10 times in a row .* licence server gone"),
    ],
)
def test_answers_that_are_none_end_the_run(answer, words):
    """An answer that breaks the contract ends the run with a sentence naming the comparator."""
    odd, plan = Odd(answer), small()
    with pytest.raises(InputError, match="comparator told.*" + words):
        run_plan(odd, odd.blobs(), plan)


def test_nan_is_a_failed_comparison():
    """NaN is counted: attempted, never a false match, a false non-match where mated."""
    odd, plan = Odd(lambda s, r: [np.nan, *s[1:]]), small()
    outcome = run_plan(odd, odd.blobs(), plan)
    assert outcome.failures == {"NaN": outcome.calls}
    assert np.isnan(outcome.tally.listed.score).sum() == outcome.calls
    assert len(outcome.tally.mated) + len(outcome.tally.tail) == len(plan) - outcome.calls


def test_failures_to_enrol_are_attempted_but_not_asked():
    """A missing template fails every comparison of its image without a call."""
    enrolled = np.arange(20) % 5 > 0
    odd, plan = Odd(lambda s, r: s), small(enrolled)
    blobs = [b if e else None for b, e in zip(odd.blobs(), enrolled, strict=True)]
    outcome = run_plan(odd, blobs, plan)
    lost = ~(enrolled[plan.first] & enrolled[plan.second])
    assert outcome.failures == {"failure to enrol": int(lost.sum())}
    assert np.array_equal(np.isnan(outcome.tally.listed.score), lost)


def test_random_crashes_are_retried():
    """A vendor that fails one call in ten loses no comparison."""
    rng = np.random.default_rng(0)

    def crashing(scores, references):
        if rng.random() < 0.1:
            raise RuntimeError("crash")
        return scores

    odd, plan = Odd(crashing), small()
    outcome = run_plan(odd, odd.blobs(), plan, retries=6)
    assert outcome.failures == {}
    assert outcome.asked == len(plan)


def test_one_poisonous_template_fails_alone():
    """A template on which every call raises is found by halving; all others get their score."""

    def allergic(scores, references):
        if b"7" in references:
            raise ValueError("cannot read template")
        return scores

    odd, plan = Odd(allergic), small()
    outcome = run_plan(odd, odd.blobs(), plan, retries=0)
    lost = plan.second == 7
    assert lost.any()
    assert outcome.failures == {"ValueError: cannot read template": int(lost.sum())}
    assert np.array_equal(np.isnan(outcome.tally.listed.score), lost)


def test_a_call_that_never_returns_is_given_up():
    """A hanging vendor ends the run after the allowed patience."""
    odd, plan = Odd(lambda s, r: time.sleep(20)), small()
    begin = time.monotonic()
    with pytest.raises(InputError, match=r"did not answer within 0\.2 s"):
        run_plan(odd, odd.blobs(), plan, patience=0.2)
    assert time.monotonic() - begin < 10


def test_what_was_heard_before_a_breakdown_is_kept(tmp_path):
    """After the vendor is mended, the run goes on without repeating an answered comparison."""
    heard = []

    def breaking(scores, references):
        if len(heard) >= 10:
            return scores[:-1]
        heard.append(len(references))
        return scores

    odd, plan = Odd(breaking), small()
    with pytest.raises(InputError, match="shape"):
        run_plan(odd, odd.blobs(), plan, checkpoint=tmp_path)
    again = Odd(lambda s, r: (heard.append(len(r)), s)[1])
    outcome = run_plan(again, again.blobs(), plan, checkpoint=tmp_path)
    assert sum(heard) == len(plan) == outcome.asked


def test_repetition_finds_a_matcher_that_changes_its_mind():
    """Scores that differ on a second asking are counted, with the largest difference."""
    told, plan = Told(np.full((20, 20), 0.4)), small()
    steady = run_plan(told, told.blobs(), plan, [Gate(0.1, 0.5)], repeat_share=0.2)
    assert steady.repeats.asked >= 0.15 * steady.asked
    assert (steady.repeats.different, steady.repeats.largest) == (0, 0.0)
    asked: set[tuple[bytes, bytes]] = set()

    class Moody(Told):
        def compare(self, probe, references):
            before = [(probe, other) in asked for other in references]
            asked.update((probe, other) for other in references)
            return [0.6 if seen else 0.4 for seen in before]

    moody = Moody(np.zeros((20, 20)))
    outcome = run_plan(moody, moody.blobs(), plan, [Gate(0.1, 0.5)], repeat_share=0.2)
    repeats = outcome.repeats
    assert repeats.asked == repeats.different == repeats.flipped > 0
    assert repeats.largest == pytest.approx(0.2)
    assert np.all(outcome.tally.listed.score == 0.4)


def test_templates_must_fit_the_plan():
    """Too few templates, or one where the plan has a failure to enrol, are refused."""
    told, plan = Told(np.zeros((20, 20))), small()
    with pytest.raises(InputError, match="19 probe templates for a plan of 20 images"):
        run_plan(told, told.blobs()[:-1], plan)
    with pytest.raises(InputError, match="image number 3 is enrolled in the plan"):
        run_plan(told, [None if k == 3 else b for k, b in enumerate(told.blobs())], plan)
    with pytest.raises(InputError, match="repeat_share"):
        run_plan(told, told.blobs(), plan, repeat_share=2.0)


def test_a_template_of_another_length_is_refused():
    """The adapter for vectors says how long its templates are."""
    with pytest.raises(InputError, match="a template has 3 bytes, but 4 float32 take 16"):
        VectorComparator(dimensions=4).compare(b"\0" * 16, [b"\0" * 3])


def test_boundless_patience_gives_the_same_scores():
    """Calling without the watching thread changes nothing but the waiting."""
    told, plan = Told(np.random.default_rng(4).random((20, 20))), small()
    watched = run_plan(told, told.blobs(), plan)
    plain = run_plan(told, told.blobs(), plan, patience=np.inf)
    assert np.array_equal(watched.tally.listed.score, plain.tally.listed.score)
    with pytest.raises(InputError, match="licence server gone"):
        run_plan(Odd(raising), told.blobs(), plan, patience=np.inf)
