"""``frbench audit`` as a user runs it: the run folder, the page, the overlap, the sentences."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

NAMES = ("White", "Asian", "Black", "Mixed", "Other")


def audit(*words: str) -> subprocess.CompletedProcess[str]:
    """The command, in a process of its own."""
    command = [sys.executable, "-m", "frbench", "audit", "as_of=2026-11-23", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=200)


def manifest(folder: Path, persons: int = 600) -> Path:
    """A made-up custody manifest in which one group is over-represented and kept longer."""
    rng = np.random.default_rng(1)
    kind = rng.choice(NAMES, persons, p=[0.6, 0.1, 0.2, 0.05, 0.05])
    who = np.repeat(np.arange(persons), 1 + np.arange(persons) % 3)
    released = rng.random(len(who)) < np.where(kind[who] == "Black", 0.7, 0.3)
    rows = pd.DataFrame(
        {
            "path": [f"{at}.jpg" for at in range(len(who))],
            "subject_id": [f"person-{each}" for each in who],
            "captured": (np.datetime64("2023-01-01") + rng.integers(0, 1000, len(who))).astype(str),
            "disposal": np.where(released, "NFA", "charged"),
            "ethnicity": kind[who],
            "<script>alert(1)</script>": rng.choice(["=cmd", "b"], len(who)),
        }
    )
    path = folder / "custody.csv"
    rows.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """One audit, made once."""
    folder = tmp_path_factory.mktemp("audit")
    out = folder / "run"
    done = audit(
        f"training_set.path={manifest(folder)}",
        "training_set.synthetic=true",
        f"output={out}",
        "gate=flag",
    )
    return out, done


def test_the_run_folder_is_whole(run: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    """Tables, findings, page and record are there, and the gate sets the exit status."""
    out, done = run
    assert done.returncode == 1, done.stderr
    record = json.loads((out / "run.json").read_text())
    names = {file.name for file in out.iterdir() if file.is_file()}
    assert {"composition.csv", "findings.json", "report.html", "run.json"} <= names
    assert set(record["artefacts"]) >= {"composition.parquet", "report.html"}
    assert record["training_set"]["subjects"] == 600
    assert "Synthetic" in done.stdout


def test_what_it_finds(run: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    """The over-represented group and the one whose released people are kept are both named."""
    findings = json.loads((run[0] / "findings.json").read_text())
    flags = {(f["code"], f["keys"].get("group")) for f in findings if f["level"] == "flag"}
    assert ("representation", "Black") in flags
    assert ("released_and_kept", "Black") in flags
    assert any(f["code"] == "synthetic_people" for f in findings)


def test_no_person_and_no_live_markup_is_on_the_page(
    run: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    """Labels from outside are text, formulas are defused, and nobody is named."""
    page = (run[0] / "report.html").read_text()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "person-" not in page
    assert ",=cmd" not in (run[0] / "composition.csv").read_text()


def test_overlap_is_found_by_id_file_and_likeness(tmp_path: Path) -> None:
    """Two shared persons, one identical file and one re-saved picture are found as such."""
    rng = np.random.default_rng(6)
    training, test = tmp_path / "training", tmp_path / "test"
    for folder, start in ((training, 0), (test, 8)):
        folder.mkdir()
        for person in range(start, start + 10):
            pixels = rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).resize((64, 64), Image.Resampling.BICUBIC).save(
                folder / f"{person}.png"
            )
    shutil.copy(training / "3.png", test / "copy.png")
    Image.open(training / "4.png").save(test / "again.jpg", quality=80)
    for folder in (training, test):
        files = sorted(folder.iterdir())
        pd.DataFrame(
            {
                "path": [file.name for file in files],
                "subject_id": [file.stem for file in files],
                "sex": ["f", "m"] * (len(files) // 2),
            }
        ).to_csv(folder / "manifest.csv", index=False)
    done = audit(
        f"training_set.path={training / 'manifest.csv'}",
        "reference=none",
        f"output={tmp_path / 'o'}",
        "benchmark=manifest",
        f"benchmark.path={test / 'manifest.csv'}",
        f"cache={tmp_path / 'c'}",
    )
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(tmp_path / "o" / "overlap.csv").set_index("way")
    assert table["shared"].to_dict() == {
        "person id": 2,
        "identical file": 1,
        "near-identical image": 2,
        "face template": 0,
    }
    assert not table.loc["face template", "checked"]


def test_labels_that_were_not_looked_at_are_named(tmp_path: Path) -> None:
    """A label with more values than an automatic choice takes is no secret."""
    rows = pd.DataFrame({"subject_id": [f"p{at}" for at in range(60)]})
    rows["sex"] = ["f", "m"] * 30
    rows["town"] = [f"t{at % 20}" for at in range(60)]
    rows.to_csv(tmp_path / "t.csv", index=False)
    done = audit(
        f"training_set.path={tmp_path / 't.csv'}", "reference=none", f"output={tmp_path / 'o'}"
    )
    assert done.returncode == 0, done.stderr
    assert "columns “town” were not looked at" in done.stdout
    assert "columns “town” were not looked at" in (tmp_path / "o" / "report.html").read_text()


def test_images_that_were_not_looked_at_are_counted(tmp_path: Path) -> None:
    """Absent files, names too long and paths out of the root are not opened, and that is said."""
    for name in ("in/a.png", "in/b.png", "outside.png"):
        (tmp_path / "in").mkdir(exist_ok=True)
        Image.effect_noise((32, 32), 90).save(tmp_path / name)
    paths = ["a.png", "b.png", "gone.png", "../outside.png", "n" * 5000, ""]
    rows = pd.DataFrame({"path": paths, "subject_id": list("pqrstu"), "sex": list("fmfmfm")})
    rows.to_csv(tmp_path / "in" / "training.csv", index=False)
    test = pd.DataFrame({"path": ["outside.png"], "subject_id": ["v"], "sex": ["f"]})
    test.to_csv(tmp_path / "test.csv", index=False)
    done = audit(
        f"training_set.path={tmp_path / 'in' / 'training.csv'}",
        *("reference=none", f"output={tmp_path / 'o'}", f"cache={tmp_path / 'c'}"),
        *("benchmark=manifest", f"benchmark.path={tmp_path / 'test.csv'}"),
    )
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(tmp_path / "o" / "overlap.csv").set_index("way")
    assert table.loc["identical file", "shared"] == 0
    assert "4 of 6 training images are not under the root" in table.loc["identical file", "note"]


def test_combinations_with_a_missing_part_are_counted_apart(tmp_path: Path) -> None:
    """A third of the labels missing: combinations are judged among those with both labels."""
    rng = np.random.default_rng(8)
    kind = rng.choice(["White", "Black"], 3000, p=[0.9, 0.1])
    sex = rng.choice(["male", "female"], 3000)
    rows = pd.DataFrame({"subject_id": [f"p{each}" for each in range(3000)]})
    rows["ethnicity"] = np.where(rng.random(3000) < 0.3, None, kind)
    rows["sex"] = np.where(rng.random(3000) < 0.3, "not stated", sex)
    rows.to_csv(tmp_path / "t.csv", index=False)
    area = tmp_path / "area.csv"
    area.write_text(
        "ethnicity,sex,count\nwhite,male,45\nwhite,female,45\nblack,male,5\nblack,female,5\n"
    )
    done = audit(
        f"training_set.path={tmp_path / 't.csv'}",
        *("reference=population_file", f"reference.path={area}", "by=[ethnicity,sex,sex]"),
        *("audit_rules.representation.limit=1.5", f"output={tmp_path / 'o'}"),
    )
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(tmp_path / "o" / "composition.csv")
    both = table[table["label"] == "ethnicity/sex"].set_index("group")
    known = rows["ethnicity"].notna() & (rows["sex"] != "not stated")
    wanted = ((kind == "Black") & (sex == "male") & known).sum() / known.sum()
    assert both.loc["black/male", "representation"] == pytest.approx(wanted / 0.05)
    assert (
        both.loc["unlabelled/unlabelled", "subjects"]
        == (rows["ethnicity"].isna() & (rows["sex"] == "not stated")).sum()
    )
    assert both["images"].drop("all").sum() == both.loc["all", "images"] == 3000
    findings = json.loads((tmp_path / "o" / "findings.json").read_text())
    assert not [f for f in findings if f["code"] == "representation" and f["level"] == "flag"]
    divergence = pd.read_csv(tmp_path / "o" / "divergence.csv").set_index("label")
    assert divergence.loc["ethnicity/sex", "subjects"] == known.sum()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["training_set.path=nowhere.csv"], "nowhere.csv does not exist"),
        (["training_set.path={file}", "by=[height]"], "no such column"),
        (["training_set.path={file}", "as_of=yesterday"], "is no day"),
        (["training_set.path={file}", "matcher=tiny"], "name one, benchmark="),
        (["training_set.path={file}", "colour=red"], "colour"),
        (["training_set.path={file}", "by=[]"], "by names no label"),
        (["training_set.path={file}", "varies=[height]"], "varies names height"),
        (["training_set.path={file}", "overlap.distance=x"], "overlap.distance=x"),
        (["training_set.path={file}", "overlap=null"], "overlap.distance=None"),
    ],
)
def test_bad_input_gets_a_sentence(tmp_path: Path, words: list[str], said: str) -> None:
    """Status 2, one sentence, no traceback, and no folder left behind."""
    file = manifest(tmp_path, persons=30)
    out = tmp_path / "out"
    done = audit(*[word.format(file=file) for word in words], f"output={out}")
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not out.exists()
