"""What ``matcher=command`` and ``matcher=http`` have in common: a vendor that enrols and compares.

A vendor is asked in batches by several threads at once; what goes wrong is one of three things: a
call that failed (``VendorFailed``: ask again, then halve the batch), a call that did not end in
time (``TimedOut``), or an answer that the contract does not allow (``BadAnswer``: asked again, and
if it comes again the run ends with that sentence).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from frbench.errors import InputError
from frbench.values import Float64s, Int64s


class VendorFailed(Exception):
    """A call that crashed or was refused; the message is one clause without a full stop."""


class TimedOut(VendorFailed):
    """A call that did not end in time; its process or connection is gone."""


class BadAnswer(VendorFailed):
    """An answer that the contract does not allow."""


@dataclass(frozen=True)
class Enrolled:
    """The outcome for one image.

    Attributes:
        template: bytes that only the vendor can read, or None.
        failure: why there is none, "" otherwise.
        settled: False when the vendor did not say so itself (it crashed): asked again next time.
    """

    template: bytes | None
    failure: str = ""
    settled: bool = True


@dataclass(frozen=True)
class VendorInfo:
    """What a vendor says of itself.

    Attributes:
        name, version: in the vendor's words.
        thresholds: stated decision thresholds, false-match rate (fraction) -> score.
    """

    name: str
    version: str
    thresholds: Mapping[float, float] = field(default_factory=dict)

    @classmethod
    def read(cls, given: Any, where: str) -> VendorInfo:
        """From plain data: ``name``, ``version`` and ``thresholds``, a list of ``{fmr, score}``.

        Raises InputError where it is not that.
        """
        if not isinstance(given, Mapping):
            raise InputError(f"{where}: must be an object with name, version and thresholds")
        unknown = sorted(set(map(str, given)) - {"name", "version", "thresholds"})
        if unknown:
            raise InputError(f"{where}: {unknown[0]} unknown; it takes name, version, thresholds")
        words = {key: given.get(key) for key in ("name", "version")}
        for key, value in words.items():
            if not isinstance(value, str) or not value.strip() or len(value) > 200:
                raise InputError(f"{where}: {key} must be a text of 1 to 200 characters")
        stated: dict[float, float] = {}
        listed = given.get("thresholds") or []
        if not isinstance(listed, Sequence) or isinstance(listed, str):
            raise InputError(f"{where}: thresholds must be a list of {{fmr, score}}")
        for row in listed:
            fmr, score = _stated(row, where)
            if fmr in stated:
                raise InputError(f"{where}: thresholds state FMR {fmr:g} twice")
            stated[fmr] = score
        return cls(str(words["name"]), str(words["version"]), stated)

    def plain(self) -> dict[str, Any]:
        """For the record and for fingerprints."""
        stated = [{"fmr": fmr, "score": score} for fmr, score in self.thresholds.items()]
        return {"name": self.name, "version": self.version, "thresholds": stated}


@dataclass(frozen=True)
class Effort:
    """How a vendor is asked; the result does not depend on any of it but ``budget``.

    Attributes:
        workers: calls at a time.
        enrol_batch, compare_batch: images, comparisons a call at most.
        retries: times a call that failed is repeated before its batch is halved.
        budget: comparisons at most; with more possible ones so many are chosen (``plan``).
        asymmetric: whether the order within a pair matters: both orders are then compared.
        tolerance: difference of two scores of one comparison that is taken for none, score units.
    """

    workers: int = 2
    enrol_batch: int = 64
    compare_batch: int = 20_000
    retries: int = 2
    budget: int = 2_000_000
    asymmetric: bool = False
    tolerance: float = 0.0

    def __post_init__(self) -> None:
        """Raises InputError for a setting out of range."""
        least = {"workers": 1, "enrol_batch": 1, "compare_batch": 1, "retries": 0, "budget": 1}
        for name, least_value in least.items():
            value = getattr(self, name)
            if not isinstance(value, int) or value < least_value:
                raise InputError(f"matcher.{name}={value} must be a whole number >= {least_value}")
        if not isinstance(self.asymmetric, bool):
            raise InputError(f"matcher.asymmetric={self.asymmetric} must be true or false")
        if not (isinstance(self.tolerance, int | float) and 0 <= self.tolerance < math.inf):
            raise InputError(f"matcher.tolerance={self.tolerance} must be a score difference >= 0")


class Session(Protocol):
    """A vendor that knows all templates of a set; used by several threads."""

    def compare(self, first: Int64s, second: Int64s) -> Float64s:
        """One score per pair of template numbers, NaN where the vendor says it failed.

        The pairs of one probe stand together. Raises VendorFailed.
        """
        ...


class Vendor(Protocol):
    """A black box. Nothing is started or asked on construction."""

    name: str
    effort: Effort

    def info(self) -> VendorInfo:
        """What it says of itself, asked once. Raises InputError when it cannot be had."""
        ...

    def identity(self) -> Mapping[str, Any]:
        """Everything that can change its scores, as far as it can be known, as plain data."""
        ...

    def enrol(self, images: Sequence[Path]) -> Sequence[Enrolled]:
        """One outcome per image file, in order. Raises VendorFailed. Used by several threads."""
        ...

    def opened(self, templates: Sequence[bytes | None]) -> AbstractContextManager[Session]:
        """Ready to compare these templates."""
        ...

    def stop(self) -> None:
        """End all calls in flight; they raise VendorFailed, and so do later ones."""
        ...

    def close(self) -> None:
        """Let connections go; a later call opens them again."""
        ...


def is_vendor(matcher: Any) -> bool:
    """Whether a matcher is a black box: it has no vectors to show."""
    return hasattr(matcher, "enrol") and hasattr(matcher, "opened")


def _stated(row: Any, where: str) -> tuple[float, float]:
    try:
        fmr, score = float(row["fmr"]), float(row["score"])
    except (KeyError, TypeError, ValueError):
        raise InputError(f"{where}: thresholds must be a list of {{fmr, score}}") from None
    if not (0 < fmr < 1 and math.isfinite(score)):
        raise InputError(
            f"{where}: a stated threshold needs 0 < fmr < 1 and a finite score, not {fmr:g} and "
            f"{score:g}"
        )
    return fmr, score
