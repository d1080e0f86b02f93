"""False-match rates follow training shares by a power law, fitted or stated; nothing is trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from frbench.errors import InputError
from frbench.feedback.response import Response, fit_response, read_response
from frbench.learners import Start
from frbench.values import Float64s

LOWEST_SHARE = 1e-4
"""Shares below it count as this: no response was ever fitted to groups all but absent."""


class Analytic:
    """log FMR_g = a_g − b log(share_g), where a_g follows from the rates of the start.

    Args:
        exponent: b; 0 is a matcher that training does not move.
        error: standard error of b; each seed draws its own b.
        table: CSV with the columns ``group, share`` and ``errors, comparisons`` or ``fmr``, as a
            retraining experiment leaves it; b and its error are then fitted, not stated.
        recalibrated: whether each new matcher gets a threshold that keeps the residents' mean FMR
            where it was at the start, as a force does that holds on to its target.
    """

    def __init__(
        self,
        *,
        exponent: float = 0.5,
        error: float = 0.0,
        table: str | None = None,
        recalibrated: bool = True,
    ) -> None:
        if error < 0:
            raise ValueError(f"error={error} must not be negative")
        self._stated = Response(float(exponent), float(error))
        self._table = Path(table).expanduser() if table else None
        self._recalibrated = recalibrated
        self.stated = "" if table else "the response of the matcher to its training shares"

    def said(self) -> str:
        """The response in use. Raises InputError for a table that cannot be fitted."""
        response = self.response()
        how = f"fitted to {response.rows} rows" if response.rows else "stated"
        power = f"FMR ∝ share^−{response.exponent:.2f} (standard error {response.error:.2f})"
        return f"analytic, {how}: {power}"

    def response(self) -> Response:
        """The response in use; reads the table where there is one. Raises InputError for it."""
        return fit_response(read_response(self._table)) if self._table else self._stated

    def begin(self, start: Start, *, seeds: int, rng: np.random.Generator) -> PowerLaw:
        """One exponent per seed."""
        if not (start.shares > 0).all():
            raise InputError(
                "the training set of the start lacks a group; state a share above 0 for each in "
                "start.shares."
            )
        response = self.response()
        exponents = rng.normal(response.exponent, response.error, size=seeds)
        return PowerLaw(start, exponents, recalibrated=self._recalibrated)


class PowerLaw:
    """Matchers whose rates follow the law from the rates of the start."""

    def __init__(self, start: Start, exponents: Float64s, *, recalibrated: bool) -> None:
        self._start, self._exponents, self._recalibrated = start, exponents, recalibrated

    def fmr(self, shares: Float64s) -> Float64s:
        """float64 [S, G]: FMR_g(0) × (share_g / share_g(0))^(−b), at most 1."""
        start = self._start
        moved = np.maximum(shares, LOWEST_SHARE) / np.maximum(start.shares, LOWEST_SHARE)
        rates = start.fmr * moved ** -self._exponents[:, None]
        if self._recalibrated:
            rates = rates * (start.fmr @ start.population) / (rates @ start.population)[:, None]
        return np.minimum(rates, 1.0)
