"""Comparisons scored elsewhere come in through one door, checked row by row."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from frbench.benchmarks.scores import ScoreBenchmark
from frbench.errors import InputError
from frbench.groups import GroupSpec, assign_groups

ROWS = {
    "probe_id": ["p1", "p1", "p2", "p2"],
    "reference_id": ["r1", "r2", "r1", "r2"],
    "probe_subject": ["001", "001", "002", "002"],
    "reference_subject": ["001", "002", "001", "002"],
    "score": ["0.9", "0.1", "", "0.8"],
    "probe_sex": ["f", "f", "m", "m"],
    "reference_sex": ["f", "m", "f", "m"],
}


def write(folder: Path, **changes: list[str]) -> Path:
    """The example list with some columns changed, as CSV."""
    path = folder / "scores.csv"
    pd.DataFrame({**ROWS, **changes}).to_csv(path, index=False)
    return path


def test_templates_and_comparisons_are_read(tmp_path: Path) -> None:
    """Four templates of two persons; one mated score each, one failed comparison."""
    door = ScoreBenchmark(path=write(tmp_path))
    faces = assign_groups(door.load(), GroupSpec(by=("sex",)))
    tally = door.tally(faces)
    assert sorted(faces.faces["subject_id"].unique()) == ["001", "002"]
    assert tally.groups == ("f", "m")
    assert sorted(tally.mated.score) == [0.8, 0.9]
    assert list(tally.tail.score) == [0.1]
    assert tally.listed is not None
    assert np.isnan(tally.listed.score).sum() == 1
    assert tally.ordered
    assert not tally.enrolment_known


def test_a_distance_is_negated_at_the_door(tmp_path: Path) -> None:
    """Inside, a larger score is always more alike."""
    door = ScoreBenchmark(path=write(tmp_path), kind="distance")
    tally = door.tally(assign_groups(door.load(), GroupSpec(by=("sex",))))
    assert sorted(tally.mated.score) == [-0.9, -0.8]


def test_parquet_and_csv_give_the_same(tmp_path: Path) -> None:
    """The two formats are the same list."""
    csv = ScoreBenchmark(path=write(tmp_path))
    numbers = {**ROWS, "score": [0.9, 0.1, None, 0.8]}
    pd.DataFrame(numbers).to_parquet(tmp_path / "scores.parquet")
    parquet = ScoreBenchmark(path=tmp_path / "scores.parquet")
    tallies = [d.tally(assign_groups(d.load(), GroupSpec(by=("sex",)))) for d in (csv, parquet)]
    assert tallies[0].listed is not None
    assert tallies[1].listed is not None
    np.testing.assert_array_equal(tallies[0].listed.score, tallies[1].listed.score)


def test_a_template_against_itself_is_left_out_and_counted(tmp_path: Path) -> None:
    """Full matrices hold their diagonal; it is no comparison of two samples."""
    path = write(tmp_path, probe_id=["r1", "p1", "p2", "p2"])
    door = ScoreBenchmark(path=path)
    assert door.load().about["self_comparisons_left_out"] == "1"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"score": ["0.9", "high", "", "0.8"]}, "row 2, score: 'high' is not a finite number"),
        ({"score": ["0.9", "inf", "", "0.8"]}, "row 2, score: 'inf' is not a finite number"),
        ({"probe_subject": ["001", "001", "", "002"]}, "row 3, probe_subject: blank"),
        ({"reference_id": ["r1", "r1", "r1", "r2"]}, "row 2: p1 against r1 is listed a second"),
        ({"probe_sex": ["f", "m", "m", "m"]}, "p1: sex f / m"),
        ({"probe_subject": ["001", "009", "002", "002"]}, "p1: subject_id 001 / 009"),
        ({"probe_age": ["1", "2", "3", "4"]}, "probe_age stands on one side only"),
    ],
)
def test_bad_rows_are_named(tmp_path: Path, changes: dict[str, list[str]], sentence: str) -> None:
    """Each fault is one line that says which row and which value."""
    with pytest.raises(InputError) as caught:
        ScoreBenchmark(path=write(tmp_path, **changes)).load()
    assert sentence in str(caught.value)


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    """The sentence names the column and what the file needs."""
    path = tmp_path / "scores.csv"
    pd.DataFrame(ROWS).drop(columns="score").to_csv(path, index=False)
    with pytest.raises(InputError, match="the column score is missing"):
        ScoreBenchmark(path=path).load()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """No traceback for a path that leads nowhere."""
    with pytest.raises(InputError, match="no such file"):
        ScoreBenchmark(path=tmp_path / "none.csv").load()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda lines: [lines[0], *(line + "," for line in lines[1:])], "got 8"),
        (lambda lines: [*lines[:2], "p1,r2,001,002"], "got 4"),
        (lambda lines: [lines[0] + ",score", *(line + ",1" for line in lines[1:])], "more than"),
        (lambda lines: [line.replace(",", ";") for line in lines], "semicolons"),
    ],
)
def test_cells_are_never_shifted_or_filled_in(
    tmp_path: Path, change: Callable[[list[str]], list[str]], words: str
) -> None:
    """A half-written row is not a failed comparison, and a comma too many moves no column."""
    path = write(tmp_path)
    path.write_text("\n".join(change(path.read_text().splitlines())) + "\n")
    with pytest.raises(InputError, match=words):
        ScoreBenchmark(path=path).load()


def test_a_number_beside_a_blank_is_the_same_label(tmp_path: Path) -> None:
    """Parquet holds a whole number as 30.0 in the column that has a gap, and as 30 in the other."""
    rows = {**ROWS, "score": [0.9, 0.1, None, 0.8]}
    rows |= {"probe_age": [30.0, 30.0, np.nan, np.nan], "reference_age": [30, 41, 30, 41]}
    rows["reference_subject"] = ["001", "003", "001", "003"]
    pd.DataFrame(rows).to_parquet(tmp_path / "scores.parquet")
    faces = ScoreBenchmark(path=tmp_path / "scores.parquet").load().faces
    labels = dict(zip(faces["image_id"], faces["label_age"], strict=True))
    assert labels["p1"] == labels["r1"] == "30"
    assert labels["r2"] == "41"
    assert pd.isna(labels["p2"])
