"""Protocols that list their comparisons: scored one by one, counted as they stand."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frbench.cli import run
from frbench.comparison import ComparisonSpec
from frbench.errors import InputError
from frbench.fold_accuracy import best_threshold, fold_accuracy
from frbench.intervals.wilson import Wilson
from frbench.listed_pairs import compare_listed
from frbench.rates import error_rates
from frbench.thresholds import choose_thresholds
from frbench.values import EmbeddingSet, FaceSet
from tiny_sets import pictures, text


def world(seed: int, *, pairs: int = 80) -> tuple[EmbeddingSet, FaceSet]:
    """Twelve people with three images, two groups, some failed, and a random list of pairs."""
    rng = np.random.default_rng(seed)
    person = np.repeat(np.arange(12), 3)
    vectors = rng.normal(size=(36, 6)) + 2 * rng.normal(size=(12, 6))[person]
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    enrolled = rng.random(36) > 0.1
    vectors[~enrolled] = 0
    ids = np.array([f"i{n:02d}" for n in range(36)])
    table = pd.DataFrame(
        {
            "image_id": ids,
            "subject_id": [f"p{n}" for n in person],
            "path": ids,
            "group": pd.Categorical(np.where(person % 2 == 0, "a", "b"), categories=["a", "b"]),
        }
    )
    ends = rng.integers(0, 36, (2, pairs))
    listed = pd.DataFrame(
        {"probe_id": ids[ends[0]], "reference_id": ids[ends[1]], "fold": np.arange(pairs) % 4 + 1}
    )
    failure = np.where(enrolled, "", "no face")
    faces = FaceSet("w", "1", Path(), table, pairs=listed)
    return EmbeddingSet(vectors, enrolled, failure, ids, "m", "f"), faces


def loops(vectors, faces, threshold):
    """Errors and comparisons by kind and cell, by a loop over the list in float64."""
    row = {name: n for n, name in enumerate(faces.faces["image_id"])}
    counts: dict[tuple[str, str, str], list[int]] = {}
    for pair in faces.pairs.itertuples():
        i, j = row[pair.probe_id], row[pair.reference_id]
        if i == j:
            continue
        person, group = faces.faces["subject_id"], faces.faces["group"]
        mated = person[i] == person[j]
        done = vectors.enrolled[i] and vectors.enrolled[j]
        match = done and float(vectors.vectors[i].astype(float) @ vectors.vectors[j]) >= threshold
        cell = tuple(sorted((group[i], group[j])))
        for where in (cell, ("all", "all")):
            count = counts.setdefault(("FNMR" if mated else "FMR", *where), [0, 0])
            count[0] += int(not match if mated else match)
            count[1] += 1
    return counts


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000), st.sampled_from([-0.2, 0.1, 0.4]))
def test_counts_are_those_of_a_loop(seed, threshold):
    """Every cell of FMR and FNMR, errors and comparisons, against a loop over the list."""
    vectors, faces = world(seed)
    tally = compare_listed(vectors, faces, ComparisonSpec())
    points = choose_thresholds(tally, [], fixed=[threshold], chosen_on="f")
    rates = error_rates(
        tally, points, Wilson(), matcher="m", benchmark="w", rng=np.random.default_rng(0)
    )
    wanted = loops(vectors, faces, threshold)
    seen = {}
    for row in rates[rates["kind"] != "FTE"].itertuples():
        key = (row.kind, *sorted((row.probe_group, row.reference_group)))
        if row.comparisons:
            seen[key] = [row.errors, row.comparisons]
    assert seen == wanted


def test_persons_left_out_take_their_pairs_along():
    """A list may name images that the grouping dropped; they are counted, not compared."""
    vectors, faces = world(3)
    kept = faces.faces["subject_id"] != "p0"
    table = faces.faces[kept].reset_index(drop=True)
    part = EmbeddingSet(
        vectors.vectors[kept], vectors.enrolled[kept], vectors.failure[kept],
        vectors.image_id[kept], "m", "f",
    )  # fmt: skip
    less = FaceSet("w", "1", Path(), table, pairs=faces.pairs)
    tally = compare_listed(part, less, ComparisonSpec())
    inside = faces.pairs["probe_id"].isin(table["image_id"])
    inside &= faces.pairs["reference_id"].isin(table["image_id"])
    inside &= faces.pairs["probe_id"] != faces.pairs["reference_id"]
    assert tally.work["comparisons"] == int(inside.sum())
    assert tally.work["left_out"] == int((~inside).sum())


def test_what_a_list_leaves_no_choice_in():
    """An impostor policy beside a list, and a list of which nothing is left, are refused."""
    vectors, faces = world(1)
    with pytest.raises(InputError, match=r"comparison\.same"):
        compare_listed(vectors, faces, ComparisonSpec(same=("sex",)))
    empty = FaceSet("w", "1", Path(), faces.faces, pairs=faces.pairs.iloc[:0])
    with pytest.raises(InputError, match="no pair"):
        compare_listed(vectors, empty, ComparisonSpec())


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=1, max_size=20),
)
def test_the_best_threshold_is_the_best_of_all(rows):
    """Against every threshold that decides differently, ties included."""
    score = np.array([float(value) for value, _ in rows])
    mated = np.array([truth for _, truth in rows])
    tried = [np.mean((score >= each) == mated) for each in (*score, *(score + 0.5), np.inf)]
    found = best_threshold(score, mated)
    assert np.mean((score >= found) == mated) == pytest.approx(max(tried))


def test_fold_accuracy_by_hand():
    """Two folds: the threshold of one decides the other, and a failure is never mated."""
    score = np.array([0.9, 0.2, 0.8, np.nan])
    mated = np.array([True, False, True, False])
    fold = np.array([1, 1, 2, 2])
    found = fold_accuracy(score, mated, fold)
    assert found.by_fold == (1.0, 1.0)
    assert found.thresholds == (0.8, pytest.approx(0.55))
    wrong = fold_accuracy(np.array([0.9, 0.2, np.nan, 0.1]), mated, fold)
    assert wrong.by_fold == (0.5, 0.5)
    assert (wrong.mean, wrong.deviation) == (0.5, 0.0)
    assert fold_accuracy(score, mated, np.ones(4, int)) is None
    assert fold_accuracy(score, np.ones(4, bool), fold) is None


def test_official_pairs_through_evaluate(tmp_path, monkeypatch):
    """The run counts the listed pairs and no others, and records accuracy as an extra."""
    root = tmp_path / "lfw"
    people = [f"P_{letter}" for letter in "ABCDEFGH"]
    pictures(root, *(f"{each}/{each}_000{n}.jpg" for each in people for n in (1, 2)))
    folds = ""
    for first in (0, 4):
        four = people[first : first + 4]
        folds += "".join(f"{each}\t1\t2\n" for each in four)
        folds += "".join(f"{a}\t1\t{b}\t2\n" for a, b in itertools.pairwise(four))
        folds += f"{four[0]}\t1\t{four[-1]}\t1\n"
    text(root / "pairs.txt", "2\t4\n" + folds)
    rng = np.random.default_rng(0)
    ids = [f"{each}/{each}_000{n}.jpg" for each in people for n in (1, 2)]
    vectors = np.repeat(rng.normal(size=(8, 16)), 2, axis=0) + 0.1 * rng.normal(size=(16, 16))
    np.savez(tmp_path / "v.npz", vectors=vectors.astype(np.float32), image_id=np.array(ids))
    monkeypatch.chdir(tmp_path)
    status = run(
        [
            "evaluate", "benchmark=lfw", "benchmark.root=lfw", "benchmark.protocol=pairs",
            "matcher=embeddings", "matcher.path=v.npz", "operating_point=fixed",
            "operating_point.fixed=[0.8]", "output=out", "cache=cache",
        ]
    )  # fmt: skip
    assert status == 0
    rates = pd.read_csv(tmp_path / "out" / "rates.csv")
    pooled = rates[rates["probe_group"] == "all"].set_index("kind")["comparisons"]
    assert pooled.to_dict() == {"FMR": 8, "FNMR": 8, "FTE": 16}
    work = json.loads((tmp_path / "out" / "run.json").read_text())["comparisons"][0]
    assert work["policy"] == "as listed"
    assert work["fold accuracy, all"] == "1.0000 ± 0.0000 in 2 folds"


def test_templates_labels_and_overlap_through_evaluate(tmp_path, monkeypatch):
    """Templates are what is counted; a map and what is known of shared people reach the run."""
    rng = np.random.default_rng(1)
    people, tids, pairs, gender = 10, "", "", "SUBJECT_ID,GENDER\n"
    image = 0
    for person in range(people):
        gender += f"{person},{'W' if person % 2 else 'B'}\n"
        for template in (2 * person, 2 * person + 1):
            for _ in range(3):
                tids += f"{image}.jpg {template} {image}\n"
                image += 1
        pairs += f"{2 * person} {2 * person + 1} 1\n"
        pairs += f"{2 * person} {(2 * person + 3) % (2 * people)} 0\n"
    pictures(tmp_path / "ijb" / "loose_crop", *(f"{n}.jpg" for n in range(image)))
    text(tmp_path / "ijb" / "meta" / "ijbc_face_tid_mid.txt", tids)
    text(tmp_path / "ijb" / "meta" / "ijbc_template_pair_label.txt", pairs)
    owners = "".join(f"{n},{n // 2}\n" for n in range(2 * people))
    text(tmp_path / "ijb" / "meta" / "ijbc_1N_probe_mixed.csv", "TEMPLATE_ID,SUBJECT_ID\n" + owners)
    text(tmp_path / "c.csv", gender)
    vectors = np.repeat(rng.normal(size=(people, 16)), 6, axis=0) + rng.normal(size=(image, 16)) / 4
    np.savez(
        tmp_path / "v.npz",
        vectors=vectors.astype(np.float32),
        image_id=np.array([f"loose_crop/{n}.jpg" for n in range(image)]),
        enrolled=np.arange(image) >= 3,
    )
    monkeypatch.chdir(tmp_path)
    status = run(
        [
            "evaluate", "benchmark=ijbc", "benchmark.root=ijb", "benchmark.covariates=c.csv",
            "matcher=embeddings", "matcher.path=v.npz", "operating_point=fixed",
            "operating_point.fixed=[0.7]", "groups.by=[gender]",
            "+groups.map.gender=eft_race_to_census5", "output=out", "cache=cache",
            "rules.training_overlap.trained_on=[ijbc]",
        ]
    )  # fmt: skip
    assert status == 0
    rates = pd.read_csv(tmp_path / "out" / "rates.csv")
    pooled = rates[rates["probe_group"] == "all"].set_index("kind")
    assert pooled["comparisons"].to_dict() == {"FMR": 10, "FNMR": 10, "FTE": 20}
    assert pooled["errors"].to_dict() == {"FMR": 0, "FNMR": 1, "FTE": 1}
    assert set(rates["probe_group"]) >= {"white", "black", "asian", "other"}
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert "W → white (10 images)" in record["benchmark"]["about"]["map of gender"]
    codes = [each["code"] for each in json.loads((tmp_path / "out" / "findings.json").read_text())]
    assert "training_overlap" in codes
