"""The page on benchmark sets names what there is."""

from __future__ import annotations

from pathlib import Path

from frbench.rules.training_overlap import known

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "benchmark-sets.md").read_text(encoding="utf-8")
OWN = {"synthetic"}


def test_every_set_is_on_the_page():
    """Each choice of the group has its row, and the page names no other."""
    choices = {file.stem for file in (ROOT / "configs" / "benchmark").glob("*.yaml")} - OWN
    assert {name for name in choices if f"`{name}`" not in PAGE} == set()


def test_overlaps_on_the_page():
    """Sets that share people with our matchers' training data are named under the matcher."""
    ours = {"vggface2", "casia-webface", "dlib-2017"}
    table = PAGE.split("## Training overlap")[1].split("## What was confirmed")[0]
    for line in known():
        names = {line.one, line.other}
        if names & ours and not names <= ours | {"vggface"}:
            assert any(f"`{name}`" in table for name in names - ours)
