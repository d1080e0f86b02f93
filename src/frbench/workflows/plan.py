"""Plan a test: how many persons and images per group show a ratio of false-match rates."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from frbench.errors import InputError
from frbench.planning import Components, components_of, plan
from frbench.runs import read_tally, write_json

HELP = """\
frbench plan ratio=R fmr=F [KEY=VALUE …]

How many persons of each group, by images a person, show that one group's false-match rate is R
times another's at FMR F.

  ratio=2 fmr=1e-3      what is to be shown (the defaults)
  images=[1,2,4,8]      images a person to plan for
  groups=2              groups that are compared with each other
  power=0.8 level=0.95  chance of showing it; confidence of the test
  pilot=RUNDIR          a run folder whose comparisons say how dependent they are
  arm=                  which matcher of the pilot, where it had two
  pair=0 person=0       or the two variance components themselves (0: independent comparisons)
  output=plan.json      also write it as JSON
"""

DEFAULTS: dict[str, Any] = {
    "ratio": 2.0, "fmr": 1e-3, "images": [1, 2, 4, 8], "groups": 2, "power": 0.8, "level": 0.95,
    "pilot": None, "arm": "", "pair": None, "person": None, "output": None,
}  # fmt: skip


def command(arguments: Sequence[str]) -> int:
    """Prints the plan, and writes it where ``output`` says."""
    if any(word in ("-h", "--help") for word in arguments):
        print(HELP)
        return 0
    chosen = {**DEFAULTS, **_parsed(arguments)}
    if chosen["arm"] and chosen["pilot"] is None:
        raise InputError(f"arm={chosen['arm']} is a matcher of a pilot; give pilot=RUNDIR too")
    components, source = _components(chosen)
    images = [int(each) for each in chosen["images"]]
    table = plan(
        float(chosen["ratio"]),
        float(chosen["fmr"]),
        components=components,
        images=images,
        groups=int(chosen["groups"]),
        level=float(chosen["level"]),
        power=float(chosen["power"]),
    )
    shown = Table(*("images a person", "persons a group", "comparisons within a group"), box=None)
    for name in ("false matches expected", "design effect"):
        shown.add_column(name, justify="right")
    for row in table.itertuples():
        shown.add_row(
            str(row.images), f"{row.persons:,}", f"{row.comparisons:,}",
            f"{row.expected_errors:,.0f}", f"{row.design_effect:.1f}",
        )  # fmt: skip
    console = Console(width=None if Console().is_terminal else 110)
    console.print(
        f"To show a ratio of {chosen['ratio']:g} at FMR {chosen['fmr']:g} with power "
        f"{float(chosen['power']):.0%}, {chosen['groups']} groups ({source}):"
    )
    console.print(shown)
    if chosen["output"]:
        settings = {key: chosen[key] for key in DEFAULTS if key != "output"}
        settings |= {"pair": components.pair, "person": components.person}
        rows = table.to_dict("records")
        place = Path(str(chosen["output"])).expanduser()
        try:
            write_json(place, {"settings": settings, "plan": rows})
        except OSError as cause:
            raise InputError(f"output={place}: cannot be written ({cause.strerror})") from cause
    return 0


def _parsed(arguments: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for word in arguments:
        key, sign, value = word.partition("=")
        if key not in DEFAULTS or not sign:
            raise InputError(
                f"{word} is no setting of frbench plan; it takes KEY=VALUE with "
                f"{', '.join(DEFAULTS)}"
            )
        if key in ("pilot", "output", "arm"):
            found[key] = value
            continue
        try:
            found[key] = json.loads(value)
        except ValueError:
            raise InputError(f"{key}={value} is not a number") from None
        if key == "images" and not isinstance(found[key], list):
            found[key] = [found[key]]
        numbers = found[key] if key == "images" else [found[key]]
        if any(isinstance(each, bool) or not isinstance(each, int | float) for each in numbers):
            raise InputError(f"{key}={value} is not a number")
        if any(not math.isfinite(each) for each in numbers):
            raise InputError(f"{key}={value} is not finite")
        if key in ("images", "groups") and any(each != int(each) for each in numbers):
            raise InputError(f"{key}={value} must be whole")
    return found


def _components(chosen: dict[str, Any]) -> tuple[Components, str]:
    if chosen["pilot"] is None:
        stated = Components(float(chosen["pair"] or 0.0), float(chosen["person"] or 0.0))
        independent = stated.pair == stated.person == 0
        words = "comparisons taken as independent: a lower bound" if independent else "as stated"
        return stated, words
    if chosen["pair"] is not None or chosen["person"] is not None:
        raise InputError("pilot already says pair and person; give one or the other")
    folder = Path(str(chosen["pilot"])).expanduser()
    tally = read_tally(folder / "tally" / str(chosen["arm"]))
    try:
        rows = json.loads((folder / "run.json").read_text(encoding="utf-8"))["thresholds"]
        mine = [float(row["value"]) for row in rows if row["arm"] == chosen["arm"]]
    except (OSError, ValueError, KeyError) as cause:
        raise InputError(
            f"pilot={folder}: no readable run.json of a run in it ({cause})."
        ) from cause
    if not mine:
        raise InputError(f"pilot={folder}: it has no threshold of arm {chosen['arm']!r}")
    # the threshold whose measured rate is nearest to what is planned for
    near = min(
        (row for row in rows if row["arm"] == chosen["arm"]),
        key=lambda row: abs(_log(row["achieved_fmr"]) - _log(chosen["fmr"])),
    )
    found = components_of(tally, float(near["value"]))
    words = f"pilot {folder.resolve().name} at {near['label']}: pair {found.pair:.3g}, "
    return found, words + f"person {found.person:.3g}"


def _log(rate: Any) -> float:
    return math.log(max(float(rate or 0.0), 1e-12))
