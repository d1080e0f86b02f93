"""Ask what was planned, round by round, until every gate is decided or the budget is spent."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from frbench.digests import digest_of
from frbench.errors import InputError
from frbench.opaque.asking import Asker, Blobs, OutOfCalls
from frbench.opaque.checkpoint import Checkpoint, Heard, Repeats
from frbench.opaque.comparator import Comparator
from frbench.opaque.gate import Gate, Referee
from frbench.opaque.outcome import Outcome, verdicts
from frbench.opaque.plan import Plan
from frbench.progress import Report
from frbench.values import Bools, Float64s, Int64s


def run_plan(
    comparator: Comparator,
    blobs: Blobs,
    plan: Plan,
    gates: Sequence[Gate] = (),
    *,
    references: Blobs | None = None,
    batch: int = 256,
    max_calls: int | None = None,
    retries: int = 2,
    patience: float = 300.0,
    repeat_share: float = 0.0,
    checkpoint: Path | None = None,
    part: int = 20_000,
    progress: Report | None = None,
) -> Outcome:
    """Scores, decisions and what they cost.

    Without gates every planned comparison is asked, for instance to choose a threshold. With
    gates, each round ends with a look, and cells that are decided are asked about no more.

    Args:
        blobs: template of each image as a probe, None where enrolment failed.
        references: the same in the role of the reference, where that differs.
        batch: references per call at most.
        max_calls: stop after so many calls, in the middle of a round if need be; only finished
            rounds count, and a later call with the same checkpoint goes on.
        retries, patience: see Asker.
        repeat_share: share of the comparisons to ask a second time; differences are reported.
        checkpoint: folder that keeps what was heard.
        part: comparisons between two writes to it.
        progress: called with comparisons (heard, planned).

    Raises InputError for templates that do not fit the plan, a foreign checkpoint, or answers
    that no comparator may give.
    """
    others = blobs if references is None else references
    _check(plan, blobs, others, repeat_share)
    referee = Referee(gates, plan.rounds, len(plan.cells))
    key = _key(comparator, blobs, others, plan, gates, repeat_share)
    asker = Asker(comparator, blobs, others, batch, retries, patience, max_calls)
    session = _Session(plan, asker, Checkpoint(checkpoint, key), gates, repeat_share, part)
    score = np.full(len(plan), np.nan)
    asked = np.zeros(len(plan), dtype=np.bool_)
    stopped = ""
    try:
        for number in range(plan.rounds):
            todo = _todo(plan, referee, number)
            score[todo] = session.round(number, todo, int(asked.sum()), progress)
            asked[todo] = True
            if gates and len(todo):
                referee.look(number, plan.tally(asked, score[asked]))
    except OutOfCalls:
        stopped = (
            f"stopped after {asker.calls:,} calls, the most allowed, in round {number + 1} of "
            f"{plan.rounds}; only finished rounds count"
        )
    finally:
        asker.close()
    return Outcome(
        tally=plan.tally(asked, score[asked]),
        verdicts=verdicts(plan, referee),
        planned=len(plan),
        asked=int(asked.sum()),
        calls=asker.calls,
        failures=dict(+asker.failures),
        repeats=session.repeats,
        stopped=stopped,
    )


def _todo(plan: Plan, referee: Referee, number: int) -> Int64s:
    """The comparisons of a round in cells that are still open, those of one probe together."""
    open_cells = np.stack([referee.open("FMR"), referee.open("FNMR")])
    wanted: Bools = (plan.round == number) & open_cells[plan.mated.astype(int), plan.cell]
    todo = np.flatnonzero(wanted)
    order = np.lexsort((plan.second[todo], plan.first[todo]))
    return np.asarray(todo[order], dtype=np.int64)


class _Session:
    """The rounds of one run: what is on disk is read, the rest is asked and written."""

    def __init__(
        self,
        plan: Plan,
        asker: Asker,
        checkpoint: Checkpoint,
        gates: Sequence[Gate],
        repeat_share: float,
        part: int,
    ) -> None:
        self.plan, self.asker, self.checkpoint = plan, asker, checkpoint
        self.gates, self.repeat_share, self.part = gates, repeat_share, part
        self.repeats = Repeats()
        # failures of answered comparisons only: what a broken-off call counted is asked again
        self._settled: Counter[str] = Counter()

    def round(self, number: int, todo: Int64s, before: int, progress: Report | None) -> Float64s:
        """The scores of a round. Raises OutOfCalls, keeping what was heard."""
        heard = self.checkpoint.load(number) or Heard(
            calls=self.asker.calls, failures=self.asker.failures, repeats=self.repeats
        )
        self.asker.calls, self.asker.failures = heard.calls, heard.failures.copy()
        self.repeats = heard.repeats
        score = np.full(len(todo), np.nan)
        done = len(heard.score)
        score[:done] = heard.score
        if heard.finished or not len(todo):
            return score
        first, second = self.plan.first[todo].astype(np.int64), self.plan.second[todo]
        kept, end = done, done
        self._settled = +self.asker.failures
        try:
            for piece in self.asker.ask(first[done:], second[done:].astype(np.int64)):
                score[end : end + len(piece)] = piece
                end += len(piece)
                self._settled = +self.asker.failures
                if progress is not None:
                    progress(before + end, len(self.plan))
                if end - kept >= self.part:
                    self._save(number, score[kept:end], finished=False)
                    kept = end
            again = self._repeated(first, second.astype(np.int64), score)
        except (OutOfCalls, InputError, KeyboardInterrupt):
            if end > kept:
                self._save(number, score[kept:end], finished=False)
            raise
        self.repeats = again
        self._save(number, score[kept:], finished=True)
        return score

    def _save(self, number: int, piece: Float64s, *, finished: bool) -> None:
        heard = Heard(piece, self.asker.calls, self._settled, self.repeats, finished)
        self.checkpoint.save(number, self.checkpoint.parts(number), heard, piece)

    def _repeated(self, first: Int64s, second: Int64s, score: Float64s) -> Repeats:
        """Ask an even sample of the round a second time and compare."""
        if self.repeat_share == 0.0:
            return self.repeats
        ready = np.array([self.asker.probes[int(i)] is not None for i in first])
        ready &= np.array([self.asker.references[int(j)] is not None for j in second])
        usable = np.flatnonzero(ready)
        chosen = usable[:: max(round(1.0 / self.repeat_share), 1)]
        failures = self.asker.failures.copy()
        pieces = list(self.asker.ask(first[chosen], second[chosen]))
        self.asker.failures = failures
        again, once = np.concatenate([np.empty(0), *pieces]), score[chosen]
        same = (again == once) | (np.isnan(again) & np.isnan(once))
        flipped = np.zeros(len(chosen), dtype=np.bool_)
        for gate in self.gates:
            flipped |= (again >= gate.threshold) != (once >= gate.threshold)
        gap = np.abs(again - once)
        return replace(
            self.repeats,
            asked=self.repeats.asked + len(chosen),
            different=self.repeats.different + int((~same).sum()),
            flipped=self.repeats.flipped + int(flipped.sum()),
            largest=max(self.repeats.largest, float(np.max(gap[~np.isnan(gap)], initial=0.0))),
        )


def _check(plan: Plan, probes: Blobs, references: Blobs, repeat_share: float) -> None:
    if not 0.0 <= repeat_share <= 1.0:
        raise InputError(f"repeat_share must lie between 0 and 1, not {repeat_share:g}")
    if len(plan) == 0:
        raise InputError("the plan holds no comparison; the set offers none, or per_cell asks none")
    for role, blobs in (("probe", probes), ("reference", references)):
        if len(blobs) != len(plan.subject):
            raise InputError(
                f"{len(blobs)} {role} templates for a plan of {len(plan.subject)} images; give "
                "one per image, None where enrolment failed"
            )
    given = np.array(
        [a is not None and b is not None for a, b in zip(probes, references, strict=True)]
    )
    wrong = np.flatnonzero(given != plan.enrolled)
    if len(wrong):
        raise InputError(
            f"image number {wrong[0]} is {'' if plan.enrolled[wrong[0]] else 'not '}enrolled in "
            f"the plan, but its template is {'given' if given[wrong[0]] else 'missing'} "
            f"({len(wrong)} such images); plan with the enrolment statuses of these templates"
        )


def _key(
    comparator: Comparator,
    probes: Blobs,
    references: Blobs,
    plan: Plan,
    gates: Sequence[Gate],
    repeat_share: float,
) -> str:
    """SHA-256 of all that determines what is asked and answered."""
    templates = hashlib.sha256()
    for blob in (*probes, *(() if references is probes else references)):
        templates.update(hashlib.sha256(b"" if blob is None else b"+" + blob).digest())
    settings = [{**asdict(gate), "heterogeneity": str(gate.heterogeneity)} for gate in gates]
    identity = dict(comparator.identity())
    return digest_of([identity, templates.hexdigest(), plan.digest(), settings, repeat_share])
