"""A change between two arms, named by what its interval allows one to say."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from frbench.formatting import NOT_MEASURABLE, decimal

Row = Mapping[str, Any]


def change_class(row: Row) -> str:
    """``rose``, ``fell`` or ``unclear``: whether the ratio's interval lies beyond 1."""
    if not math.isfinite(float(row["ratio"])):
        return "unclear"
    if float(row["low"]) > 1:
        return "rose"
    return "fell" if float(row["high"]) < 1 else "unclear"


def change_mark(row: Row) -> str:
    """The same as a sign that does not need colour."""
    return {"rose": "▲", "fell": "▼", "unclear": "≈"}[change_class(row)]


def change_words(row: Row) -> str:
    """The same in words, with the ratio."""
    if not math.isfinite(float(row["ratio"])):
        return f"change {NOT_MEASURABLE}"
    verb = {"rose": "rose", "fell": "fell", "unclear": "shows no clear change"}[change_class(row)]
    return f"{verb} (×{decimal(float(row['ratio']))})"
