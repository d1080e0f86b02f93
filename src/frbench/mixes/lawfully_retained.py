"""``lawfully_retained``: without the images of people who were released without charge."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from frbench.auditing.manifest import UNKNOWN, WITHOUT_CHARGE
from frbench.errors import InputError
from frbench.mixes import Candidates, Mixed, evenly, some


class LawfullyRetained:
    """Leaves out images by disposal. Whether the others are lawful is a question of law."""

    source = "training_set"

    def __init__(self, *, without: Sequence[str] = WITHOUT_CHARGE, unknown: bool = True) -> None:
        """Settings.

        Args:
            without: disposals that are left out.
            unknown: whether images without a known disposal stay.
        """
        self._without = {*without} | (set() if unknown else {UNKNOWN})

    def choose(self, candidates: Candidates, *, rng: np.random.Generator) -> Mixed:
        """The rows with other disposals. Raises InputError without a column of disposals."""
        if candidates.disposal is None:
            raise InputError(
                f"{candidates.name} has no column disposal, which the recipe lawfully_retained "
                "goes by; add it or leave the recipe out"
            )
        kept = ~np.isin(candidates.disposal, sorted(self._without))
        return evenly(some(candidates, kept, "lawfully_retained"))
