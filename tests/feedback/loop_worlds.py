"""Worlds for the feedback loop, small enough to know what should come out."""

from __future__ import annotations

from typing import Any

import numpy as np

from frbench.feedback.loop import Matcher
from frbench.feedback.world import World
from frbench.values import Float64s

CENSUS = np.array([48_699_249, 2_409_278], dtype=np.float64)
"""White and Black residents of England and Wales, Census 2021."""


def world(**changed: Any) -> World:
    """White and Black residents with the arrest rates of the year to March 2023."""
    usual: dict[str, Any] = {
        "groups": ("White", "Black"),
        "population": CENSUS / CENSUS.sum(),
        "arrests": np.array([9.4, 20.4]) / 1000,
        "released": np.array([0.6, 0.6]),
        "residents": 1e6,
        "visits": 1e6,
        "wanted": 200.0,
        "tpir": 0.89,
        "stop_false": 0.5,
        "stop_true": 0.95,
        "arrest_false": 0.2,
        "arrest_true": 0.8,
        "released_false": 0.95,
        "pull": 0.3,
        "watchlist": 10_000.0,
        "custody": 0.8,
        "expiry": 0.2,
    }
    return World(**{**usual, **changed})


def even_world(groups: int, **changed: Any) -> World:
    """Groups that differ in nothing but their number among the residents."""
    population = np.arange(1.0, groups + 1)
    usual: dict[str, Any] = {
        "groups": tuple("ABCDEFGH"[:groups]),
        "population": population / population.sum(),
        "arrests": np.full(groups, 0.012),
        "released": np.full(groups, 0.6),
    }
    return world(**{**usual, **changed})


def matcher(shares: Float64s, *within: float, cross: float = 0.1) -> Matcher:
    """A matcher with these rates within the groups."""
    rates = np.array(within)
    cells = cross * np.sqrt(np.outer(rates, rates))
    np.fill_diagonal(cells, rates)
    return Matcher(cells, shares)
