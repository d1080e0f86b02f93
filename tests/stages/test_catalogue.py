"""The catalogue of findings is whole, true to the rules and to the guidance."""

from __future__ import annotations

import ast
from pathlib import Path
from string import Formatter

import pytest

from frbench import guidance
from frbench.catalogue import (
    PAGE,
    PARTS,
    catalogue,
    catalogue_page,
    entry_of,
    pointer,
    rule_classes,
)
from frbench.guidance import Passage, gravest_of

ROOT = Path(__file__).resolve().parents[2]


def literal_codes() -> set[tuple[str, str]]:
    """Every (file, code) that the sources give a finding: ``code = "…"``, ``Finding("…", …)`` and
    ``report.add("…", …)``; of an f-string its first piece."""
    found = set()
    for file in sorted((ROOT / "src" / "frbench").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            value: ast.expr | None = None
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                value = node.value if node.targets[0].id in ("code", "CODE") else None
            elif isinstance(node, ast.Call) and node.args:
                name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                owner = getattr(getattr(node.func, "value", None), "id", "")
                if name == "Finding" or (name == "add" and owner == "report"):
                    value = node.args[0]
            if isinstance(value, ast.JoinedStr):
                value = value.values[0]
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                found.add((file.name, value.value))
    return found


def known(code: str) -> bool:
    """Whether an entry has this code, or begins with it where only a first piece is known."""
    begun = code.rstrip(".") if code[-1] in "_." else None
    return any(
        entry.code == code or (begun and entry.code.startswith(begun)) for entry in catalogue()
    )


def test_no_rule_is_without_an_entry() -> None:
    """A class on a shelf of rules says what it asks; a new rule without it fails here."""
    assert [f"{part.__module__}" for part in rule_classes() if not hasattr(part, "about")] == []


def test_no_finding_is_without_an_entry() -> None:
    """Whatever code the sources write into a finding is in the catalogue."""
    codes = literal_codes()
    assert len(codes) > 25
    assert [(file, code) for file, code in sorted(codes) if not known(code)] == []


def test_the_page_is_what_the_rules_say() -> None:
    """``docs/findings.md`` is written by ``scripts/findings_page.py`` and not by hand."""
    assert (ROOT / PAGE).read_text(encoding="utf-8") == catalogue_page()


@pytest.mark.parametrize("entry", catalogue(), ids=lambda entry: entry.code)
def test_every_part_of_an_entry_is_a_sentence(entry) -> None:
    """Questions end as questions, the rest as sentences, and every setting named exists."""
    assert entry.about.question.endswith("?")
    for _, part in PARTS:
        text = getattr(entry.about, part)
        assert text.endswith("."), part
        assert {name for _, name, _, _ in Formatter().parse(text) if name} <= set(entry.settings)
        assert "{" not in entry.words(part)
    assert entry.gravest in ("flag", "watch", "note")


def test_settings_move_the_catalogue_with_them() -> None:
    """The page shows a rule's own default, not a figure copied by hand."""
    entry = entry_of("fmr_gap")
    assert entry is not None
    assert f"`limit` ({entry.settings['limit']:g})" in entry.words("threshold")


def test_the_gravest_level_follows_the_configuration() -> None:
    """A severity moved in the configuration moves the gates that an undecided answer counts at."""
    from frbench.rules.gap_exceeds import GapExceeds
    from frbench.rules.synthetic_data import SyntheticData

    assert gravest_of(GapExceeds()) == "flag"
    assert gravest_of(GapExceeds(severity="watch")) == "watch"
    assert gravest_of(SyntheticData()) == "note"
    assert gravest_of(object()) == "flag"


def test_a_label_after_the_dot_belongs_to_its_rule() -> None:
    """``missing_label.sex`` is explained with ``missing_label``; a stranger is nowhere."""
    assert pointer("missing_label.sex") == f"{PAGE}#missing_label"
    assert pointer("somebody_elses_rule") == ""


def test_passages_are_quoted_from_the_guidance() -> None:
    """Every quotation stands in the published text, where the text is at hand."""
    text = ROOT.parent / "shared" / "reference" / "ehrc-guidance.txt"
    if not text.is_file():
        pytest.skip("the text of the guidance is not on this machine")
    words = " ".join(text.read_text(encoding="utf-8").split())
    passages = [each for each in vars(guidance).values() if isinstance(each, Passage)]
    assert len(passages) > 8
    for passage in passages:
        assert passage.words in words, passage.words
        assert passage.section.partition(",")[0] in words


def test_the_list_of_findings_shows_every_rule(capsys: pytest.CaptureFixture[str]) -> None:
    """``frbench list findings`` has a line for each entry."""
    from frbench import cli

    assert cli.run(["list", "findings"]) == 0
    shown = capsys.readouterr().out
    assert all(f"{entry.code} " in shown for entry in catalogue())
