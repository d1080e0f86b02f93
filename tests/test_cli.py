"""The command line itself: verbs, exit statuses, sentences instead of tracebacks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from frbench import __version__, cli
from frbench.errors import InputError
from frbench.judging import exit_status
from frbench.values import Finding


def test_every_verb_has_a_line_of_help(capsys: pytest.CaptureFixture[str]) -> None:
    """The overview names each module in workflows/ with its first line."""
    assert cli.run([]) == 0
    shown = capsys.readouterr().out
    for verb, words in cli.verbs().items():
        assert verb in shown
        assert words


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """--version prints the version of the package."""
    assert cli.run(["--version"]) == 0
    assert capsys.readouterr().out == f"frbench {__version__}\n"


def test_a_misspelt_verb_gets_a_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    """Unknown verbs end with status 2 and the nearest known one."""
    assert cli.run(["evalute"]) == 2
    assert "did you mean evaluate" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("failure", "status", "words"),
    [
        (InputError("row 3 is blank."), 2, "row 3 is blank."),
        (KeyboardInterrupt(), 130, "resume"),
        (MemoryError(), 2, "out of memory"),
        (RuntimeError("odd"), 2, "a fault in frbench"),
    ],
)
def test_what_goes_wrong_is_one_sentence(
    failure: BaseException, status: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each kind of failure has its status and its sentence."""

    def work() -> int:
        raise failure

    assert cli.guarded(work) == status
    said = capsys.readouterr().err
    assert words in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("levels", "gate", "status"),
    [
        ([], "flag", 0),
        (["note", "watch"], "none", 0),
        (["note", "watch"], "flag", 0),
        (["note", "watch"], "watch", 1),
        (["flag", "undecided"], "watch", 1),
        (["note", "undecided"], "flag", 3),
        (["undecided"], "none", 0),
    ],
)
def test_the_gate_decides_the_status(levels: list[str], gate: str, status: int) -> None:
    """A finding at or above the gate is 1; a question without an answer is 3, never a pass."""
    findings = tuple(Finding("rule", level, "words") for level in levels)
    assert exit_status(findings, gate) == status


def test_the_list_of_parts_explains_each(capsys: pytest.CaptureFixture[str]) -> None:
    """``frbench list matcher`` shows every matcher with its own words."""
    assert cli.run(["list", "matcher"]) == 0
    shown = capsys.readouterr().out
    for file in Path(__file__).parents[1].glob("configs/matcher/*.yaml"):
        assert file.stem in shown


def test_the_doctor_finds_this_environment_healthy(capsys: pytest.CaptureFixture[str]) -> None:
    """The environment that runs the tests has a torch and torchvision that fit together."""
    assert cli.run(["doctor"]) == 0
    assert "torchvision" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["output=/proc/nowhere/run"], "cannot be written"),
        (["output=FILE/run"], "Not a directory"),
        (["output=."], "is not a run of frbench"),
        (["interval=null"], "must be a string or a list"),
        (["benchmark.root=caf\u00e9"], "needs quotes of its own"),
        (["matcher=dlbi"], "Could not find 'matcher/dlbi'"),
    ],
)
def test_what_stops_before_the_job_is_no_traceback(
    words: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The configuration system's own failures are sentences too, with status 2."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", sys.argv)
    (tmp_path / "FILE").write_text("mine")
    assert cli.run(["evaluate", *words]) == 2
    shown = capsys.readouterr().err
    assert said in shown
    assert "Traceback" not in shown
    assert [p.name for p in tmp_path.iterdir()] == ["FILE"]


def test_home_is_found_where_the_shell_left_it_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """bash expands ~ after ``output=`` but not after ``benchmark.root=``."""
    monkeypatch.setenv("HOME", "/home/somebody")
    assert cli.home_expanded("benchmark.root=~/faces") == "benchmark.root=/home/somebody/faces"
    assert cli.home_expanded("output=~") == "output=/home/somebody"
    assert cli.home_expanded("~interval") == "~interval"
    assert cli.home_expanded("output=runs~1") == "output=runs~1"


def test_help_may_be_cut_short() -> None:
    """``frbench evaluate --help | head -1`` ends well and says nothing on stderr."""
    done = subprocess.run(
        [
            "bash",
            "-c",
            f"'{sys.executable}' -m frbench evaluate --help | head -1; exit $PIPESTATUS",
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0
    assert done.stdout.startswith("frbench evaluate")
    assert done.stderr == ""
