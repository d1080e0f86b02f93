"""The catalogue of findings: every rule with its question, threshold, evidence and next step.

A rule says all this itself (``about``); here the rules are found and written out, as
``docs/findings.md`` and for ``frbench list findings``.
"""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from string import Formatter
from typing import Any

from frbench.guidance import SOURCE, About, gravest_of
from frbench.verb_catalogue import BY_VERB

PAGE = "docs/findings.md"
PARTS = (
    ("Measured", "measure"),
    ("Threshold", "threshold"),
    ("Least evidence", "evidence"),
    ("Severity", "severity"),
    ("What to do next", "next_step"),
)
INTRODUCTION = """\
# The catalogue of findings

Written by `scripts/findings_page.py` from the rules themselves; `frbench list findings` shows the
questions. Every entry of `findings.json`, `findings.sarif` and `findings.junit.xml` carries the
name of its rule as its id (`code`, `ruleId`, `classname`) and points here.

A finding is a `flag`, a `watch`, a `note`, or `undecided`. A rule reads intervals: it flags where
the whole interval lies beyond its limit, and where the evidence does not reach it says so, with the
number of persons that would, and never passes in silence. With `gate=note|watch|flag` the exit
status is 1 when a finding stands at or above the gate, and 3 when none does but a rule that could
have answered so is undecided.

Settings are those of the shelf's YAML file and can be moved on the command line, such as
`rules.gap_exceeds.limit=1.25`; `rules.fnmr_gap=null` drops a question.

The passages are quoted from [Artificial intelligence in public services][guidance], Equality and
Human Rights Commission, 1 September 2022.

[guidance]: {source}
"""


@dataclass(frozen=True)
class Entry:
    """One rule as the catalogue shows it.

    Attributes:
        code: its id.
        verb: which verb asks it.
        about: what it says of itself.
        node: key of its settings in the configuration, or "" where it has none.
        settings: the settings and their defaults.
        gravest: gravest level that it answers with these.
    """

    code: str
    verb: str
    about: About
    node: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    gravest: str = "flag"

    def words(self, part: str) -> str:
        """One part of ``about`` with the settings filled in, shown as ``name (value)``."""
        text: str = getattr(self.about, part)
        names = [name for _, name, _, _ in Formatter().parse(text) if name]
        return text.format(**{name: f"`{name}` ({_shown(self.settings[name])})" for name in names})


VERBS = {
    "rules": "evaluate",
    "audit_rules": "audit",
    "retraining_rules": "retrain",
    "simulation_rules": "simulate",
    "monitor_rules": "monitor",
}


@functools.cache
def catalogue() -> tuple[Entry, ...]:
    """Every rule that has an entry, in the order of the shelves, then what verbs ask themselves.

    Raises:
        ValueError: two rules of one name.
    """
    found = [_entry(part) for part in rule_classes() if hasattr(part, "about")]
    found += [
        Entry(code, verb, about, gravest=about.gravest or "flag")
        for verb, entries in BY_VERB.items()
        for code, about in entries.items()
    ]
    codes = [entry.code for entry in found]
    if doubled := {code for code in codes if codes.count(code) > 1}:
        raise ValueError(f"rules with the same code: {', '.join(sorted(doubled))}")
    return tuple(found)


def rule_classes() -> Iterator[type]:
    """Every class on a shelf of rules that answers a question."""
    package = Path(__file__).resolve().parent
    shelves = sorted((p.name for p in package.glob("*rules") if p.is_dir()), key=_order)
    for shelf in shelves:
        for file in sorted((package / shelf).glob("[a-z]*.py")):
            module = importlib.import_module(f"frbench.{shelf}.{file.stem}")
            for _, part in inspect.getmembers(module, inspect.isclass):
                if part.__module__ == module.__name__ and hasattr(part, "findings"):
                    yield part


def entry_of(code: str) -> Entry | None:
    """The rule behind a finding's code; ``missing_label.sex`` belongs to ``missing_label``."""
    by_code = {entry.code: entry for entry in catalogue()}
    return by_code.get(code) or by_code.get(code.partition(".")[0])


def pointer(code: str) -> str:
    """Where the catalogue explains a finding of this code, or "" for a rule from elsewhere."""
    entry = entry_of(code)
    return f"{PAGE}#{entry.code}" if entry else ""


def catalogue_page() -> str:
    """``docs/findings.md``."""
    lines = [INTRODUCTION.format(source=SOURCE)]
    lines += ["| id | asked by | question | gravest |", "|---|---|---|---|"]
    lines += [
        f"| [`{each.code}`](#{each.code}) | `{each.verb}` | {each.about.question} "
        f"| {each.gravest} |"
        for each in catalogue()
    ]
    for each in catalogue():
        lines += [
            "",
            f"## {each.code}",
            "",
            f"**{each.about.question}** (`frbench {each.verb}`)",
            "",
        ]
        lines += [f"- **{title}.** {each.words(part)}" for title, part in PARTS]
        if each.settings:
            settings = [f"`{each.node}.{key}={_shown(v)}`" for key, v in each.settings.items()]
            lines.append(f"- **Settings.** {', '.join(settings)}")
        passage = each.about.answers
        lines.append(f"- **Guidance.** “{passage.words}” ({passage.section}: {passage.step}).")
    return "\n".join(lines) + "\n"


def _order(shelf: str) -> tuple[int, str]:
    known = list(VERBS)
    return (known.index(shelf) if shelf in known else len(known), shelf)


def _entry(part: Any) -> Entry:
    _, shelf, name = part.__module__.split(".")
    parameters = inspect.signature(part).parameters
    return Entry(
        code=part.code,
        verb=VERBS.get(shelf, shelf.removesuffix("_rules")),
        about=part.about,
        node=f"{shelf}.{name}",
        settings={key: parameter.default for key, parameter in parameters.items()},
        gravest=gravest_of(part()),
    )


def _shown(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_shown, value))}]"
    return f"{value:g}" if isinstance(value, float) else str(value)
