"""`frbench check`: what is wrong with a set is found, named and weighed; a clean set passes."""

from __future__ import annotations

import json
import os
import stat
import time
from pathlib import Path

import imagehash
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from frbench import cli
from frbench.errors import InputError
from frbench.groups import GroupSpec, assign_groups
from frbench.image_hashes import hash_images, hash_of
from frbench.near_duplicates import near_pairs, perceptual_hash
from frbench.set_composition import comparisons, smallest_fmr
from frbench.values import FaceSet
from frbench.workflows.check import _overlap


def picture(seed: int) -> Image.Image:
    """A smooth random picture, different for every seed."""
    small = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((96, 96), Image.Resampling.BICUBIC)


def build(folder: Path, *, persons: int = 44, images: int = 2) -> pd.DataFrame:
    """A clean set: two groups of persons with as many pictures each, and its manifest."""
    rows = []
    for person in range(persons):
        for image in range(images):
            path = f"p{person:02d}_{image}.png"
            picture(100 * person + image).save(folder / path)
            rows.append((path, f"p{person:02d}", "fm"[person % 2]))
    return pd.DataFrame(rows, columns=["path", "subject_id", "sex"])


@pytest.fixture
def check(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    """Runs the verb on a manifest: its exit status, check.json and what it printed."""
    monkeypatch.setenv("FRBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)

    def run(rows: pd.DataFrame, *more: str) -> tuple[int, dict, str]:
        rows.to_csv(tmp_path / "faces.csv", index=False)
        return run_on(tmp_path / "faces.csv", *more)

    def run_on(path: Path, *more: str, benchmark: str = "manifest") -> tuple[int, dict, str]:
        place = tmp_path / "out" / "check.json"
        place.unlink(missing_ok=True)
        words = ["check", f"benchmark={benchmark}", f"benchmark.path={path}"]
        status = cli.run([*words, f"output={tmp_path / 'out'}", *more])
        told = capfd.readouterr()
        record = json.loads(place.read_text()) if place.is_file() else {}
        return status, record, told.out + told.err

    run.on = run_on
    return run


def codes_of(record: dict) -> dict[str, str]:
    """Finding -> level."""
    return {each["code"]: each["level"] for each in record["findings"]}


def test_a_clean_set_passes_and_a_spoilt_one_does_not(tmp_path: Path, check) -> None:
    """No finding and status 0; then every fault at once, each under its own name, and status 1."""
    rows = build(tmp_path)
    status, record, words = check(rows)
    assert (status, record["findings"]) == (0, []), words
    assert record["groups"][0] == {
        "group": "f",
        "images": 44,
        "persons": 22,
        "persons_with_one_image": 0,
        "unusable": 0,
        "mated": 22,
        "non_mated": 44 * 43 // 2 - 22,
        "smallest_fmr": pytest.approx(3 / 11),
    }
    assert stat.S_IMODE((tmp_path / "out" / "check.json").stat().st_mode) == 0o600
    # hashes of files that changed within the last seconds are not kept, so a cache is not certain
    assert {p.name for p in tmp_path.iterdir() if p.is_dir()} - {"cache"} == {"out"}

    (tmp_path / "p01_0.png").write_bytes((tmp_path / "p00_0.png").read_bytes())
    (tmp_path / "p02_1.png").write_bytes((tmp_path / "p02_0.png").read_bytes())
    picture(300).save(tmp_path / "p05_0.jpg", quality=92)
    rows.loc[rows["path"] == "p05_0.png", "path"] = "p05_0.jpg"
    (tmp_path / "p06_0.png").write_bytes((tmp_path / "p06_0.png").read_bytes()[:200])
    (tmp_path / "p07_0.png").unlink()
    rows.loc[rows["path"] == "p08_0.png", "sex"] = "m"
    rows.loc[rows["subject_id"] == "p09", "sex"] = None
    rows = rows[rows["path"] != "p10_0.png"]
    status, record, words = check(rows)
    assert status == 1
    assert codes_of(record) == {
        "same_file_two_persons": "flag",
        "unusable_image": "flag",
        "contradicting_label.sex": "flag",
        "same_file_one_person": "watch",
        "alike_two_persons": "watch",
        "missing_label.sex": "note",
        "one_image": "note",
    }
    cases = record["cases"]
    assert cases["same_file_two_persons"] == ["p00_0.png of p00; p01_0.png of p01"]
    assert cases["alike_two_persons"] == ["p03_0.png of p03; p05_0.jpg of p05"]
    assert cases["contradicting_label.sex"] == ["p08"]
    assert [case.split(":")[0] for case in cases["unusable_image"]] == ["p06_0.png", "p07_0.png"]
    assert "p00_0.png of p00; p01_0.png of p01" in words


def test_a_person_in_two_groups_is_one_person(tmp_path: Path, check) -> None:
    """With a label missing on one of two images a person still has two images."""
    rows = build(tmp_path, persons=6)
    rows.loc[[1, 3], "sex"] = None
    rows = pd.concat([rows, rows.iloc[[0]].assign(path="x.png", subject_id="p99")])
    picture(7).save(tmp_path / "x.png")
    _, record, _ = check(rows, "groups.by=[sex]")
    (told,) = [f["statement"] for f in record["findings"] if f["code"] == "one_image"]
    assert told.startswith("1 of 7 persons (14.3 %) have one image")


def test_settings_and_paths_that_lead_nowhere_end_with_status_2(tmp_path: Path, check) -> None:
    """One sentence, no file written."""
    rows = build(tmp_path, persons=4)
    status, record, words = check(rows, "check.distance=16")
    assert (status, record) == (2, {})
    assert "distance=16 is out of range" in words
    status, _, words = check(rows, "groups.by=[ethnicity]")
    assert status == 2
    assert "no such label" in words
    assert check(rows, "gate=none")[0] == 0


def test_a_gate_of_watch_stops_small_groups_and_stored_vectors_are_looked_up(
    tmp_path: Path, check
) -> None:
    """Few persons are a watch; with matcher=embeddings the vectors must be there, images not."""
    rows = build(tmp_path, persons=4)
    status, record, _ = check(rows, "gate=watch", "comparison=same_sex")
    assert status == 1
    assert codes_of(record) == {"few_persons": "watch", "no_cross_group": "watch"}
    np.savez(tmp_path / "v.npz", vectors=np.eye(8), image_id=rows["path"].to_numpy(str))
    for image in tmp_path.glob("*.png"):
        image.unlink()
    more = ("matcher=embeddings", f"matcher.path={tmp_path / 'v.npz'}")
    assert check(rows, *more)[0] == 0
    np.savez(tmp_path / "v.npz", vectors=np.eye(7), image_id=rows["path"].to_numpy(str)[1:])
    status, _, words = check(rows, *more)
    assert status == 2
    assert "1 of 8 images of the set have no vector" in words


def test_a_score_list_is_counted_as_listed(tmp_path: Path, check) -> None:
    """No image is opened; groups that the list never compares are named."""
    rows = pd.DataFrame(
        {
            "probe_id": ["a1", "a1", "b1"],
            "reference_id": ["a2", "c1", "b2"],
            "probe_subject": ["a", "a", "b"],
            "reference_subject": ["a", "c", "b"],
            "score": [1, 0, 1],
            "probe_sex": ["f", "f", "m"],
            "reference_sex": ["f", "f", "m"],
        }
    )
    rows.to_csv(tmp_path / "scores.csv", index=False)
    status, record, _ = check.on(tmp_path / "scores.csv", benchmark="scores")
    assert status == 0
    assert codes_of(record)["no_cross_group"] == "watch"
    assert codes_of(record)["no_non_mated"] == "watch"
    assert [row["mated"] for row in record["groups"]] == [1, 1]
    assert [row["non_mated"] for row in record["groups"]] == [1, 0]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.integers(0, 2**64 - 1), min_size=0, max_size=12),
    st.lists(st.tuples(st.integers(0, 11), st.lists(st.integers(0, 63), max_size=7)), max_size=12),
    st.integers(0, 6),
)
def test_near_pairs_are_those_of_a_double_loop(bases, changes, distance) -> None:
    """Random codes and neighbours a few bits away, against counting every pair's bits."""
    codes = list(bases)
    for base, bits in changes:
        if bases:
            codes.append(bases[base % len(bases)] ^ sum({1 << bit for bit in bits}))
    found, more = near_pairs(np.array(codes, dtype=np.uint64), distance)
    wanted = [
        [i, j]
        for i in range(len(codes))
        for j in range(i + 1, len(codes))
        if (codes[i] ^ codes[j]).bit_count() <= distance
    ]
    assert found.tolist() == wanted
    assert not more


def test_a_flood_of_pairs_is_cut_and_said() -> None:
    """A thousand equal codes make half a million pairs; the limit holds and is reported."""
    pairs, more = near_pairs(np.zeros(1000, dtype=np.uint64), 3, most=50)
    assert len(pairs) <= 50
    assert more
    with pytest.raises(InputError, match="out of range"):
        near_pairs(np.zeros(2, dtype=np.uint64), 16)


def test_perceptual_hashes_are_imagehash_s() -> None:
    """The number has the bits of the library's own text; a copy saved anew stays near."""
    image = picture(1)
    coarse, fine = perceptual_hash(np.asarray(image))
    assert f"{coarse:016x}" == str(imagehash.phash(image))
    assert f"{fine:064x}" == str(imagehash.phash(image, hash_size=16))


def test_kept_hashes_follow_every_change_of_a_file(tmp_path: Path) -> None:
    """A settled file is read once; one rewritten with the same size and date is read anew."""
    path, cache = tmp_path / "a.png", tmp_path / "cache"
    old = time.time() - 100
    raw = np.zeros((8, 8, 3), dtype=np.uint8)
    Image.fromarray(raw).save(path, compress_level=0)
    first = hash_images([path], cache=cache)
    assert not (cache / "hashes").exists()  # too fresh to be kept
    time.sleep(2.1)
    assert hash_images([path], cache=cache) == first
    kept = next((cache / "hashes").glob("*.json"))
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
    before = kept.read_text()
    Image.fromarray(raw + 9).save(path, compress_level=0)
    os.utime(path, (old, old))
    second = hash_images([path], cache=cache)
    assert second == [hash_of(path)]
    assert second != first
    assert kept.read_text() == before


@settings(deadline=None, max_examples=12)
@given(seed=st.integers(0, 2**32 - 1))
def test_comparisons_per_cell_are_those_of_a_double_loop(seed: int) -> None:
    """With persons in several groups, unlabelled images and a policy, against counting pairs."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(2, 12))
    table = pd.DataFrame(
        {
            "image_id": [str(n) for n in range(count)],
            "subject_id": rng.integers(0, 5, count).astype(str),
            "path": "",
            "label_sex": pd.Series(rng.choice(["f", "m"], count), dtype="str"),
            "label_tone": pd.Series(rng.choice(["1", "2"], count), dtype="str"),
        }
    )
    table.loc[rng.random(count) < 0.2, "label_sex"] = None
    faces = FaceSet("any", "1", Path(), table)
    faces = assign_groups(faces, GroupSpec(by=("sex",), on_conflict="keep"))
    mated, non_mated = comparisons(faces, ("tone",))
    rows = faces.faces
    code = rows["group"].cat.codes.to_numpy()
    wanted = np.zeros((2, *mated.shape), dtype=np.int64)
    for i in range(count):
        for j in range(i + 1, count):
            same = rows["subject_id"].iloc[i] == rows["subject_id"].iloc[j]
            if not same and rows["label_tone"].iloc[i] != rows["label_tone"].iloc[j]:
                continue
            for a, b in {(code[i], code[j]), (code[j], code[i])}:
                wanted[int(not same), a, b] += 1
    np.testing.assert_array_equal(mated, wanted[0])
    np.testing.assert_array_equal(non_mated, wanted[1])


def test_the_smallest_rate_is_the_rule_of_three_on_pairs_of_persons() -> None:
    """600 persons are 300 pairs that share nobody, and no error among 300 leaves 1 %."""
    assert smallest_fmr(600) == 0.01
    assert smallest_fmr(2) == 1.0
    assert np.isnan(smallest_fmr(1))


def test_people_that_the_matcher_was_trained_on_are_a_finding() -> None:
    """Weights from VGGFace2 on a set drawn from it; none without a matcher."""
    table = pd.DataFrame({"image_id": ["a"], "subject_id": ["a"], "path": ["a"]})
    faces = FaceSet("any", "1", Path(), table, sources=("vggface2",))
    trained = type("Trained", (), {"training_data": ("vggface2",)})()
    assert [each.code for each in _overlap(faces, trained)] == ["training_overlap"]
    assert _overlap(faces, None) == []
