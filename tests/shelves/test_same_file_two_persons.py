"""A file under two persons is found while it is embedded, and told without naming anybody."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from frbench import cli
from frbench.repeated_files import repeated_files
from frbench.rules import Evidence
from frbench.rules.same_file_two_persons import SameFileTwoPersons
from frbench.values import EmbeddingSet, FaceSet

ROWS = st.lists(
    st.tuples(
        st.sampled_from(["", "d1", "d2", "d3"]), st.sampled_from("pqr"), st.sampled_from("fm")
    ),
    min_size=1,
    max_size=9,
)  # fmt: skip


def found(rows: list[tuple[str, str, str]], *, opened: bool = True):
    """What is known of the files of (digest, person, group) rows."""
    digest, person, group = zip(*rows, strict=True)
    faces = FaceSet("set", "1", Path(), pd.DataFrame({"subject_id": person, "group": group}))
    n = len(rows)
    vectors = EmbeddingSet(
        np.ones((n, 1), np.float32), np.ones(n, bool), np.full(n, ""), np.arange(n).astype(str),
        "m", "f", np.array(digest) if opened else None,
    )  # fmt: skip
    return repeated_files(faces, vectors), faces


@settings(deadline=None, max_examples=60)
@given(ROWS)
def test_repeated_files_are_those_of_a_double_loop(rows):
    """Every pair of rows is looked at: same readable content, different person."""
    pairs = [
        (a, b)
        for a in range(len(rows))
        for b in range(len(rows))
        if rows[a][0] and rows[a][0] == rows[b][0] and rows[a][1] != rows[b][1]
    ]
    told, faces = found(rows)
    contents = {rows[a][0] for a, _ in pairs}
    # a copy of the same person's counts with the file, since it meets the other person too
    images = [row for row in rows if row[0] in contents]
    assert told == {
        "files": len(contents),
        "images": len(images),
        "groups": sorted({row[2] for row in images}),
    }
    evidence = Evidence(pd.DataFrame(), pd.DataFrame(), {}, faces, repeated=told)
    answers = SameFileTwoPersons().findings(evidence)
    assert [each.level for each in answers] == ["flag"] * bool(contents)


def test_unopened_files_are_not_judged():
    """Stored vectors have no files, of which nothing is said."""
    told, faces = found([("d1", "p", "f"), ("d1", "q", "f")], opened=False)
    assert told is None
    evidence = Evidence(pd.DataFrame(), pd.DataFrame(), {}, faces)
    assert SameFileTwoPersons().findings(evidence) == []


def test_an_evaluation_flags_the_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """One photograph copied to another person: flagged in the run, whose files name nobody."""
    rng = np.random.default_rng(0)
    for person in range(4):
        folder = tmp_path / "faces" / f"person-{person}"
        folder.mkdir(parents=True)
        for image in range(2):
            pixels = rng.integers(0, 255, (48, 48, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{image}.png")
    shutil.copy(tmp_path / "faces/person-0/0.png", tmp_path / "faces/person-3/copy.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FRBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("sys.argv", ["frbench"])
    words = ("benchmark=folder", "benchmark.root=faces", "matcher=tiny", "detector=precropped")
    status = cli.run(
        [
            "evaluate",
            *words,
            "device=cpu",
            "gate=flag",
            "output=out",
            "operating_point.target_fmr=[0.1]",
        ]
    )
    assert status == 1
    text = (tmp_path / "out" / "findings.json").read_text(encoding="utf-8")
    flagged = [row for row in json.loads(text) if row["code"] == "same_file_two_persons"]
    assert [row["level"] for row in flagged] == ["flag"]
    assert flagged[0]["statement"].startswith("1 file stands, byte for byte, under two persons")
    assert "person-" not in text
    record = json.loads((tmp_path / "out" / "run.json").read_text(encoding="utf-8"))
    assert record["matchers"][0]["repeated_files"]["files"] == 1
