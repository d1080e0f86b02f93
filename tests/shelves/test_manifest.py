"""The manifest benchmark: text stays text, and every bad row is named at once."""

from __future__ import annotations

import csv
import os

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frbench.benchmarks.manifest import ManifestBenchmark
from frbench.errors import InputError
from real_photographs import SHARED, needs

HEADER = "path,subject_id,sex,age\n"


def written(folder, text, name="set.csv"):
    """A manifest with this text (or these bytes) in the folder."""
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def refusal(path, **options):
    """The sentence that loading ends with."""
    with pytest.raises(InputError) as caught:
        ManifestBenchmark(path=str(path), **options).load()
    return str(caught.value)


def test_text_stays_as_written(tmp_path):
    """Leading zeros, the word NA and outer spaces survive; blank and nan are missing."""
    path = written(tmp_path, HEADER + "a.jpg,001,NA,07\nb.jpg,1e5, f ,\nc.jpg,x,nan,  \n")
    faces = ManifestBenchmark(path=str(path)).load().faces
    assert list(faces.columns) == ["image_id", "subject_id", "path", "label_sex", "label_age"]
    assert faces["subject_id"].tolist() == ["001", "1e5", "x"]
    assert faces["label_sex"].tolist()[:2] == ["NA", " f "]
    assert faces["label_age"].tolist()[0] == "07"
    assert faces["label_sex"].isna().tolist() == [False, False, True]
    assert faces["label_age"].isna().tolist() == [False, True, True]
    assert faces["image_id"].tolist() == ["a.jpg", "b.jpg", "c.jpg"]


def test_own_image_ids_and_chosen_labels(tmp_path):
    """With label_columns the other columns are covariates under their own name."""
    path = written(tmp_path, "image_id,path,subject_id,sex,view\n7,a.jpg,p,f,left\n")
    faces = ManifestBenchmark(path=str(path), label_columns=["sex"]).load().faces
    assert faces.iloc[0].to_dict() == {
        "image_id": "7", "subject_id": "p", "path": "a.jpg", "label_sex": "f", "view": "left",
    }  # fmt: skip


def test_a_label_column_that_is_not_there(tmp_path):
    """The sentence lists the columns that are."""
    path = written(tmp_path, HEADER + "a.jpg,p,f,3\n")
    assert "sex, age" in refusal(path, label_columns=["gender"])


def test_parquet_equals_csv(tmp_path):
    """The same table in Parquet, with numbers as numbers, gives the same faces."""
    frame = pd.DataFrame(
        {"path": ["a.jpg", "b.jpg"], "subject_id": [1, 2], "sex": ["f", None], "age": [30.0, 2.5]}
    )
    frame.to_parquet(tmp_path / "set.parquet")
    frame.to_csv(tmp_path / "set.csv", index=False)
    from_parquet = ManifestBenchmark(path=str(tmp_path / "set.parquet")).load().faces
    assert from_parquet["subject_id"].tolist() == ["1", "2"]
    assert from_parquet["label_age"].tolist() == ["30", "2.5"]
    from_csv = ManifestBenchmark(path=str(tmp_path / "set.csv")).load().faces
    pd.testing.assert_frame_equal(
        from_parquet.drop(columns="label_age"), from_csv.drop(columns="label_age")
    )


def test_every_bad_row_is_named(tmp_path):
    """One error lists blank, doubled, absolute and escaping entries with row, line and value."""
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "secret.jpg").write_bytes(b"x")
    os.symlink(tmp_path / "secret.jpg", root / "link.jpg")
    os.symlink(tmp_path, root / "outside")
    os.symlink("real.jpg", root / "inside.jpg")
    rows = [
        "image_id,path,subject_id",
        "1,good.jpg,p",
        "2,/etc/passwd,p",
        "3,../secret.jpg,p",
        "4,link.jpg,p",
        "5,outside/secret.jpg,p",
        "6,,p",
        "7,x.jpg,",
        "8,y.jpg,nan",
        '1,"z\n.jpg",p',
        "10,C:\\faces\\z.jpg,p",
        "11,inside.jpg,p",
    ]
    message = refusal(written(root, "\n".join(rows)))
    lines = message.splitlines()
    assert "9 problems" in lines[0]
    expected = [
        "row 2 (line 3), column path: '/etc/passwd' is absolute",
        "row 3 (line 4), column path: '../secret.jpg' leads out of the root",
        "row 4 (line 5), column path: 'link.jpg' leads out of the root",
        "row 5 (line 6), column path: 'outside/secret.jpg' leads out of the root",
        "row 6 (line 7), column path: blank",
        "row 7 (line 8), column subject_id: blank",
        "row 8 (line 9), column subject_id: blank",
        "row 9 (line 11), column image_id: '1' occurs already in row 1 (line 2)",
        "row 10 (line 12), column path: 'C:\\\\faces\\\\z.jpg' is absolute",
    ]
    for line, wanted in zip(lines[1:], expected, strict=True):
        assert wanted in line


def test_a_doubled_path_is_a_doubled_id(tmp_path):
    """Without image_id the path is the id, so it must be unique."""
    message = refusal(written(tmp_path, HEADER + "a.jpg,p,f,3\na.jpg,q,f,3\n,q,,\n,r,,\n"))
    assert "row 2 (line 3), column path: 'a.jpg' occurs already in row 1 (line 2)" in message
    assert "3 problems" in message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b" \n \n", "is empty"),
        (HEADER.encode(), "header but no rows"),
        (b"path,sex\na.jpg,f\n", "no column subject_id"),
        (b"file,sex\na.jpg,f\n", "no column path and no column subject_id"),
        (b"path,subject_id,path\na,b,c\n", "path occurs more than once"),
        (b"path,subject_id,\na,b,c\n", "column 3 has no name"),
        (b"path;subject_id\na;b\n", "separated by semicolons"),
        (b"path\tsubject_id\na\tb\n", "separated by tabs"),
        (HEADER.encode() + b"a.jpg,p,f\n", "line 2: 3 cells"),
        (HEADER.encode() + b"a.jpg,p,f,3\nb.jpg,p,latino,caucasian,3\n", "line 3: 5 cells"),
        (HEADER.encode() + "a.jpg,Müller,f,3\n".encode("latin-1"), "byte 0xfc on line 2"),
        ((HEADER + "a.jpg,p,f,3\n").encode("utf-16"), "UTF-16"),
        (HEADER.encode() + b'a.jpg,"p,f,3\n', "not a readable CSV"),
        (b"PAR1 and then nonsense", "not a readable Parquet"),
        (HEADER.encode() + b"a\0.jpg,p,f,3\n", "NUL"),
    ],
)
def test_odd_files_end_in_a_sentence(tmp_path, content, words):
    """Each names the file and says what is wrong with it."""
    path = written(tmp_path, content)
    message = refusal(path)
    assert words in message
    assert str(path) in message


def test_places_that_hold_no_file(tmp_path):
    """A folder, an absent file, and a root that is none."""
    assert "is a folder" in refusal(tmp_path)
    assert "does not exist" in refusal(tmp_path / "none.csv")
    path = written(tmp_path, HEADER + "a.jpg,p,f,3\n")
    assert "benchmark.root" in refusal(path, root=str(tmp_path / "none"))


def test_clashing_label_names(tmp_path):
    """sex and label_sex would become one column."""
    message = refusal(written(tmp_path, "path,subject_id,sex,label_sex\na.jpg,p,f,m\n"))
    assert "label_sex" in message
    assert "clash" in message


def test_a_byte_order_mark_is_no_part_of_the_header(tmp_path):
    """Spreadsheets write one; the first column is still called path."""
    path = written(tmp_path, b"\xef\xbb\xbf" + (HEADER + "a.jpg,p,f,3\r\n").encode())
    assert ManifestBenchmark(path=str(path)).load().faces["path"].tolist() == ["a.jpg"]


def test_root_and_name(tmp_path):
    """The root is the file's folder unless given; a file called manifest lends no name."""
    folder = tmp_path / "frontal"
    folder.mkdir()
    path = written(folder, HEADER + "a.jpg,p,f,3\n", "manifest.csv")
    loaded = ManifestBenchmark(path=str(path)).load()
    assert (loaded.root, loaded.name, loaded.synthetic) == (folder, "frontal", False)
    other = ManifestBenchmark(path=str(path), root=str(tmp_path), name="mine").load()
    assert (other.root, other.name) == (tmp_path, "mine")


def test_the_version_follows_the_content(tmp_path):
    """A changed label is another version; the same content again is the same."""
    first = ManifestBenchmark(path=str(written(tmp_path, HEADER + "a.jpg,p,f,3\n"))).load()
    again = ManifestBenchmark(path=str(written(tmp_path, HEADER + "a.jpg,p,f,3\n"))).load()
    other = ManifestBenchmark(path=str(written(tmp_path, HEADER + "a.jpg,p,m,3\n"))).load()
    assert first.version == again.version != other.version


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0\r"),
                max_size=8),
        min_size=1, max_size=6,
    )
)  # fmt: skip
def test_labels_come_back_letter_for_letter(tmp_path_factory, texts):
    """Any text that csv can write is read back as it was, or as missing where it is blank."""
    path = tmp_path_factory.mktemp("any") / "set.csv"
    with path.open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream)
        rows.writerow(["path", "subject_id", "note"])
        rows.writerows([[f"{n}.jpg", "p", text] for n, text in enumerate(texts)])
    notes = ManifestBenchmark(path=str(path)).load().faces["label_note"]
    for text, note in zip(texts, notes, strict=True):
        if not text.strip() or text.strip().lower() == "nan":
            assert note is None or np.isnan(note)
        else:
            assert note == text


@needs("frll")
def test_the_london_set_loads():
    """612 photographs of 102 people, identities with their leading zeros."""
    loaded = ManifestBenchmark(path=str(SHARED / "frll" / "manifest.csv")).load()
    assert len(loaded.faces) == 612
    assert loaded.faces["subject_id"].nunique() == 102
    assert loaded.faces["subject_id"].str.len().eq(3).all()
    assert loaded.name == "frll"


def test_persons_that_differ_only_in_outer_spaces(tmp_path):
    """``p`` and ``p `` would be two persons, and their mated comparison a non-mated one."""
    path = written(tmp_path, HEADER + "a.jpg,p,f,3\nb.jpg,p ,f,3\n")
    assert "'p '" in refusal(path)


def test_the_row_numbers_of_a_filtered_table_are_no_label(tmp_path):
    """pandas keeps them in Parquet as a column of its own naming."""
    frame = pd.DataFrame(
        {"path": ["a", "b", "c"], "subject_id": ["1", "2", "3"], "sex": list("fmf")}
    )
    frame[frame["path"] != "b"].to_parquet(tmp_path / "set.parquet")
    faces = ManifestBenchmark(path=str(tmp_path / "set.parquet")).load().faces
    assert [name for name in faces.columns if name.startswith("label_")] == ["label_sex"]


def test_one_label_column_without_brackets(tmp_path):
    """``label_columns=sex`` is one label, not the letters of its name."""
    path = written(tmp_path, HEADER + "a.jpg,p,f,3\n")
    faces = ManifestBenchmark(path=str(path), label_columns="sex").load().faces
    assert list(faces.columns[3:]) == ["label_sex", "age"]
