"""RFW's layout with its traps: two races, flat folders, no header, missing parts."""

from __future__ import annotations

import shutil

import pytest

from frbench.benchmarks.rfw import RACES, RfwBenchmark
from tiny_sets import labels_of, pictures, refusal, text


@pytest.fixture
def root(tmp_path):
    """Two persons a race with two images each; m.0twice stands under Asian and Indian."""
    top = tmp_path / "RFW"
    for race in RACES:
        people = [f"m.0{race[:2].lower()}1", "m.0twice" if race in ("Asian", "Indian") else "m.0x"]
        people[1] = people[1] if people[1] != "m.0x" else f"m.0{race[:2].lower()}2"
        for person in people:
            pictures(
                top / "test" / "data" / race, *(f"{person}/{person}_000{n}.jpg" for n in (1, 2))
            )
        one, two = people
        fold = f"{one}\t1\t2\n{two}\t2\t1\n{one}\t1\t{two}\t1\n{one}\t2\t{two}\t2\n"
        text(top / "test" / "txts" / race / f"{race}_pairs.txt", fold + fold)
        text(top / "test" / "txts" / race / f"{race}_images.txt", f"{one}_0001.jpg\t0\n")
        text(top / "test" / "txts" / race / f"{race}_lmk.txt", "a\tb\n")
    pictures(top / "train" / "data" / "Caucasian" / "m.1", "m.1_0001.jpg")
    pictures(top / "train" / "data" / "African", "m.2_0001.jpg")
    text(top / "erratum1" / "Caucasian_lmk.txt", "x\n")
    return top


def test_official_pairs(root):
    """No header, folds by order, counted from 1 in each race; persons are keyed by race and id."""
    loaded = RfwBenchmark(root=str(root)).load()
    assert len(loaded.pairs) == 4 * 8
    assert sorted(loaded.pairs["fold"].unique()) == [1, 2]
    assert {"Asian/m.0twice", "Indian/m.0twice"} <= set(loaded.faces["subject_id"])
    assert loaded.about["persons under two races"].startswith("1 ids")
    assert loaded.notices == ("m.0twice: under Asian, Indian",)
    assert "officially 6000" in loaded.about["pairs of African"]
    assert set(labels_of(loaded, "race").values()) == set(RACES)
    assert loaded.sources == ("rfw", "ms-celeb-1m")
    races = loaded.pairs["probe_id"].str.split("/").str[0]
    assert (races == loaded.pairs["reference_id"].str.split("/").str[0]).all()


def test_across_races_nobody_is_compared_with_themselves(root):
    """With all pairs, who stands under two races is left out: their cross-race pairs are mated."""
    loaded = RfwBenchmark(root=str(root), protocol="all").load()
    assert loaded.pairs is None
    assert not loaded.faces["subject_id"].str.endswith("m.0twice").any()
    assert loaded.about["left_out"] == "4 images of persons under two races"
    assert loaded.faces["label_race"].nunique() == 4


def test_the_training_part_is_refused(root):
    """Three of its races lie flat, so nobody would be told apart."""
    assert "training part" in refusal(RfwBenchmark(root=str(root / "train")))
    pictures(root / "test" / "data" / "African", "m.9_0001.jpg")
    message = refusal(RfwBenchmark(root=str(root)))
    assert "1 images lie directly in a race's folder, e.g. African/m.9_0001.jpg" in message


def test_missing_parts(root):
    """A race or a list that is not there is named, with the way to the set."""
    (root / "test" / "txts" / "Indian" / "Indian_pairs.txt").unlink()
    assert "Indian_pairs.txt" in refusal(RfwBenchmark(root=str(root)))
    shutil.rmtree(root / "test" / "data" / "Asian")
    message = refusal(RfwBenchmark(root=str(root)))
    assert "no folder Asian" in message
    assert "research only" in message
    assert "test/data" in refusal(RfwBenchmark(root=str(root / "erratum1")))


def test_a_pair_of_an_absent_image(root):
    """The line is named, and the image in the layout's own form."""
    file = root / "test" / "txts" / "African" / "African_pairs.txt"
    file.write_text(file.read_text() + "m.0af1\t1\t7\n")
    assert "line 9: no image African/m.0af1/m.0af1_0007.jpg" in refusal(
        RfwBenchmark(root=str(root))
    )


def test_spaces_for_tabs_and_other_numbers_of_digits(root):
    """Copies that were edited by hand still read."""
    file = root / "test" / "txts" / "African" / "African_pairs.txt"
    file.write_text(file.read_text().replace("\t", "  "))
    person = root / "test" / "data" / "African" / "m.0af1"
    (person / "m.0af1_0001.jpg").rename(person / "m.0af1_1.jpg")
    loaded = RfwBenchmark(root=str(root)).load()
    assert "African/m.0af1/m.0af1_1.jpg" in set(loaded.pairs["probe_id"])


def test_more_labels_by_bare_id(root):
    """A table of sexes knows ids, not races; it serves both of a doubled person's keys."""
    file = text(root / "sex.csv", "subject_id,sex\nm.0twice,female\nm.0af1,male\n")
    loaded = RfwBenchmark(root=str(root), labels=file).load()
    by_path = labels_of(loaded, "sex")
    assert by_path["Indian/m.0twice/m.0twice_0001.jpg"] == "female"
    assert by_path["Asian/m.0twice/m.0twice_0001.jpg"] == "female"
    assert by_path["Caucasian/m.0ca1/m.0ca1_0001.jpg"] == "?"
