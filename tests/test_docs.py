"""What the documentation shows is what the code does: its examples are run."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[1] / "docs"
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def pages_with_examples() -> list[Path]:
    """Every page that shows a Python session."""
    pages = sorted(DOCS.rglob("*.md"))
    return [page for page in pages if ">>> " in page.read_text(encoding="utf-8")]


def examples_of(page: Path) -> doctest.DocTest:
    """The page as one session; a fence ends the output above it and keeps its line number."""
    text = re.sub(r"^```.*$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return doctest.DocTestParser().get_doctest(text, {}, page.name, str(page), 0)


@pytest.mark.parametrize("page", pages_with_examples(), ids=lambda page: page.name)
def test_the_examples_of_a_page_give_what_it_prints(page: Path) -> None:
    """Runs a page's session from top to bottom."""
    report: list[str] = []
    outcome = doctest.DocTestRunner(optionflags=FLAGS).run(examples_of(page), out=report.append)
    assert outcome.failed == 0, "".join(report)


def test_the_worked_example_of_one_to_many_is_there() -> None:
    """The collection above finds pages at all."""
    assert len(examples_of(DOCS / "methodology" / "one-to-many.md").examples) > 20
