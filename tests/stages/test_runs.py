"""Run folders are whole or absent, hashed, and read back as they were written."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from frbench.errors import InputError
from frbench.runs import (
    artefact_hashes,
    plain,
    read_tally,
    write_json,
    write_table,
    write_tally,
)
from frbench.staging import run_place, staged
from frbench.values import Histogram, ScoredPairs, ScoreTally


def example_tally(*, listed: bool = False, references_from: int | None = None) -> ScoreTally:
    """Three images of two persons, with one failed comparison when listed."""
    pairs = ScoredPairs(
        np.array([0, 0], np.int32), np.array([1, 2], np.int32), np.array([0.5, np.nan])
    )
    return ScoreTally(
        groups=("a", "=b"),
        subject=np.array([0, 0, 1], np.int32),
        group=np.array([0, 0, 1], np.int16),
        stratum=np.zeros(3, np.int16),
        enrolled=np.array([True, True, False]),
        mated=pairs.take(np.array([True, False])),
        tail=pairs.take(np.array([False, False])),
        floor=-np.inf,
        ordered=listed or references_from is not None,
        references_from=references_from,
        listed=pairs if listed else None,
        histogram=Histogram(np.linspace(-1, 1, 5), np.ones((2, 2, 2, 4), np.int64), 0.25),
        work={"tiles": 3},
    )


@pytest.mark.parametrize(
    "kind",
    [{}, {"listed": True}, {"references_from": 1}, {"references_from": 0}],
    ids=["all pairs", "listed", "two sets", "no probes"],
)
def test_a_tally_survives_the_round_trip(tmp_path: Path, kind: dict) -> None:
    """Every field comes back equal, with its dtype, NaN and infinity included."""
    written = example_tally(**kind)
    write_tally(tmp_path / "tally", written)
    back = read_tally(tmp_path / "tally")
    for name in ("subject", "group", "stratum", "enrolled"):
        np.testing.assert_array_equal(getattr(back, name), getattr(written, name))
        assert getattr(back, name).dtype == getattr(written, name).dtype
    assert back.groups == written.groups
    assert (back.ordered, back.references_from) == (written.ordered, written.references_from)
    assert back.floor == -np.inf
    assert (back.listed is None) == (written.listed is None)
    assert back.histogram is not None
    assert written.histogram is not None
    np.testing.assert_array_equal(back.histogram.counts, written.histogram.counts)
    np.testing.assert_array_equal(back.mated.score, written.mated.score)


def test_undefined_numbers_are_null_in_json(tmp_path: Path) -> None:
    """JSON has no NaN; a reader in any language must be able to parse the file."""
    write_json(tmp_path / "x.json", {"rate": float("nan"), "high": np.float64("inf"), "n": 3})
    assert json.loads((tmp_path / "x.json").read_text()) == {"rate": None, "high": "inf", "n": 3}
    assert plain(np.int64(3)) == 3


def test_a_group_named_like_a_formula_is_harmless_in_the_csv(tmp_path: Path) -> None:
    """Spreadsheets run cells that begin with '='; the CSV gives them an apostrophe."""
    write_table(tmp_path, "rates", pd.DataFrame({"group": ["=cmd|x", "f"], "rate": [-0.5, 0.1]}))
    lines = (tmp_path / "rates.csv").read_text().splitlines()
    assert lines[1:] == ["'=cmd|x,-0.5", "f,0.1"]
    assert list(pd.read_parquet(tmp_path / "rates.parquet")["group"]) == ["=cmd|x", "f"]


def test_a_failed_block_leaves_no_run(tmp_path: Path) -> None:
    """The final place appears only after a good end."""
    final = tmp_path / "run"

    def half() -> None:
        with staged(final, tmp_path / ".partial") as folder:
            (folder / "rates.csv").write_text("half")
            raise ValueError("boom")

    with pytest.raises(ValueError, match="boom"):
        half()
    assert list(tmp_path.iterdir()) == []


def test_an_earlier_run_moves_aside(tmp_path: Path) -> None:
    """Writing to the same place twice loses nothing."""
    for number in range(3):
        with staged(tmp_path / "run", tmp_path / ".partial") as folder:
            (folder / "run.json").write_text(str(number))
    found = {p.name: (p / "run.json").read_text() for p in tmp_path.iterdir()}
    assert found == {"run": "2", "run~1": "0", "run~2": "1"}


def test_a_folder_that_is_no_run_is_never_touched(tmp_path: Path) -> None:
    """Somebody's documents are not moved out of the way."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with (
        pytest.raises(InputError, match="is not a run"),
        staged(tmp_path / "mine", tmp_path / ".partial"),
    ):
        pass
    assert (tmp_path / "mine" / "letter.txt").read_text() == "dear"


def test_every_file_is_hashed_but_the_record_itself(tmp_path: Path) -> None:
    """The record lists the hash of everything else."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.bin").write_bytes(b"")
    (tmp_path / "run.json").write_text("{}")
    assert artefact_hashes(tmp_path) == {
        "a/x.bin": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    }


def test_a_full_disk_is_one_sentence(tmp_path: Path) -> None:
    """A file system of 64 KiB runs full in the middle of the run folder."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("mounting a small tmpfs needs privileges that this machine does not give")
    try:
        with (
            pytest.raises(InputError, match="make room"),
            staged(place / "run", place / ".partial") as folder,
        ):
            (folder / "rates.parquet").write_bytes(os.urandom(1 << 20))
        assert not (place / "run").exists()
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_a_fault_that_is_not_about_the_run_folder_stays_what_it_is(tmp_path: Path) -> None:
    """A dead child process or an absent input is not "choose another output"."""
    for failure in (BrokenPipeError(32, "Broken pipe"), FileNotFoundError(2, "No", "input.pt")):
        with (
            pytest.raises(type(failure)),
            staged(tmp_path / "run", tmp_path / ".partial"),
        ):
            raise failure


def test_an_empty_folder_is_filled_and_not_moved_aside(tmp_path: Path) -> None:
    """Whoever made the output folder beforehand finds the run in it, and no second folder."""
    (tmp_path / "run").mkdir()
    with staged(tmp_path / "run", tmp_path / ".partial") as folder:
        (folder / "run.json").write_text("{}")
    assert [p.name for p in tmp_path.iterdir()] == ["run"]
    assert (tmp_path / "run" / "run.json").is_file()


def test_every_output_has_a_name_that_a_neighbour_can_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``.`` and ``..`` have none as they stand."""
    monkeypatch.chdir(tmp_path)
    assert run_place(".") == tmp_path
    assert run_place("a/..") == tmp_path
    assert run_place("a/b") == Path("a/b")
