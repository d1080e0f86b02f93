"""The case study's figures: false-match rates per group with intervals, as plain SVG files."""

from __future__ import annotations

import math
from html import escape

import pandas as pd

_LEFT, _WIDE, _RIGHT, _TOP, _STEP = 190, 430, 30, 62, 44
_COLOURS = {"dlib": "#b34a00", "mobilefacenet": "#0b5fa5"}
_DECADES = (-5, 0)


def forest(rates: pd.DataFrame, point: str, title: str) -> str:
    """One run's FMR within each group that has 5 persons or more, both matchers side by side.

    A circle is dlib, a square MobileFaceNet; a hollow mark rests on fewer than 10 errors or 20
    persons; without any error there is only the line up to the upper bound.
    """
    rows = rates[
        (rates["operating_point"] == point)
        & (rates["kind"] == "FMR")
        & (rates["probe_group"] == rates["reference_group"])
        & (rates["subjects"] >= 5)
    ]
    groups = list(dict.fromkeys(rows["probe_group"]))
    bottom = _TOP + _STEP * len(groups)
    parts = [_text(_LEFT - 170, 20, f"{title}: false-match rate at {point}", "start", 15, "bold")]
    parts += [_legend(matcher, number) for number, matcher in enumerate(_COLOURS)]
    for exponent in range(_DECADES[0], _DECADES[1] + 1):
        x = _at(10.0**exponent)
        dash = (
            ' stroke-dasharray="5 4" stroke-width="2"' if f"FMR {10.0**exponent:g}" == point else ""
        )
        colour = "#7b1fa2" if dash else "#d9e0e6"
        parts.append(
            f'<line x1="{x:.1f}" y1="{_TOP - 8}" x2="{x:.1f}" y2="{bottom}" '
            f'stroke="{colour}"{dash}/>'
        )
        parts.append(_text(x, bottom + 18, _tick(exponent), "middle", 12))
    for place, group in enumerate(groups):
        y = _TOP + _STEP * place + 14
        mine = rows[rows["probe_group"] == group]
        persons = f"{int(mine['subjects'].iloc[0]):,} persons"
        name = "all groups together" if group == "all" else str(group)
        parts += [
            _text(_LEFT - 12, y + 3, name, "end", 14),
            _text(_LEFT - 12, y + 18, persons, "end", 11),
        ]
        parts += [
            _interval(row, y + 14 * number)
            for number, matcher in enumerate(_COLOURS)
            for row in mine[mine["arm"] == matcher].to_dict("records")
        ]
    size = f"{_LEFT + _WIDE + _RIGHT} {bottom + 30}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" role="img" '
        f'width="{_LEFT + _WIDE + _RIGHT}" font-family="sans-serif">\n'
        f"<title>{escape(title)}: false-match rate per group at {point}, "
        "with 95 % intervals</title>\n"
        f'<rect width="100%" height="100%" fill="#fff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _tick(exponent: int) -> str:
    return "1" if exponent == 0 else f"1 in {10**-exponent:,}"


def _at(rate: float) -> float:
    low, high = _DECADES
    share = (math.log10(max(rate, 10.0**low)) - low) / (high - low)
    return _LEFT + _WIDE * min(share, 1.0)


def _text(x: float, y: float, words: str, anchor: str, size: int, weight: str = "normal") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" '
        f'font-weight="{weight}" fill="#15202b">{escape(words)}</text>'
    )


def _legend(matcher: str, number: int) -> str:
    x = _LEFT + 150 * number
    return _mark(matcher, x, 40, hollow=False) + _text(x + 12, 44, matcher, "start", 13)


def _mark(matcher: str, x: float, y: float, *, hollow: bool) -> str:
    colour = _COLOURS[matcher]
    look = f'fill="{"#fff" if hollow else colour}" stroke="{colour}" stroke-width="2"'
    if matcher == "dlib":
        return f'<circle cx="{x:.1f}" cy="{y}" r="5" {look}/>'
    return f'<rect x="{x - 5:.1f}" y="{y - 5}" width="10" height="10" {look}/>'


def _interval(row: dict[str, object], y: float) -> str:
    matcher, rate = str(row["arm"]), float(str(row["rate"]))
    low, high = _at(float(str(row["low"]))), _at(float(str(row["high"])))
    line = (
        f'<line x1="{low:.1f}" y1="{y}" x2="{high:.1f}" y2="{y}" stroke="{_COLOURS[matcher]}" '
        'stroke-width="2.5"/>'
    )
    if rate == 0:
        return line
    return line + _mark(matcher, _at(rate), y, hollow=row["status"] != "ok")
