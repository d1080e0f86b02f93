"""Score files of every format: written, read back and counted the same, or refused."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frbench.benchmarks.scores import ScoreBenchmark
from frbench.errors import InputError
from frbench.groups import GroupSpec, assign_groups
from frbench.score_formats.bee import Matrix, read_matrix, write_matrix
from frbench.score_formats.choosing import choose_format, formats
from frbench.table_files import read_strings

SUFFIX = {"bee": ".mtx", "bob_4": ".txt", "bob_5": ".txt", "nist_match": ".log"}


def comparisons(rng: np.random.Generator, *, one_model: bool = False) -> pd.DataFrame:
    """A random list: persons with labels, some comparisons missing, some failed, ties."""
    persons = int(rng.integers(2, 6))
    sex = rng.choice(["f", "m"], persons)
    ethnicity = rng.choice(["black", "white", "asian"], persons)
    sides = {}
    for side, most in (("probe", 3), ("reference", 1 if one_model else 3)):
        who = np.repeat(np.arange(persons), rng.integers(1, most + 1, persons))
        ids = [f"{side[0]}{n}.jpg" for n in range(len(who))]
        sides[side] = pd.DataFrame(
            {
                f"{side}_id": ids,
                f"{side}_subject": [f"{p:03d}" for p in who],
                f"{side}_sex": sex[who],
                f"{side}_ethnicity": ethnicity[who],
            }
        )
    rows = sides["probe"].merge(sides["reference"], how="cross")
    rows["score"] = rng.integers(-4, 5, len(rows)) / 8
    rows.loc[rng.random(len(rows)) < 0.1, "score"] = np.nan
    kept = rng.random(len(rows)) < 0.9
    kept[0] = True
    return rows[kept].reset_index(drop=True)


def counts(door: ScoreBenchmark) -> list[tuple[object, ...]]:
    """What rates are made of: per cell of both groups, mated or not, the multiset of scores."""
    faces = assign_groups(door.load(), GroupSpec(by=("sex", "ethnicity")))
    tally = door.tally(faces)
    assert tally.listed is not None
    groups = np.asarray(faces.faces["group"].astype(str))
    same = tally.subject[tally.listed.first] == tally.subject[tally.listed.second]
    score = np.where(np.isnan(tally.listed.score), 99.0, tally.listed.score)
    return sorted(
        zip(
            groups[tally.listed.first],
            groups[tally.listed.second],
            same.tolist(),
            score.tolist(),
            strict=True,
        )
    )


def manifest_of(rows: pd.DataFrame, path: Path) -> Path:
    """Who is on each template, as ``benchmark.labels`` takes it."""
    sides = [
        rows[[f"{side}_{name}" for name in ("id", "subject", "sex", "ethnicity")]].set_axis(
            ["image_id", "subject_id", "sex", "ethnicity"], axis=1
        )
        for side in ("probe", "reference")
    ]
    pd.concat(sides).drop_duplicates().to_csv(path, index=False)
    return path


@settings(deadline=None, max_examples=6)
@given(seed=st.integers(0, 2**32 - 1))
@pytest.mark.parametrize("name", [*formats(), "table.parquet"])
def test_what_is_written_is_read_back_to_the_same_counts(
    name: str, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """For every format: write, read, and the scores of every cell are the same."""
    folder = tmp_path_factory.mktemp("round")
    name, _, ending = name.partition(".")
    rows = comparisons(np.random.default_rng(seed), one_model=name == "bob_4")
    original = folder / "original.csv"
    formats()["table"].write(rows, original)
    path = folder / f"scores{'.' + ending if ending else SUFFIX.get(name, '.csv')}"
    formats()[name].write(rows, path)
    more: dict[str, object] = {}
    if name in ("bob_4", "bob_5", "nist_match"):
        more["labels"] = manifest_of(rows, folder / "manifest.csv")
    if name == "bee":
        more["mask"] = folder / "scores.mask.mtx"
    told = name if name in ("bob_4", "bob_5") else "auto"
    assert counts(ScoreBenchmark(path=path, format=told, **more)) == counts(  # type: ignore[arg-type]
        ScoreBenchmark(path=original)
    )


def test_each_file_is_recognised_by_what_can_be_nothing_else(tmp_path: Path) -> None:
    """Headers tell; lines without one never do, and the record says how it was told."""
    rows = comparisons(np.random.default_rng(1), one_model=True)
    for name, each in formats().items():
        path = tmp_path / f"{name}.file"
        each.write(rows, path)
        if name in ("bob_4", "bob_5"):
            with pytest.raises(InputError, match="name it with benchmark"):
                choose_format("auto", path)
            continue
        chosen, how = choose_format("auto", path)
        assert chosen.name == name
        assert how in ("recognised by its header", "a table")
    about = ScoreBenchmark(path=tmp_path / "bob_csv.file").load().about
    assert about["format"] == "bob_csv, recognised by its header"


def test_bob_csv_as_bob_writes_it(tmp_path: Path) -> None:
    """A hand-written file with bob's columns: metadata of both sides are labels."""
    path = tmp_path / "scores-dev.csv"
    path.write_text(
        "probe_subject_id,probe_template_id,probe_gender,probe_session,bio_ref_subject_id,"
        "bio_ref_template_id,bio_ref_gender,score\n"
        "7,7/a,f,1,7,7/ref,f,0.75\n7,7/a,f,1,9,9/ref,m,-0.5\n9,9/b,m,2,9,9/ref,m,nan\n"
    )
    door = ScoreBenchmark(path=path)
    tally = door.tally(assign_groups(door.load(), GroupSpec(by=("gender",))))
    assert tally.groups == ("f", "m")
    assert tally.mated.score.tolist() == [0.75]
    assert tally.tail.score.tolist() == [-0.5]


def test_four_columns_take_labels_of_persons(tmp_path: Path) -> None:
    """Clients have models without a file of their own; a manifest of persons labels them too."""
    path = tmp_path / "scores-dev"
    path.write_text("7 7 probe_1 0.9\n7 9 probe_2 0.1\n\n9 9 probe_2 0.8\n")
    labels = tmp_path / "people.csv"
    labels.write_text("subject_id,sex\n7,f\n9,m\n")
    door = ScoreBenchmark(path=path, format="bob_4", labels=labels)
    faces = door.load().faces.set_index("image_id")
    assert faces.loc["model of 7", "label_sex"] == "f"
    assert faces.loc["probe_2", "subject_id"] == "9"
    assert "per person" in door.load().about["labels"]


def test_bfw_table_with_several_matchers(tmp_path: Path) -> None:
    """The column is chosen, never guessed; persons of two groups that share an id are two."""
    path = tmp_path / "bfw-v0.1.5-datatable.csv"
    path.write_text(
        "fold,p1,p2,label,id1,id2,att1,att2,vgg16,resnet50,g1,g2,e1,e2\n"
        "1,a/1_1.jpg,a/1_2.jpg,1,1,1,asian_females,asian_females,0.8,0.9,F,F,A,A\n"
        "1,a/1_1.jpg,w/1_1.jpg,0,1,1,asian_females,white_males,0.2,0.1,F,M,A,W\n"
    )
    with pytest.raises(InputError, match="one of: vgg16, resnet50"):
        ScoreBenchmark(path=path).load()
    door = ScoreBenchmark(path=path, column="resnet50")
    tally = door.tally(assign_groups(door.load(), GroupSpec(by=("subgroup",))))
    assert tally.mated.score.tolist() == [0.9]
    assert tally.tail.score.tolist() == [0.1]
    path.write_text(path.read_text().replace("a/1_2.jpg,1,", "a/1_2.jpg,0,"))
    with pytest.raises(InputError, match="row 1: label '0', persons asian_females/1 and"):
        ScoreBenchmark(path=path, column="resnet50").load()


def test_bfw_table_without_the_bad_images(tmp_path: Path) -> None:
    """Every comparison with one of the three images is left out and counted, or kept on demand."""
    path = tmp_path / "bfw.csv"
    person = "asian_females/n002509"
    path.write_text(
        "p1,p2,label,id1,id2,att1,att2,facenet\n"
        f"{person}/0139_03.jpg,{person}/0001_01.jpg,1,1,1,asian_females,asian_females,0.1\n"
        f"{person}/0001_01.jpg,{person}/0002_01.jpg,1,1,1,asian_females,asian_females,0.9\n"
        f"{person}/0001_01.jpg,Users/white_females/n003391/0017_02.jpg,0,1,2,asian_females,"
        "white_females,0.2\n"
        f"{person}/0001_01.jpg,white_females/n003391/0018_02.jpg,0,1,2,asian_females,"
        "white_females,0.3\n"
    )
    door = ScoreBenchmark(path=path)
    faces = door.load()
    assert faces.about["errata"].startswith("2 comparisons with 2 images")
    assert not faces.faces["image_id"].str.contains("0139_03|0017_02").any()
    tally = door.tally(assign_groups(faces, GroupSpec(by=("subgroup",))))
    assert (tally.mated.score.tolist(), tally.tail.score.tolist()) == ([0.9], [0.3])
    kept = ScoreBenchmark(path=path, errata="keep")
    assert len(kept.load().faces) == 5
    assert "are kept" in kept.load().about["errata"]
    assert kept.matcher_record()["fingerprint"] != door.matcher_record()["fingerprint"]
    own = tmp_path / "own.csv"
    own.write_text("probe_id,reference_id,probe_subject,reference_subject,score\na,b,A,B,0.5\n")
    with pytest.raises(InputError, match="errata=keep speaks of BFW"):
        ScoreBenchmark(path=own, errata="keep").load()


def test_nist_log_with_failures(tmp_path: Path) -> None:
    """A return code other than 0 is a failed comparison, whatever the score beside it."""
    path = tmp_path / "match.log"
    path.write_text(
        "enrollTempl verifTempl simScore returnCode\n"
        "e1.template v1.template 0.7 0\ne1.template v2.template -1 2\n"
    )
    labels = tmp_path / "manifest.csv"
    labels.write_text("image_id,subject_id,sex\ne1,A,f\nv1,A,f\nv2,B,m\n")
    with pytest.raises(InputError, match="does not say who is on the images"):
        ScoreBenchmark(path=path).load()
    door = ScoreBenchmark(path=path, labels=labels)
    tally = door.tally(assign_groups(door.load(), GroupSpec(by=("sex",))))
    assert tally.listed is not None
    assert np.isnan(tally.listed.score).sum() == 1
    assert tally.mated.score.tolist() == [0.7]
    assert tally.ordered


def bee_folder(folder: Path, *, order: str = "<") -> Path:
    """A 2 x 2 matrix made byte by byte, in either byte order, with its lists."""
    for name, people in (("q", "AB"), ("t", "AB")):
        signatures = "".join(
            f'<biometric-signature name="{p}"><presentation file-name="{name}{p}.jpg" '
            f'modality="face" sex="{"f" if p == "A" else "m"}"/></biometric-signature>'
            for p in people
        )
        (folder / f"{name}.xml").write_text(
            f"<biometric-signature-set>{signatures}</biometric-signature-set>"
        )
    head = b"S2\nt.xml\nq.xml\nMF 2 2 " + struct.pack(f"{order}i", 0x12345678) + b"\n"
    path = folder / "scores.mtx"
    path.write_bytes(head + struct.pack(f"{order}4f", 0.5, 0.25, -0.5, float("nan")))
    return path


@pytest.mark.parametrize("order", ["<", ">"])
def test_bee_matrix_of_either_byte_order(tmp_path: Path, order: str) -> None:
    """Rows are queries, columns targets; the mark in the header tells the byte order."""
    door = ScoreBenchmark(path=bee_folder(tmp_path, order=order))
    tally = door.tally(assign_groups(door.load(), GroupSpec(by=("sex",))))
    assert tally.mated.score.tolist() == [0.5]
    assert sorted(tally.tail.score.tolist()) == [-0.5, 0.25]
    assert tally.listed is not None
    assert len(tally.listed) == 4


def test_bee_mask_that_leaves_out_and_contradicts(tmp_path: Path) -> None:
    """0 leaves a cell out; a cell that contradicts the lists is named by row and column."""
    path = bee_folder(tmp_path)
    mask = tmp_path / "mask.mtx"
    cells = np.array([[0xFF, 0x00], [0x7F, 0xFF]], dtype=np.uint8)
    write_matrix(Matrix(cells, "similarity", "t.xml", "q.xml"), mask)
    door = ScoreBenchmark(path=path, mask=mask)
    tally = door.tally(assign_groups(door.load(), GroupSpec(by=("sex",))))
    assert tally.tail.score.tolist() == [-0.5]
    write_matrix(Matrix(cells[::-1].copy(), "similarity", "t.xml", "q.xml"), mask)
    with pytest.raises(InputError, match="row 1, column 1: 0x7f, persons A and A"):
        ScoreBenchmark(path=path, mask=mask).load()


def test_bee_matrices_that_are_damaged(tmp_path: Path) -> None:
    """Cut short, too long, a wrong mark, a wrong kind, a list that does not fit, an entity bomb."""
    path = bee_folder(tmp_path)
    whole = path.read_bytes()

    def refusal(data: bytes) -> str:
        path.write_bytes(data)
        with pytest.raises(InputError) as caught:
            ScoreBenchmark(path=path).load()
        return str(caught.value)

    assert "42 bytes, but 2 x 2 cells of 4 end at byte 43" in refusal(whole[:-1])
    assert "end at byte 43" in refusal(whole + b"\0")
    assert "bytes 22 to 26 are" in refusal(whole.replace(b"\x78\x56\x34\x12", b"\x01\x02\x03\x04"))
    assert "set benchmark.kind=distance" in refusal(b"D" + whole[1:])
    assert "line 4 is" in refusal(whole.replace(b"MF 2 2", b"MX 2 2"))
    assert "4 rows, but" in refusal(whole.replace(b"MF 2 2", b"MF 4 1"))
    (tmp_path / "q.xml").write_text('<!DOCTYPE x [<!ENTITY a "b">]><biometric-signature-set/>')
    assert "must not define entities" in refusal(whole)
    (tmp_path / "q.xml").write_text("<biometric-signature-set>")
    assert "line 1, column" in refusal(whole)
    (tmp_path / "q.xml").unlink()
    assert "cannot be read" in refusal(whole)


def test_a_matrix_that_openbr_could_have_written(tmp_path: Path) -> None:
    """The largest negative float32 is OpenBR's mark of a failed template."""
    path = bee_folder(tmp_path)
    data = path.read_bytes()
    path.write_bytes(data[:-4] + struct.pack("<f", -np.finfo(np.float32).max))
    door = ScoreBenchmark(path=path)
    tally = door.tally(assign_groups(door.load(), GroupSpec(by=("sex",))))
    assert len(tally.mated) == 1
    assert read_matrix(path).cells.shape == (2, 2)


@pytest.mark.parametrize(
    ("text", "format", "words"),
    [
        ("7 7 p1 0.9\n7 9 p2\n", "bob_4", "line 2: '7 9 p2'"),
        ("7 7 p1 0.9\n7 9 p2 0.1 0.2\n", "bob_4", "line 2: '7 9 p2 0.1 0.2'"),
        ("7 7 p1\n", "bob_4", "first line has 3 words, but a line needs 4"),
        ("7 7 p1 0.9\n7 9 p2 high\n", "bob_4", "row 2, score: 'high'"),
        ("7 7 p1 0.9\n", "bob_5", "first line has 4 words, but a line needs 5"),
        ("7 7 p\xe91 0.9\n", "bob_4", "byte 5 \\(0xe9\\) is not UTF-8"),
        ("e v 0.5 0\n", "nist_match", "first line is not"),
        ("enrollTempl verifTempl simScore returnCode\ne v 0.5 x\n", "nist_match", "line 2: 'x'"),
        ("p1,p2,id1,id2\n", "bfw", "column label is missing"),
        ("probe_subject_id,score\n1,2\n", "bob_csv", "bio_ref_template_id, bio_ref_subject_id"),
        ("a,b\n", "xml", "format=xml is unknown"),
    ],
)
def test_malformed_files_end_in_a_sentence(
    tmp_path: Path, text: str, format: str, words: str
) -> None:
    """Which row, line or byte is wrong."""
    path = tmp_path / "scores.txt"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=words):
        ScoreBenchmark(path=path, format=format).load()


def test_pickles_and_idle_settings_are_refused(tmp_path: Path) -> None:
    """A pickle is never opened, and a setting that changes nothing is not passed over."""
    path = tmp_path / "bfw-v0.1.5-datatable.pkl"
    pd.DataFrame({"p1": ["a"]}).to_pickle(path, protocol=4)
    with pytest.raises(InputError, match="this is a pickle"):
        ScoreBenchmark(path=path).load()
    rows = comparisons(np.random.default_rng(2))
    formats()["table"].write(rows, tmp_path / "s.csv")
    with pytest.raises(InputError, match=r"benchmark.column has no meaning for .*table"):
        ScoreBenchmark(path=tmp_path / "s.csv", column="x").load()


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        ("image_id,subject_id,sex\np,7,f\n", "reference templates"),
        ("image_id,subject_id,sex\np,8,f\nr,7,f\n", "row 1, p: 7, but the manifest says 8"),
        ("image_id,subject_id,sex\np,7,f\np,7,f\nr,7,f\n", "'p' occurs already"),
        ("image_id,subject_id,sex\np,7,f\n,7,f\nr,7,f\n", "column image_id: blank"),
        ("subject_id,sex\n8,f\n", "1 persons of .* are not in it"),
        ("name,sex\np,f\n", "none of the columns"),
    ],
)
def test_a_manifest_that_does_not_fit(tmp_path: Path, manifest: str, words: str) -> None:
    """Unknown templates and persons, contradictions, and keys that occur twice are listed."""
    path = tmp_path / "scores.txt"
    path.write_text("7 r2 7 p 0.5\n" if "r,7" not in manifest else "7 r 7 p 0.5\n")
    if words == "reference templates":
        path.write_text("9 r 7 p 0.5\n")
    labels = tmp_path / "manifest.csv"
    labels.write_text(manifest)
    with pytest.raises(InputError, match=words):
        ScoreBenchmark(path=path, format="bob_5", labels=labels).load()


def test_writers_refuse_what_a_format_cannot_hold(tmp_path: Path) -> None:
    """Two references a person in four columns, spaces in ids, scores that float32 merges."""
    rows = comparisons(np.random.default_rng(5))
    rows["reference_subject"] = "one"
    with pytest.raises(InputError, match="write format=bob_5"):
        formats()["bob_4"].write(rows, tmp_path / "x")
    spaced = rows.assign(probe_id="a b")
    with pytest.raises(InputError, match="separated by spaces"):
        formats()["bob_5"].write(spaced, tmp_path / "x")
    close = rows.head(2).assign(score=[0.1, 0.1 + 1e-12])
    with pytest.raises(InputError, match="same number in float32"):
        formats()["bee"].write(close, tmp_path / "x.mtx")


def test_the_fingerprint_follows_the_manifest(tmp_path: Path) -> None:
    """Other labels for the same scores are another input."""
    path = tmp_path / "scores.txt"
    path.write_text("7 7 p1 0.9\n7 9 p2 0.1\n")
    labels = tmp_path / "people.csv"
    prints = set()
    for sexes in ("fm", "ff"):
        labels.write_text(f"subject_id,sex\n7,{sexes[0]}\n9,{sexes[1]}\n")
        door = ScoreBenchmark(path=path, format="bob_4", labels=labels)
        prints.add(door.matcher_record()["fingerprint"])
    assert len(prints) == 2
    assert len(read_strings(labels, what="x").frame) == 2
