"""MORPH-II and MEDS-II, FRLL and CFD: sets whose file names say who is on them."""

from __future__ import annotations

import pytest

from frbench.benchmarks.cfd import CfdBenchmark
from frbench.benchmarks.frll import FrllBenchmark
from frbench.benchmarks.meds2 import Meds2Benchmark
from frbench.benchmarks.morph2 import Morph2Benchmark
from real_photographs import SHARED, needs
from tiny_sets import labels_of, pictures, refusal, text

MORPH = (
    "Album2/009055_1M54.JPG",
    "Album2/009055_2M55.JPG",
    "Album2/009055_3F56.JPG",
    "Album2/000001_0F20.JPG",
)
TABLE = """id_num,picture_num,dob,doa,race,gender,facial_hair,age,age_diff,glasses,photo
009055,1,1950-01-01,2004-01-02,B,M,NULL,54,0,NULL,Album2/009055_1M54.JPG
009055,2,1950-01-01,2005-01-02,W,M,NULL,55,0,NULL,Album2\\009055_2M55.JPG
009055,3,1951-01-01,2006-01-02,B,M,NULL,56,0,NULL,Album2/009055_3F56.JPG
000002,1,1951-01-01,2006-01-02,B,M,NULL,56,0,NULL,Album2/000002_1M56.JPG
"""


@pytest.fixture
def morph(tmp_path):
    """Two persons; one contradicts itself."""
    return pictures(tmp_path / "MORPH", *MORPH, "Album2/notes_on_set.jpg")


def test_morph_by_file_names(morph):
    """Person, sex and age are in the name; race is not; leading zeros stay."""
    loaded = Morph2Benchmark(root=str(morph)).load()
    assert set(loaded.faces["subject_id"]) == {"009055", "000001"}
    assert labels_of(loaded, "age")[MORPH[0]] == "54"
    assert loaded.about["contradictions in sex"] == "1 persons carry two values"
    assert "009055: sex male (2), female (1)" in loaded.notices
    assert "no race" in loaded.about["labels"]
    assert any("notes_on_set" in line for line in loaded.notices)


def test_morph_with_its_table(morph):
    """The table is joined by the photo's name, whichever slashes; contradictions are listed."""
    text(morph / "morph_2008_nonCommercial.csv", TABLE)
    loaded = Morph2Benchmark(root=str(morph)).load()
    assert labels_of(loaded, "race") == {
        MORPH[0]: "black", MORPH[1]: "white", MORPH[2]: "black", MORPH[3]: "?"
    }  # fmt: skip
    assert labels_of(loaded, "sex")[MORPH[2]] == "male"
    assert labels_of(loaded, "sex")[MORPH[3]] == "female"
    for column in ("race", "dob"):
        assert loaded.about[f"contradictions in {column}"] == "1 persons carry two values"
    assert loaded.about["table against file names"].startswith("1 images of another sex")
    assert "1 of no image here, 1 images without a row" in loaded.about["table"]
    assert not any("009055" in said for said in loaded.about.values())
    assert not [name for name in loaded.faces if "dob" in name]


def test_morph_unknown_codes_and_columns(morph, tmp_path):
    """A code that the set does not have is listed with its line."""
    text(morph / "morph_2008_nonCommercial.csv", TABLE.replace(",W,M,", ",Q,M,"))
    message = refusal(Morph2Benchmark(root=str(morph)))
    assert "row 2 (line 3): 'Q'" in message
    file = text(tmp_path / "other.csv", "a,b\n1,2\n")
    assert "no column photo" in refusal(Morph2Benchmark(root=str(morph), table=file))
    assert "by licence" in refusal(Morph2Benchmark(root=str(tmp_path / "none")))


MEDS = ("S001-01-t10_01.jpg", "S001-02-t10_01.jpg", "S354-01-t10_01.jpg")


def test_meds_as_nist_packs_it(tmp_path):
    """data/S###/file, with labels by person in NIST's letters; U is no group."""
    root = pictures(tmp_path, *(f"data/{name[:4]}/{name}" for name in MEDS))
    labels = text(tmp_path / "l.csv", "subject_id,sex,race\nS001,F,W\nS354,m,U\n")
    loaded = Meds2Benchmark(root=str(root), labels=labels).load()
    assert labels_of(loaded, "sex")[f"data/S354/{MEDS[2]}"] == "male"
    assert labels_of(loaded, "race")[f"data/S354/{MEDS[2]}"] == "?"
    assert loaded.about["unknown race"] == "1 images coded U are unlabelled"
    assert loaded.about["persons with one image"] == "1"
    assert loaded.faces["encounter"].tolist() == ["1", "2", "1"]


def test_meds_flat_with_a_manifest(tmp_path):
    """Our reduced form; a letter that NIST does not know is an error with its image."""
    root = pictures(tmp_path, *MEDS, "readme_figure.jpg")
    text(tmp_path / "manifest.csv", f"path,subject_id,sex,race\n{MEDS[0]},S001,F,X\n")
    message = refusal(Meds2Benchmark(root=str(root)))
    assert f"{MEDS[0]}: 'X'" in message
    text(tmp_path / "manifest.csv", f"path,subject_id,sex,race\n{MEDS[0]},S002,F,W\n")
    assert "shows 'S001', not 'S002'" in refusal(Meds2Benchmark(root=str(root)))
    (tmp_path / "manifest.csv").unlink()
    loaded = Meds2Benchmark(root=str(root)).load()
    assert "none given" in loaded.about["labels"]
    assert any("readme_figure" in line for line in loaded.notices)


INFO = "face_id,face_age,face_{sex},face_eth\nX001,24,female,white\nX002,31,male,east_asian/white\n"


@pytest.mark.parametrize("sex", ["sex", "gender"])
def test_frll_as_figshare_packs_it(tmp_path, sex):
    """Both spellings of the table's column; view and expression are the folder's."""
    root = pictures(tmp_path, "neutral_front/001_03.jpg", "smiling_left_3quarter/002_07.jpg",
                    "neutral_front/003_03.jpg", "__MACOSX/neutral_front/001_03.jpg")  # fmt: skip
    text(root / "neutral_front" / "001_03.tem", "189\n")
    text(root / "neutral_front" / "._001_03.jpg", "resource fork")
    text(root / "london_faces_info.csv", INFO.format(sex=sex))
    loaded = FrllBenchmark(root=str(root)).load()
    assert len(loaded.faces) == 3
    assert labels_of(loaded, "sex")["smiling_left_3quarter/002_07.jpg"] == "male"
    assert labels_of(loaded, "sex")["neutral_front/003_03.jpg"] == "?"
    assert labels_of(loaded, "view")["smiling_left_3quarter/002_07.jpg"] == "left_3quarter"
    assert "1 persons without a row" in loaded.about["labels"]
    assert "self-reported" in loaded.about["provenance of ethnicity"]


def test_frll_faults(tmp_path):
    """A doubled person, a table of something else, no set."""
    root = pictures(tmp_path / "f", "neutral_front/001_03.jpg")
    file = text(tmp_path / "i.csv", INFO.format(sex="sex") + "001,24,female,white\n")
    assert "row 3 (line 4)" in refusal(FrllBenchmark(root=str(root), labels=file))
    text(tmp_path / "i.csv", "face_id,colour\nX001,red\n")
    assert "none of face_sex" in refusal(FrllBenchmark(root=str(root), labels=file))
    assert "CC BY 4.0" in refusal(FrllBenchmark(root=str(tmp_path / "none")))


def test_cfd_codes(tmp_path):
    """Race, sex and expression by letters; unknown letters are listed, extensions are not."""
    names = ("CFD-WM-001-014-N.jpg", "CFD-WM-001-015-HO.jpg", "MR/CFD-MF-300-002-N.jpg")
    root = pictures(tmp_path / "CFD", *names)
    loaded = CfdBenchmark(root=str(root)).load()
    assert labels_of(loaded, "ethnicity")[names[2]] == "multiracial"
    assert labels_of(loaded, "expression")[names[1]] == "happy, open mouth"
    assert loaded.faces["subject_id"].nunique() == 2
    pictures(root, "CFD-ZM-001-014-N.jpg")
    assert "CFD-ZM-001-014-N.jpg: code ZM or N" in refusal(CfdBenchmark(root=str(root)))


@needs("meds")
@needs("frll")
def test_the_real_photographs():
    """The shared samples: 50 persons in custody, 102 in the studio, labels of all of them."""
    meds = Meds2Benchmark(root=str(SHARED / "meds")).load()
    frll = FrllBenchmark(root=str(SHARED / "frll")).load()
    assert (len(meds.faces), meds.faces["subject_id"].nunique()) == (114, 50)
    assert (len(frll.faces), frll.faces["subject_id"].nunique()) == (612, 102)
    assert set(meds.faces["label_race"]) == {"black", "white"}
    assert set(frll.faces["view"]) == {"front", "left_3quarter", "right_3quarter"}
