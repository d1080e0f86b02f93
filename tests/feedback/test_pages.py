"""The pages on simulation and monitoring show what the code does."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest
from omegaconf import OmegaConf

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.mark.parametrize("name", ["simulate.md", "monitor.md"])
def test_the_examples_of_a_page_give_what_it_prints(name: str) -> None:
    """Runs a page's session from top to bottom."""
    OmegaConf.register_new_resolver("frbench.partial", lambda final: final, replace=True)
    text = re.sub(r"^```.*$", "", (DOCS / name).read_text(encoding="utf-8"), flags=re.MULTILINE)
    session = doctest.DocTestParser().get_doctest(text, {}, name, name, 0)
    report: list[str] = []
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    outcome = doctest.DocTestRunner(optionflags=flags).run(session, out=report.append)
    assert outcome.attempted > 5
    assert outcome.failed == 0, "".join(report)
