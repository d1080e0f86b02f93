"""The worked example keeps up with the verbs: commands compose, page and pictures are there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from frbench import cli
from frbench.catalogue import entry_of

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "police-example.md"
STORY = ["audit", "evaluate", "retrain", "simulate", "monitor"]


def commands() -> list[list[str]]:
    """The frbench commands of ``scripts/demo``, as words."""
    text = (ROOT / "scripts" / "demo").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line.removeprefix("frbench ") for line in text.splitlines()]
    own = [line for line in lines if line.split(" ")[0] in STORY]
    return [shlex.split(line.replace("$out", "out")) for line in own]


def test_the_demo_walks_the_whole_story() -> None:
    """Every step of the guidance's example has its verb, in order."""
    verbs = [words[0] for words in commands()]
    assert list(dict.fromkeys(verbs)) == STORY
    assert set(STORY) <= set(cli.verbs())


@pytest.mark.parametrize("words", commands(), ids=lambda words: words[-1].partition("/")[2])
def test_each_command_of_the_demo_composes(
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A setting that was renamed is found here and not by somebody's first try."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["frbench"])
    assert cli.run([*words, "--cfg", "job"]) == 0
    assert "output: out/" in capsys.readouterr().out


def test_the_page_shows_what_it_links() -> None:
    """Pictures exist, each verb has its section, and each finding leads to its catalogue entry."""
    text = PAGE.read_text(encoding="utf-8")
    pictures = re.findall(r"\]\((images/[^)]+)\)", text)
    assert len(pictures) == len(STORY)
    assert all((PAGE.parent / each).is_file() for each in pictures)
    assert all(f"`frbench {verb}" in text for verb in STORY)
    linked = re.findall(r"findings\.md#([a-z_]+)", text)
    assert len(linked) >= len(STORY)
    assert all(entry_of(code) is not None for code in linked)
    assert "synthetic" in text
