"""What the command line prints at the end of a run."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from frbench.formatting import label_text
from frbench.reporting import ReportData
from frbench.terminal import print_summary
from reporting_fixtures import EIGHT, HOSTILE, hostile, one_arm, two_arms, with_gaps_in_the_data


def printed(run: ReportData, width: int) -> str:
    """The plain text on a terminal of so many columns."""
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    print_summary(run, Path("runs/one/report.html"), console)
    return console.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize("width", [80, 120])
def test_every_group_and_number_is_whole(width: int) -> None:
    """No rate is cut, no group lost, and what is undefined is said."""
    text = printed(with_gaps_in_the_data(), width)
    words = set(text.replace(",", " ").split())
    assert all(set(group.replace(",", " ").split()) <= words for group in EIGHT)
    assert "8.0\u00a0×\u00a010⁻³ (6.6–9.8)" in text
    assert "not measurable" in text
    assert "Synthetic faces" in text
    assert "runs/one/report.html" in text
    assert "⚑ flag" in text
    assert all(len(line) <= width for line in text.splitlines())


def test_both_arms_are_printed() -> None:
    """Two arms give two rows a group and one sentence on the change."""
    text = printed(two_arms(), 120)
    assert text.count("before ") >= 9
    assert "From “before” to “after”" in text


def test_labels_are_never_markup() -> None:
    """Square brackets and control characters are printed, not obeyed."""
    text = printed(one_arm(("[red]a[/red]", "b\x1b[31m", *HOSTILE[:1])), 120)
    assert "[red]a[/red]" in text
    assert "\x1b" not in text
    assert label_text(HOSTILE[3]) in printed(hostile(), 200)
