"""LFW's layout, its list of pairs and Kumar's attribute file, in miniature."""

from __future__ import annotations

import pytest

from frbench.benchmarks.lfw import LfwBenchmark
from frbench.errors import InputError
from real_photographs import SHARED, needs
from tiny_sets import labels_of, pictures, refusal, text

NAMES = [
    *(f"Ann_Bell/Ann_Bell_000{n}.jpg" for n in (1, 2, 3)),
    *(f"Bo_Chu/Bo_Chu_000{n}.jpg" for n in (1, 2)),
    "Al_al-Ax/Al_al-Ax_0001.jpg",
]
FOLDS = """Ann_Bell\t1\t2
Bo_Chu\t1\t2
Ann_Bell\t1\tBo_Chu\t2
Bo_Chu\t1\tAl_al-Ax\t1
Ann_Bell\t2\t3
Ann_Bell\t1\t3
Ann_Bell\t3\tAl_al-Ax\t1
Ann_Bell\t2\tBo_Chu\t1
"""


@pytest.fixture
def root(tmp_path):
    """Three people as the archive unpacks them."""
    return pictures(tmp_path / "lfw", *NAMES)


def test_one_folder_a_person(root):
    """Every image is of the person whose folder it is in, whether the root is lfw or above it."""
    loaded = LfwBenchmark(root=str(root)).load()
    above = LfwBenchmark(root=str(root.parent)).load()
    assert set(loaded.faces["subject_id"]) == {"Ann_Bell", "Bo_Chu", "Al_al-Ax"}
    assert loaded.faces["path"].tolist() == above.faces["path"].tolist()
    assert above.root.name == "lfw"
    assert loaded.about["persons with one image"] == "1"
    assert loaded.pairs is None


@pytest.mark.parametrize("header", ["2\t2\n", ""])
def test_pairs_with_and_without_a_header(root, header):
    """A new fold begins where a mated line follows a non-mated one; other images are left out."""
    text(root.parent / "pairs.txt", header + FOLDS.replace("Ann_Bell\t1\t3", "Ann_Bell\t2\t1"))
    loaded = LfwBenchmark(root=str(root), protocol="pairs").load()
    assert loaded.pairs["fold"].tolist() == [1, 1, 1, 1, 2, 2, 2, 2]
    assert loaded.pairs.iloc[2].tolist()[:2] == [NAMES[0], NAMES[4]]
    person = dict(zip(loaded.faces["path"], loaded.faces["subject_id"], strict=True))
    mated = loaded.pairs["probe_id"].map(person) == loaded.pairs["reference_id"].map(person)
    assert mated.tolist() == [True, True, False, False] * 2
    assert loaded.about["left_out"] == "0 images that no pair names"


def test_a_header_that_promises_other_counts(root):
    """A shortened list with the official header is refused, fold by fold."""
    text(root / "pairs.txt", "10\t300\n" + FOLDS)
    message = refusal(LfwBenchmark(root=str(root), protocol="pairs"))
    assert "fold 1: 2 mated pairs instead of 300" in message
    assert "fold 10: 0 non-mated pairs instead of 300" in message
    assert "remove the header" in message


def test_a_development_list_is_one_fold(root):
    """pairsDevTest.txt has the number of pairs alone in its first line."""
    file = text(root / "dev.txt", "2\n" + "".join(FOLDS.splitlines(keepends=True)[:4]))
    loaded = LfwBenchmark(root=str(root), protocol="pairs", pairs=file).load()
    assert loaded.pairs["fold"].tolist() == [1, 1, 1, 1]
    assert loaded.about["left_out"] == "1 images that no pair names"


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("Ann_Bell\t1\t9", "line 9: no image Ann_Bell/Ann_Bell_0009.jpg"),
        ("Ann_Bell\t1", "line 9: 'Ann_Bell 1' is no pair"),
        ("Ann_Bell\tone\t2", "is no pair"),
    ],
)
def test_lines_that_are_no_pairs(root, line, wanted):
    """Absent images and broken lines are listed with their line."""
    text(root / "pairs.txt", FOLDS + line + "\n")
    assert wanted in refusal(LfwBenchmark(root=str(root), protocol="pairs"))


def test_the_version_covers_the_list(root):
    """Another list is another version of the set, as its results are others."""
    text(root / "pairs.txt", FOLDS)
    one = LfwBenchmark(root=str(root), protocol="pairs").load()
    text(root / "pairs.txt", FOLDS.replace("Ann_Bell\t2\t3", "Ann_Bell\t3\t2"))
    other = LfwBenchmark(root=str(root), protocol="pairs").load()
    assert one.faces.equals(other.faces)
    assert one.version != other.version


def test_kumars_attributes_are_voted_per_person(root):
    """Two images to one decide, a tie is unlabelled, and both are counted; names stay on screen."""
    header = "# LFW attributes\n#\tperson\timagenum\tMale\tAsian\tWhite\tBlack\tIndian\tBald\n"
    rows = [
        ("Ann Bell", 1, -1.0, 0.1, 0.5, -2, -2),
        ("Ann Bell", 2, 0.4, 0.1, 0.5, -2, -2),
        ("Ann Bell", 3, -0.2, 0.9, 0.5, -2, -2),
        ("Bo Chu", 1, 1.0, 2.0, 0, 0, 0),
        ("Bo Chu", 2, -1.0, 2.0, 0, 0, 0),
        ("Not Here", 1, 1.0, 0, 0, 0, 0),
    ]
    body = "".join("\t".join(map(str, (*row, 0))) + "\n" for row in rows)
    file = text(root.parent / "lfw_attributes.txt", header + body)
    loaded = LfwBenchmark(root=str(root), attributes=file).load()
    assert labels_of(loaded, "sex") == dict.fromkeys(NAMES[:3], "female") | dict.fromkeys(
        NAMES[3:], "?"
    )
    assert labels_of(loaded, "ethnicity")[NAMES[0]] == "white"
    assert labels_of(loaded, "ethnicity")[NAMES[3]] == "asian"
    assert loaded.about["contradictions in sex"].startswith("2 persons")
    assert "1 of no image here" in loaded.about["attribute rows"]
    assert any("Ann_Bell: sex female (2), male (1)" in line for line in loaded.notices)
    assert not any("Ann_Bell" in said for said in loaded.about.values())
    assert "inferred" in loaded.about["provenance of sex"]


def test_labels_from_a_table(root):
    """Rows by image with a person beside them must agree with the folders."""
    file = text(root.parent / "l.csv", f"path,subject_id,sex\n{NAMES[0]},Ann_Bell,f\n")
    loaded = LfwBenchmark(root=str(root), labels=file).load()
    assert labels_of(loaded, "sex")[NAMES[0]] == "f"
    text(root.parent / "l.csv", f"path,subject_id,sex\n{NAMES[0]},Bo_Chu,f\nx.jpg,Bo_Chu,m\n")
    message = refusal(LfwBenchmark(root=str(root), labels=file))
    assert "shows 'Ann_Bell', not 'Bo_Chu'" in message
    assert "row 2 (line 3), column path: 'x.jpg' is not in the set" in message


def test_an_image_in_a_strangers_folder(root):
    """A file that was moved would make two people one."""
    pictures(root, "Bo_Chu/Ann_Bell_0004.jpg")
    assert "Bo_Chu/Ann_Bell_0004.jpg lies in the folder of 'Bo_Chu'" in refusal(
        LfwBenchmark(root=str(root))
    )


def test_what_is_not_there(tmp_path, root):
    """Where the set, its list or the choice is missing, the sentence says how to get it."""
    message = refusal(LfwBenchmark(root=str(tmp_path / "none")))
    assert "University of Massachusetts" in message
    assert "research use" in message
    assert "benchmark.pairs=FILE" in refusal(LfwBenchmark(root=str(root), protocol="pairs"))
    with pytest.raises(InputError, match="take one of all, pairs"):
        LfwBenchmark(root=str(root), protocol="view2")


@needs("lfw")
def test_the_real_photographs_and_their_pairs():
    """The shared part of LFW: 1,416 mated and 231 non-mated official pairs in ten folds."""
    root = SHARED / "lfw"
    options = {"root": str(root), "labels": str(root / "manifest.csv")}
    assert len(LfwBenchmark(**options).load().faces) == 4529
    loaded = LfwBenchmark(
        **options, protocol="pairs", pairs=str(root / "pairs_available.txt")
    ).load()
    person = dict(zip(loaded.faces["path"], loaded.faces["subject_id"], strict=True))
    mated = loaded.pairs["probe_id"].map(person) == loaded.pairs["reference_id"].map(person)
    assert (int(mated.sum()), int((~mated).sum())) == (1416, 231)
    assert loaded.pairs["fold"].nunique() == 10
