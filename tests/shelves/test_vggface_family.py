"""Sets made of VGGFace2's people: BFW, DemogPairs, VGGFace2 itself, MAAD-Face's attributes."""

from __future__ import annotations

import os
import pickle

import pytest

from frbench.benchmarks.bfw import ERRATA, SUBGROUPS, BfwBenchmark
from frbench.benchmarks.demogpairs import DemogPairsBenchmark
from frbench.benchmarks.vggface2 import Vggface2Benchmark
from frbench.errors import InputError
from tiny_sets import labels_of, pictures, refusal, text


@pytest.fixture
def bfw(tmp_path):
    """One person with two images in each subgroup, and the three bad images."""
    root = tmp_path / "bfw" / "Users"
    for number, group in enumerate(SUBGROUPS):
        pictures(root / group, *(f"n{number:06d}/000{n}_01.jpg" for n in (1, 2)))
    return pictures(root, *(f"{path}.jpg" for path in ERRATA)).parent


def test_bfw_without_the_bad_images(bfw):
    """Sex and ethnicity are the folder's; the three images that show others are left out."""
    loaded = BfwBenchmark(root=str(bfw)).load()
    assert len(loaded.faces) == 16
    assert labels_of(loaded, "sex")["black_males/n000003/0001_01.jpg"] == "male"
    assert labels_of(loaded, "ethnicity")["indian_females/n000004/0002_01.jpg"] == "indian"
    assert loaded.about["errata"].startswith("3 images")
    assert "officially 800 persons" in loaded.about["counts"]
    assert loaded.sources == ("bfw", "vggface2")
    kept = BfwBenchmark(root=str(bfw), errata="keep").load()
    assert len(kept.faces) == 19


def test_bfw_people_in_two_subgroups(bfw):
    """A person of two groups would be their own impostor."""
    pictures(bfw / "Users", "white_males/n000000/9.jpg")
    message = refusal(BfwBenchmark(root=str(bfw)))
    assert "n000000: asian_females, white_males" in message


def test_bfw_missing_subgroup_and_missing_set(bfw, tmp_path):
    """The folder that lacks is named; without any, the way to the set."""
    os.rename(bfw / "Users" / "white_males", bfw / "elsewhere")
    assert "white_males" in refusal(BfwBenchmark(root=str(bfw / "Users")))
    assert "research and education" in refusal(BfwBenchmark(root=str(tmp_path / "none")))


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return (os.mkdir, (self.target,))


def test_bfw_pickles_are_refused_unopened(tmp_path):
    """The sentence names the CSV, and nothing in the pickle ran."""
    sprung = tmp_path / "sprung"
    file = tmp_path / "bfw-v0.1.5-datatable.pkl"
    file.write_bytes(pickle.dumps(Trap(str(sprung))))
    message = refusal(BfwBenchmark(root=str(file)))
    assert "pickle" in message
    assert "benchmark.format=bfw benchmark.path=FILE.csv" in message
    assert not sprung.exists()


@pytest.fixture
def demogpairs(tmp_path):
    """Two persons, as the aligned copy with lists in folders of their own."""
    root = tmp_path / "DemogPairs"
    pictures(root / "DemogPairs_112x112", "n000001/1.jpg", "n000001/2.jpg", "m.0x/001.jpg")
    text(root / "Metadata" / "Train" / "Asian_Females_Train.txt", "n000001/1.jpg\nn000001/2.jpg\n")
    text(root / "Metadata" / "Validate" / "White_Males_Validate.txt", "m.0x/001.jpg\n")
    return root


def test_demogpairs_lists_without_header(demogpairs):
    """A line is an image; the list's name is its group."""
    loaded = DemogPairsBenchmark(root=str(demogpairs / "DemogPairs_112x112")).load()
    assert labels_of(loaded, "sex") == {
        "m.0x/001.jpg": "male", "n000001/1.jpg": "female", "n000001/2.jpg": "female"
    }  # fmt: skip
    assert labels_of(loaded, "ethnicity")["m.0x/001.jpg"] == "white"
    assert set(loaded.sources) >= {"casia-webface", "vggface2"}


def test_demogpairs_lists_with_header_and_columns(demogpairs):
    """Columns beside the path, and a header, are passed over."""
    folder = demogpairs / "other"
    text(folder / "Black_Males.txt", "db_code image_path\n2 m.0x/001.jpg\n")
    loaded = DemogPairsBenchmark(
        root=str(demogpairs / "DemogPairs_112x112"), metadata=str(folder)
    ).load()
    assert loaded.faces["path"].tolist() == ["m.0x/001.jpg"]
    assert loaded.about["left_out"] == "2 images that no list names"


def test_demogpairs_by_folders(tmp_path):
    """Group, person, image, where no lists are there."""
    root = pictures(tmp_path / "d", "Black_Females/p1/1.jpg", "Asian_Males/p2/1.jpg")
    loaded = DemogPairsBenchmark(root=str(root)).load()
    assert sorted(labels_of(loaded, "ethnicity").values()) == ["asian", "black"]


def test_demogpairs_faults(demogpairs, tmp_path):
    """Absent images, people in two groups, and no groups at all."""
    images = str(demogpairs / "DemogPairs_112x112")
    file = demogpairs / "Metadata" / "Validate" / "White_Males_Validate.txt"
    file.write_text("m.0x/001.jpg\nm.0x/002.jpg\n")
    assert "White_Males_Validate.txt, line 2: no image m.0x/002.jpg" in refusal(
        DemogPairsBenchmark(root=images)
    )
    file.write_text("m.0x/001.jpg\nn000001/1.jpg\n")
    assert "n000001: asian female, white male" in refusal(DemogPairsBenchmark(root=images))
    bare = pictures(tmp_path / "bare", "p/1.jpg")
    assert "nothing says which group" in refusal(DemogPairsBenchmark(root=str(bare)))


META = """Class_ID, Name, Sample_Num, Flag, Gender
n000001, "Somebody, Jr.", 2, 1, m
n000002, "A_Name", 3, 1, f
"""


@pytest.fixture
def vgg(tmp_path):
    """One person in train, two in test, three images at most."""
    root = tmp_path / "vgg"
    pictures(root / "train", "n000003/0001_01.jpg")
    pictures(root / "test", "n000001/0001_01.jpg", "n000001/0002_01.jpg",
             *(f"n000002/000{n}_02.jpg" for n in (1, 2, 3)))  # fmt: skip
    text(root / "identity_meta.csv", META)
    return root


def test_vggface2_parts_and_sexes(vgg):
    """Names with commas do not shift the sex, and no name is kept."""
    loaded = Vggface2Benchmark(root=str(vgg)).load()
    assert labels_of(loaded, "sex")["test/n000001/0001_01.jpg"] == "male"
    assert labels_of(loaded, "sex")["test/n000002/0003_02.jpg"] == "female"
    assert "Somebody" not in str(loaded)
    both = Vggface2Benchmark(root=str(vgg), part="both").load()
    assert labels_of(both, "sex")["train/n000003/0001_01.jpg"] == "?"
    assert "1 persons without a row" in both.about["labels"]
    bare = Vggface2Benchmark(root=str(vgg / "test")).load()
    assert len(bare.faces) == 5


def test_vggface2_faults(vgg):
    """An unknown sex, a foreign table, a missing part."""
    text(vgg / "identity_meta.csv", META.replace(", f", ", x"))
    assert "row 2: 'x'" in refusal(Vggface2Benchmark(root=str(vgg)))
    text(vgg / "identity_meta.csv", "a,b\n")
    assert "Class_ID" in refusal(Vggface2Benchmark(root=str(vgg)))
    os.rename(vgg / "train", vgg / "gone")
    assert "holds no train" in refusal(Vggface2Benchmark(root=str(vgg), part="train"))
    with pytest.raises(InputError, match="part=val"):
        Vggface2Benchmark(root=str(vgg), part="val")


HEADER = "Filename,Identity,Male,Young,Middle_Aged,Senior,Asian,White,Black,Bald\n"


def test_maadface_votes_and_lists_contradictions(vgg):
    """Young and Senior flip within a person: two of three win, one of two is unlabelled."""
    rows = [
        "n000001/0001_01.jpg,1,1,1,-1,-1,-1,1,-1,0",
        "n000001/0002_01.jpg,1,1,-1,-1,1,-1,1,-1,0",
        "n000002/0001_02.jpg,2,-1,1,-1,-1,1,1,-1,0",
        "n000002/0002_02.jpg,2,-1,1,-1,-1,1,-1,-1,0",
        "n000002/0003_02.jpg,2,0,-1,-1,1,1,-1,-1,0",
        "n009999/0001_01.jpg,3,1,1,-1,-1,-1,1,-1,0",
    ]
    file = text(vgg / "MAAD_Face.csv", HEADER + "\n".join(rows) + "\n")
    loaded = Vggface2Benchmark(root=str(vgg), attributes=file).load()
    assert loaded.name == "maadface"
    assert set(labels_of(loaded, "age_group").values()) == {"young", "?"}
    assert labels_of(loaded, "age_group")["test/n000001/0001_01.jpg"] == "?"
    assert labels_of(loaded, "ethnicity")["test/n000002/0001_02.jpg"] == "asian"
    assert labels_of(loaded, "sex")["test/n000002/0003_02.jpg"] == "female"
    assert loaded.about["contradictions in age_group"].startswith("2 persons")
    assert "n000002: age_group young (2), senior (1)" in loaded.notices
    assert "1 of no image here" in loaded.about["attribute rows"]


def test_maadface_faults(vgg):
    """A value that is no attribute's, absent columns, a table of other people."""
    file = text(vgg / "m.csv", HEADER + "n000001/0001_01.jpg,1,2,1,-1,-1,-1,1,-1,0\n")
    assert "row 1, column Male: '2'" in refusal(Vggface2Benchmark(root=str(vgg), attributes=file))
    text(vgg / "m.csv", "Filename,Male\nn000001/0001_01.jpg,1\n")
    assert "no column Asian" in refusal(Vggface2Benchmark(root=str(vgg), attributes=file))
    text(vgg / "m.csv", HEADER + "n000009/0001_01.jpg,1,1,1,-1,-1,-1,1,-1,0\n")
    assert "none of its 1 rows" in refusal(Vggface2Benchmark(root=str(vgg), attributes=file))
