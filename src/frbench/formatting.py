"""Numbers and labels as people read them: one spelling for the page and for the terminal.

False-match rates are written as powers of ten beside "1 in N"; miss rates and failures to enrol,
which are far larger, as percentages. What cannot be measured is said in words, never as 0 or NaN.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping
from typing import Any

NOT_MEASURABLE = "not measurable"

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_BIDI_CONTROLS = {*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C}

ERROR_WORDS = {
    "FMR": ("false matches", "comparisons of two different people"),
    "FNMR": ("misses", "comparisons of a person with themselves"),
    "FTE": ("failures", "images"),
}


def label_text(label: object) -> str:
    """A label as harmless visible text: controls and direction overrides become visible marks."""
    shown = []
    for character in str(label):
        code = ord(character)
        if code < 0x20:
            shown.append(chr(0x2400 + code))
        elif code in _BIDI_CONTROLS or unicodedata.category(character) in ("Cc", "Cs", "Co", "Cn"):
            shown.append(f"⟨U+{code:04X}⟩")
        else:
            shown.append(character)
    return "".join(shown) or "(empty label)"


def shorten(text: str, width: int = 38) -> str:
    """The text cut to ``width`` columns, wide characters counted twice, with an ellipsis."""
    used = 0
    for position, character in enumerate(text):
        used += 2 if unicodedata.east_asian_width(character) in "WF" else 1
        if used > width:
            return text[: max(position - 1, 1)] + "…"
    return text


def power(exponent: int) -> str:
    """``10⁻³`` for -3."""
    return "10" + str(exponent).translate(_SUPERSCRIPTS)


def scientific(value: float) -> str:
    """``1.2 × 10⁻³``; 0 and 1 stay plain."""
    if value in (0, 1):
        return f"{value:g}"
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa}\u00a0×\u00a0{power(int(exponent))}"


def one_in(rate: float) -> str:
    """``1 in 830`` for 0.0012, at two significant digits; rates above a half as a percentage."""
    if not math.isfinite(rate) or rate <= 0:
        return ""
    if rate > 0.5:
        return percent(rate)
    count = 1 / rate
    if count < 9.95:
        return f"1 in {count:.2g}"
    digits = 1 - math.floor(math.log10(count))
    return f"1 in {_counted(round(count, digits))}"


def _counted(number: float) -> str:
    if number >= 1e9:
        return f"{number / 1e9:g} billion"
    if number >= 1e6:
        return f"{number / 1e6:g} million"
    return f"{number:,.0f}"


def percent(rate: float) -> str:
    """``2.3 %``; small shares keep two significant digits (``0.046 %``)."""
    return f"{_figure(100 * rate)} %"


def _figure(value: float) -> str:
    if value == 0:
        return "0"
    if abs(value) >= 0.95:
        return f"{value:.1f}"
    digits = 1 - math.floor(math.log10(abs(value)))
    return f"{value:.{digits}f}"


def integer(value: object) -> str:
    """``12,345``; an unknown count in words."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "not recorded"
    return f"{int(value):,}"  # type: ignore[call-overload]


def decimal(value: float) -> str:
    """Three significant digits, with an exponent for very small values only."""
    if not math.isfinite(value):
        return "without limit" if value > 0 else NOT_MEASURABLE
    if value == 0 or abs(value) >= 99.95:
        return f"{value:,.0f}"
    digits = 2 - math.floor(math.log10(abs(value)))
    return f"{value:.{digits}f}" if digits < 8 else scientific(value)


def rate_text(row: Mapping[str, Any]) -> str:
    """The rate of a RateTable row with its interval: ``1.2 × 10⁻³ (0.9–1.6)``."""
    rate, low, high = (float(row[key]) for key in ("rate", "low", "high"))
    if not math.isfinite(rate):
        return NOT_MEASURABLE
    if row["kind"] != "FMR":
        if rate == 0:
            return f"0 (at most {percent(high)})"
        return f"{percent(rate)} ({_figure(100 * low)}–{_figure(100 * high)})"
    if rate == 0:
        return f"0 (at most {scientific(high)})"
    exponent = int(f"{rate:.1e}".split("e")[1])
    ends = [end / 10.0**exponent for end in (low, high)]
    if ends[1] >= 99.5 or (0 < ends[0] < 0.01):
        return f"{scientific(rate)} ({scientific(low)} to {scientific(high)})"
    return f"{scientific(rate)} ({_figure(ends[0])}–{_figure(ends[1])})"


def rate_in_words(row: Mapping[str, Any]) -> str:
    """The rate as a frequency: ``1 in 830``, or ``at most 1 in 3,200`` where none was seen."""
    rate, high = float(row["rate"]), float(row["high"])
    if not math.isfinite(rate):
        return NOT_MEASURABLE
    return one_in(rate) if rate > 0 else f"at most {one_in(high)}"


def why_unsure(row: Mapping[str, Any]) -> str:
    """What limits the evidence in a row, in words; "" where nothing does."""
    status = str(row["status"])
    if status == "empty":
        return f"no {ERROR_WORDS[str(row['kind'])][1]} in this cell"
    if status == "few_errors":
        return "no errors seen" if int(row["errors"]) == 0 else "fewer than 10 errors"
    if status == "few_subjects":
        return "fewer than 20 persons"
    return "" if status == "ok" else status.replace("_", " ")


def cell_sentence(row: Mapping[str, Any]) -> str:
    """One row in a sentence, for read-outs: rate, interval, counts, persons, reservation."""
    errors, of_what = ERROR_WORDS[str(row["kind"])]
    reason = why_unsure(row)
    if not math.isfinite(float(row["rate"])):
        return f"{row['kind']} {NOT_MEASURABLE}: {reason or 'nothing to divide by'}"
    text = (
        f"{row['kind']} {rate_text(row)}, {rate_in_words(row)}; "
        f"{integer(row['errors'])} {errors} in {integer(row['comparisons'])} {of_what}; "
        f"{integer(row['subjects'])} persons"
    )
    return f"{text}; {reason}" if reason else text


def ratio_text(value: float, low: float, high: float) -> str:
    """``×3.1 (2.2–4.4)``; an undefined ratio in words."""
    if not math.isfinite(value):
        return NOT_MEASURABLE
    return f"×{decimal(value)} {_between(low, high)}"


def _between(low: float, high: float) -> str:
    """The interval in brackets; ends that do not exist in words."""
    if math.isnan(low) or math.isnan(high):
        return f"(interval {NOT_MEASURABLE})"
    if math.isinf(high):
        return f"({decimal(low)} or more)"
    return f"({decimal(low)}–{decimal(high)})"


def gap_text(row: Mapping[str, Any]) -> str:
    """The value of a GapTable row with its interval, in the unit of the measure."""
    value, low, high = (float(row[key]) for key in ("value", "low", "high"))
    if not math.isfinite(value):
        return NOT_MEASURABLE
    if row["unit"] == "ratio":
        return ratio_text(value, low, high)
    if row["unit"] == "difference" and row["kind"] != "FMR":
        value, low, high = 100 * value, 100 * low, 100 * high
        unit = " points"
    else:
        unit = " (log₁₀)" if row["unit"] == "log10_ratio" else ""
    return f"{decimal(value)}{unit} {_between(low, high)}"
