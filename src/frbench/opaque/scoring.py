"""Every chosen comparison through a vendor: several calls at a time, resumable, checked twice.

Before the long work a sample is asked three times: as it is, once more, and with probe and
reference exchanged. A vendor whose scores change from one time to the next has no error rate to
be measured, and is refused with the sample's figures.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from frbench.digests import digest_bytes, digest_of
from frbench.errors import InputError
from frbench.opaque.checkpoint import Checkpoint, Heard
from frbench.opaque.persisting import Persistence, in_order
from frbench.opaque.private import private_folder
from frbench.opaque.vendor import Session, Vendor
from frbench.progress import Report
from frbench.values import Float64s, Int64s

SAMPLE = 200
"""Comparisons that are asked three times."""
SAVE_SECONDS, SAVE_SHARE = 0.5, 0.02
"""What was heard is written after so many seconds, or so much of the time since the start, so
that a long run does not leave thousands of files."""


@dataclass(frozen=True)
class Scored:
    """The scores of the comparisons asked for.

    Attributes:
        score: float64 [M], NaN where the comparison failed.
        checks: what the sample showed, for the record.
    """

    score: Float64s
    checks: dict[str, int | float] = field(default_factory=dict)


def score_all(
    vendor: Vendor,
    templates: Sequence[bytes | None],
    first: Int64s,
    second: Int64s,
    persistence: Persistence,
    *,
    unfinished: Path | None,
    progress: Report,
) -> Scored:
    """Scores of all pairs of template numbers, each of which has its template.

    Args:
        unfinished: folder below which finished parts are kept until all is done; a second call
            with the same vendor, templates and pairs goes on from there.

    Raises InputError for a vendor that breaks the contract, whose scores change, or that is dead.
    """
    key = digest_of(
        {
            "vendor": dict(vendor.identity()),
            "templates": [digest_bytes(each) if each is not None else "" for each in templates],
            "first": digest_bytes(np.ascontiguousarray(first, np.int64).tobytes()),
            "second": digest_bytes(np.ascontiguousarray(second, np.int64).tobytes()),
        }
    )
    folder = None if unfinished is None else private_folder(unfinished / key)
    kept = Checkpoint(folder, key)
    with vendor.opened(templates) as session:
        desk = _Desk(vendor, session, persistence)
        sample = _sample(len(first))
        checks, once = desk.check(first[sample], second[sample])
        score = desk.all(first, second, kept, progress)
    again = _difference(once, score[sample])
    if again > vendor.effort.tolerance:
        raise InputError(_changing(vendor, again, int((once != score[sample]).sum()), len(sample)))
    if folder is not None:
        kept.remove()
    return Scored(score, checks)


def _sample(total: int) -> Int64s:
    return np.unique(np.linspace(0, total - 1, min(total, SAMPLE)).astype(np.int64))


@dataclass
class _Desk:
    """One vendor with its templates opened."""

    vendor: Vendor
    session: Session
    persistence: Persistence

    def all(self, first: Int64s, second: Int64s, kept: Checkpoint, progress: Report) -> Float64s:
        """All scores, finished parts read instead of asked."""
        heard = kept.load(0)
        score = np.full(len(first), np.nan)
        end = saved = 0
        if heard is not None:
            end = saved = len(heard.score)
            score[:end] = heard.score
        step = self.vendor.effort.compare_batch
        starts = range(end, len(first), step)
        began = since = time.monotonic()
        try:
            for piece in self._pieces(first, second, starts):
                score[end : end + len(piece)] = piece
                end += len(piece)
                progress(end, len(first))
                if time.monotonic() - since > max(SAVE_SECONDS, SAVE_SHARE * (since - began)):
                    kept.save(0, kept.parts(0), Heard(), score[saved:end])
                    saved, since = end, time.monotonic()
        except (InputError, KeyboardInterrupt):
            if end > saved:
                kept.save(0, kept.parts(0), Heard(), score[saved:end])
            raise
        return score

    def check(self, first: Int64s, second: Int64s) -> tuple[dict[str, int | float], Float64s]:
        """The sample asked three times. Raises InputError where it must not differ and does."""
        once, twice = self._asked(first, second), self._asked(first, second)
        turned = self._asked(second, first)
        effort = self.vendor.effort
        repeated, exchanged = _difference(once, twice), _difference(once, turned)
        if repeated > effort.tolerance:
            different = int((once != twice).sum())
            raise InputError(_changing(self.vendor, repeated, different, len(first)))
        if exchanged > effort.tolerance and not effort.asymmetric:
            raise InputError(
                f"matcher {self.vendor.name}: the score of two images depends on which of them is "
                f"the probe (by up to {exchanged:.3g} in {len(first)} comparisons); set "
                "matcher.asymmetric=true to compare in both orders, or matcher.tolerance if that "
                "difference means nothing"
            )
        return {
            "checked twice": len(first),
            "largest change on repetition": repeated,
            "largest change on exchange": exchanged,
        }, once

    def _asked(self, first: Int64s, second: Int64s) -> Float64s:
        order = np.lexsort((second, first))
        starts = range(0, len(first), self.vendor.effort.compare_batch)
        pieces = list(self._pieces(first[order], second[order], starts))
        result = np.empty(len(first))
        result[order] = np.concatenate([np.empty(0), *pieces])
        return result

    def _pieces(self, first: Int64s, second: Int64s, starts: range) -> Iterator[Float64s]:
        def score(start: int) -> Float64s:
            part = slice(start, start + starts.step)
            pairs = list(zip(first[part].tolist(), second[part].tolist(), strict=True))
            return np.array(self.persistence.ask(pairs, self._call, _lost), dtype=np.float64)

        effort = self.vendor.effort
        return in_order(starts, score, workers=effort.workers, stop=self.vendor.stop)

    def _call(self, pairs: Sequence[tuple[int, int]]) -> list[float]:
        sides = np.array(pairs, dtype=np.int64).reshape(-1, 2)
        answer: list[float] = self.session.compare(sides[:, 0], sides[:, 1]).tolist()
        return answer


def _lost(reason: str) -> float:
    return float("nan")


def _difference(one: Float64s, other: Float64s) -> float:
    """The largest change; infinite where one of the two failed and the other did not."""
    if (np.isnan(one) != np.isnan(other)).any():
        return float("inf")
    change = np.abs(one - other)
    return float(np.max(change[~np.isnan(change)], initial=0.0))


def _changing(vendor: Vendor, largest: float, different: int, asked: int) -> str:
    return (
        f"matcher {vendor.name}: of {asked} comparisons asked a second time {different} gave "
        f"another answer (largest change {largest:.3g}), so its errors cannot be counted; have the "
        "vendor mend that, or accept small changes with matcher.tolerance=NUMBER"
    )
