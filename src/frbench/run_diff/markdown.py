"""The comparison as Markdown, for a terminal, a pull request or a minute."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from frbench.formatting import decimal, label_text, percent, rate_text, shorten
from frbench.page.tables import group_name, records
from frbench.run_diff.inputs import said
from frbench.run_diff.moved import CORRECTIONS
from frbench.run_diff.outcome import Compared, cell_name, rank_text
from frbench.values import ALL

MOST_ROWS = 60
WIDEST = 60


def escaped(value: object, width: int = WIDEST) -> str:
    """Any label as text in a Markdown table: no markup, no link, no mention, no second line."""
    text = shorten(label_text(value), width)
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = text.replace("@", "&#64;").replace("://", ":&#47;&#47;").replace("www.", "www&#46;")
    return re.sub(r"([\\`*_\[\]|~$#!])", r"\\\1", text)


def markdown(found: Compared) -> str:
    """Everything that was found."""
    blocks = [f"# Runs compared: {', '.join(run.letter for run in found.runs)}", _runs(found)]
    if found.cells is not None:
        blocks += ["**" + found.answer() + "**", _moved(found)]
    blocks += ["## What differs in the inputs", *_inputs(found)]
    if found.cells is not None:
        blocks += ["## Side by side", *_side_by_side(found)]
    if found.ranking is not None:
        blocks += ["## Ranking", *_ranking(found)]
    blocks += ["## Notes", *[f"- {escaped(note, 1000)}" for note in found.notes]]
    if found.cells is not None:
        blocks.append(f"- Correction over all cells: {CORRECTIONS[found.correction]}.")
    return "\n\n".join(block for block in blocks if block).replace("\n\n- ", "\n- ") + "\n"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], numbers: int = 0) -> str:
    """A Markdown table; cells are escaped already. The last ``numbers`` columns stand right."""
    words = len(heads) - numbers
    rule = ["---"] * words + ["---:"] * numbers
    shown = [list(heads), rule, *[list(row) for row in rows[:MOST_ROWS]]]
    lines = ["| " + " | ".join(row) + " |" for row in shown]
    if len(rows) > MOST_ROWS:
        lines.append(f"\n… and {len(rows) - MOST_ROWS} more rows; output=DIR writes all of them.")
    return "\n".join(lines)


def _runs(found: Compared) -> str:
    rows = [
        [
            run.letter,
            escaped(run.name),
            escaped(run.matcher.get("name", "–")),
            escaped((run.record.get("benchmark") or {}).get("name", "–")),
            escaped(str(run.record.get("finished", "–"))[:16]),
            _how(found, run.letter),
        ]
        for run in found.runs
    ]
    return table(["", "run", "matcher", "set", "finished", "comparisons"], rows)


def _how(found: Compared, letter: str) -> str:
    first = found.runs[0].letter
    if found.cells is None and found.ranking is None:
        return "–"
    if letter == first:
        return "–"
    return f"same as {first}: paired" if letter in found.paired else "other: two samples"


def _moved(found: Compared) -> str:
    rows = [
        [
            str(row["second"]),
            escaped(row["operating_point"]),
            escaped(row["kind"]),
            escaped(cell_name(row)),
            str(row["direction"]),
            _value(row, "first"),
            _value(row, "second"),
            f"×{decimal(float(row['ratio']))}",
            f"{decimal(float(row['low']))} to {decimal(float(row['high']))}",
            f"{float(row['p_adjusted']):.2g}",
        ]
        for row in records(found.moved)
    ]
    heads = [
        "run",
        "at",
        "rate",
        "cell",
        "",
        "before",
        "after",
        "ratio",
        "interval",
        "p (adjusted)",
    ]
    return table(heads, rows, 5) if rows else ""


def _value(row: Mapping[str, Any], side: str) -> str:
    rate = float(row[f"rate_{side}"])
    if str(row["kind"]).endswith(" gap"):
        return decimal(rate)
    return f"{rate:.2e}" if row["kind"] == "FMR" else percent(rate)


def _inputs(found: Compared) -> list[str]:
    letters = [run.letter for run in found.runs]
    blocks = []
    settings = found.changed("setting")
    if settings:
        rows = [
            [f"`{_key(one.key)}`", *[escaped(said(one.values[letter])) for letter in letters]]
            for one in settings
        ]
        blocks.append(table(["setting", *letters], rows))
    else:
        blocks.append("No setting differs (where a run is written is no setting).")
    for area, heading in (("content", "content"), ("surroundings", "surroundings")):
        changed = found.changed(area)
        if not changed:
            continue
        rows = [
            [
                escaped(one.key),
                *[escaped(said(one.values[letter]), 24) for letter in letters],
                ", ".join(f"`{_key(key)}`" for key in one.follows)
                or ("by itself" if area == "content" else "–"),
            ]
            for one in changed
        ]
        blocks.append(table([heading, *letters, "follows from"], rows))
    return blocks


def _key(key: str) -> str:
    """A key between backticks, where only the backtick and the bar end it."""
    return shorten(label_text(key), 80).replace("`", "'").replace("|", "\\|")


def _side_by_side(found: Compared) -> list[str]:
    assert found.cells is not None
    points = [point for point in dict.fromkeys(found.cells["operating_point"]) if point != "any"]
    blocks = []
    for point in points:
        for kind in ("FMR", "FNMR", "FTE"):
            sides = [_rates(run, point, kind) for run in found.runs]
            names = dict.fromkeys(name for side in sides for name in side)
            if not names or (kind == "FTE" and point != points[0]):
                continue
            rows = [
                [
                    escaped(group_name(name)),
                    *[escaped(rate_text(side[name])) if name in side else "–" for side in sides],
                ]
                for name in names
            ]
            heading = f"{kind}" if kind == "FTE" else f"{kind} at {escaped(point)}"
            blocks += [f"### {heading}", table(["group", *[r.letter for r in found.runs]], rows)]
    return blocks


def _rates(run: Any, point: str, kind: str) -> dict[str, Mapping[str, Any]]:
    rows = run.rates[(run.rates["operating_point"] == point) & (run.rates["kind"] == kind)]
    own = rows[rows["probe_group"] == rows["reference_group"]]
    ordered = own.sort_values("probe_group", key=lambda name: name != ALL, kind="stable")
    return {str(row["probe_group"]): row for row in records(ordered)}


def _ranking(found: Compared) -> list[str]:
    assert found.ranking is not None
    rows = []
    for row in records(found.ranking):
        meets = row["answer"] == "meets"
        rows.append(
            [
                rank_text(row),
                f"{row['run']}: {escaped(row['matcher'])}",
                row["answer"],
                f"{float(row['threshold']):.4g}" if meets else "–",
                share(row, "tmr") if meets else "–",
                escaped(row["least_group"], 30) if meets else "–",
                share(row, "least") if meets else "–",
                escaped(row["worst_group"], 30),
                f"at most {float(row['worst_high']):.2g}",
                escaped(row["reason"] or "–", 200),
            ]
        )
    heads = [
        "rank",
        "run",
        "criterion",
        "threshold",
        "yield (TMR)",
        "least recognised",
        "its TMR",
        "worst group",
        "its FMR",
    ]
    rate = found.approved.worst_group_fmr
    return [
        f"Highest yield at the lowest threshold at which the upper limit of the worst group's "
        f"false-match rate is at or below {rate:g}. Spans of ranks are what the comparisons leave "
        "open; runs whose spans overlap are tied.",
        table([*heads, "remark"], rows),
    ]


def share(row: Mapping[str, Any], name: str) -> str:
    """A share with its interval, in percent."""
    value = float(row["tmr" if name == "tmr" else "least_tmr"])
    if math.isnan(value):
        return "not measurable"
    low, high = float(row[f"{name}_low"]), float(row[f"{name}_high"])
    return f"{100 * value:.1f} % ({100 * low:.1f}–{100 * high:.1f})"
