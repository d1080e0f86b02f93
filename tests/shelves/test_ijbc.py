"""Template lists of IJB's kind, and how several images become one template."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frbench.benchmarks.ijbc import IjbcBenchmark
from frbench.pooling import images_of, pooled
from frbench.values import EmbeddingSet
from tiny_sets import pictures, refusal, text

TIDS = "1.jpg 1 10\n2.jpg 1 10\n3.jpg 1 11\n4.jpg 2 12\n1.jpg 3 10\n5.jpg 10 13\n"
LABELS = "1 2 1\n1 10 0\n3 10 0\n2 10 0\n"
GALLERY = "TEMPLATE_ID,SUBJECT_ID,FILENAME\n1,70,a\n1,70,b\n2,70,c\n3,70,a\n10,80,d\n"


@pytest.fixture
def root(tmp_path):
    """Four templates of five images; one image is in two templates."""
    pictures(tmp_path / "loose_crop", *(f"{n}.jpg" for n in range(1, 6)))
    text(tmp_path / "meta" / "ijbc_face_tid_mid.txt", TIDS)
    text(tmp_path / "meta" / "ijbc_template_pair_label.txt", LABELS)
    return tmp_path


def test_templates_and_pairs(root):
    """A row is a template; persons are read off the mated pairs where nothing else says."""
    loaded = IjbcBenchmark(root=str(root)).load()
    assert loaded.faces["image_id"].tolist() == ["1", "2", "3", "10"]
    persons = loaded.faces["subject_id"].tolist()
    assert persons[0] == persons[1]
    assert len(set(persons)) == 3
    assert loaded.pairs["probe_id"].tolist() == ["1", "1", "3", "2"]
    assert len(images_of(loaded).faces) == 5
    assert "linked by mated pairs" in loaded.about["identities"]


def test_persons_and_covariates_from_tables(root):
    """SUBJECT_ID beside the lists counts; covariates are joined and contradictions counted."""
    text(root / "meta" / "ijbc_1N_gallery_G1.csv", GALLERY)
    covariates = text(
        root / "c.csv", "SUBJECT_ID,FILENAME,GENDER,SKINTONE\n70,a,0,3\n70,b,0,4\n70,c,0,4\n"
    )
    loaded = IjbcBenchmark(root=str(root), covariates=covariates).load()
    assert loaded.faces["subject_id"].tolist() == ["70", "70", "70", "80"]
    assert loaded.faces["label_gender"].fillna("?").tolist() == ["0", "0", "0", "?"]
    assert loaded.faces["label_skintone"].iloc[0] == "4"
    assert loaded.about["contradictions in skintone"].startswith("1 persons")
    assert "1 templates without a row" in loaded.about["covariates"]
    every = IjbcBenchmark(root=str(root), protocol="all").load()
    assert every.pairs is None


@pytest.mark.parametrize(
    ("file", "content", "wanted"),
    [
        ("meta/ijbc_template_pair_label.txt", "1 2\n", "3 fields"),
        ("meta/ijbc_template_pair_label.txt", "1 2 5\n", "line 1: the label '5'"),
        ("meta/ijbc_template_pair_label.txt", "1 99 0\n", "99"),
        ("meta/ijbc_face_tid_mid.txt", TIDS + "6.jpg 4 1\n", "line 7: 6.jpg"),
        ("meta/ijbc_1N_gallery_G1.csv", GALLERY.replace("2,70", "2,71"), "line 1: 1 2"),
        ("meta/ijbc_1N_gallery_G1.csv", GALLERY.replace("10,80,d\n", ""), "no SUBJECT_ID"),
    ],
)
def test_lists_that_do_not_fit_together(root, file, content, wanted):
    """Absent images, unknown templates, wrong labels: each names its file and place."""
    text(root / file, content)
    assert wanted in refusal(IjbcBenchmark(root=str(root)))


def test_all_templates_need_persons(root):
    """Without SUBJECT_ID nobody knows which pairs of templates are mated."""
    assert "ijbc_1N_*.csv" in refusal(IjbcBenchmark(root=str(root), protocol="all"))


def by_hand(loaded, vectors, enrolled):
    """The same means, written as loops over dictionaries."""
    place = {path: n for n, path in enumerate(images_of(loaded).faces["path"])}
    result = []
    for template in loaded.faces["image_id"]:
        media: dict[str, list[np.ndarray]] = {}
        for row in loaded.members.itertuples():
            if row.template_id == template and enrolled[place[row.path]]:
                media.setdefault(row.medium, []).append(vectors[place[row.path]].astype(float))
        means = [sum(each) / len(each) for each in media.values()]
        mean = sum(means) / len(means) if means else np.zeros(vectors.shape[1])
        length = np.linalg.norm(mean)
        result.append(mean / length if length else mean)
    return np.array(result)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000))
def test_templates_are_means_of_unit_vectors(tmp_path_factory, seed):
    """Against loops: media weigh the same, failed images are passed over, order is nothing."""
    rng = np.random.default_rng(seed)
    members = pd.DataFrame(
        {
            "template_id": rng.integers(0, 4, 14).astype(str),
            "path": rng.integers(0, 7, 14).astype(str),
            "medium": rng.integers(0, 3, 14).astype(str),
        }
    ).drop_duplicates(["template_id", "path"], ignore_index=True)
    ids = pd.Series(sorted(set(members["template_id"])), dtype="str")
    faces = pd.DataFrame({"image_id": ids, "subject_id": ids, "path": ""})
    loaded = _set(faces, members)
    images = images_of(loaded).faces["image_id"].to_numpy(dtype=np.str_)
    vectors = rng.normal(size=(len(images), 5)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    enrolled = rng.random(len(images)) > 0.3
    vectors[~enrolled] = 0
    embedded = EmbeddingSet(vectors, enrolled, np.where(enrolled, "", "no face"), images, "m", "f")
    found = pooled(embedded, loaded)
    wanted = by_hand(loaded, vectors, enrolled)
    assert np.allclose(found.vectors, wanted, atol=1e-6)
    assert (found.enrolled == (np.linalg.norm(wanted, axis=1) > 0)).all()
    assert all(bool(why) != ok for why, ok in zip(found.failure, found.enrolled, strict=True))
    shuffled = _set(faces, members.sample(frac=1, random_state=seed % 97))
    assert (pooled(embedded, shuffled).vectors == found.vectors).all()


def _set(faces, members):
    from pathlib import Path

    from frbench.values import FaceSet

    return FaceSet("ijb", "1", Path(), faces, members=members)
