"""The verb from end to end, as a user types it, against a double loop over all comparisons."""

from __future__ import annotations

import io
import itertools
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from frbench import cli
from frbench.runs import hash_file, read_tally
from frbench.tables import GAP_COLUMNS, RATE_COLUMNS


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


def frbench(*words: str, cwd: Path) -> Done:
    """Runs the command line as typed in ``cwd``, with a cache of its own there."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.chdir(cwd)
        patch.setenv("FRBENCH_CACHE", str(cwd / "cache"))
        patch.setattr(sys, "argv", sys.argv)
        status = cli.run(list(words))
    return Done(status, out.getvalue(), err.getvalue())


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a manifest of 90 images of 30 persons and stored vectors for them.

    Person 3's first image failed to enrol; one person has no label; no file of the manifest exists.
    """
    folder = tmp_path_factory.mktemp("stored")
    rng = np.random.default_rng(5)
    persons = np.repeat(np.arange(30), 3)
    centres = rng.normal(size=(30, 16)) + rng.normal(size=16) * (np.arange(30) % 2)[:, None]
    vectors = (centres[persons] + 0.6 * rng.normal(size=(90, 16))).astype(np.float32)
    ids = np.array([f"img{i:03d}" for i in range(90)])
    enrolled = np.ones(90, bool)
    enrolled[9] = False
    np.savez(folder / "vectors.npz", vectors=vectors, image_id=ids, enrolled=enrolled)
    sex = np.where(persons % 2 == 0, "f", "m").astype(object)
    sex[persons == 7] = ""
    pd.DataFrame(
        {
            "image_id": ids,
            "path": [f"{i}.jpg" for i in ids],
            "subject_id": [f"{p:03d}" for p in persons],
            "sex": sex,
        }
    ).to_csv(folder / "manifest.csv", index=False)
    return folder


def evaluate(stored: Path, *words: str, cwd: Path) -> Done:
    """``frbench evaluate`` on the stored vectors, grouped by sex."""
    return frbench(
        "evaluate",
        "benchmark=manifest",
        f"benchmark.path={stored / 'manifest.csv'}",
        "matcher=embeddings",
        f"matcher.path={stored / 'vectors.npz'}",
        "groups.by=[sex]",
        "operating_point.target_fmr=[1e-2]",
        *words,
        cwd=cwd,
    )


@pytest.fixture(scope="module")
def run_folder(stored: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run that most tests look at."""
    cwd = tmp_path_factory.mktemp("run")
    done = evaluate(stored, "output=out", cwd=cwd)
    assert done.returncode == 0, done.stderr
    return cwd / "out"


def test_counts_equal_a_double_loop(stored: Path, run_folder: Path) -> None:
    """Every cell's errors and comparisons, recounted pair by pair in plain Python."""
    table = pd.read_csv(stored / "manifest.csv", dtype=str, keep_default_na=False)
    with np.load(stored / "vectors.npz") as arrays:
        vectors, enrolled = arrays["vectors"].astype(np.float64), arrays["enrolled"]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    group = [each or "unlabelled" for each in table["sex"]]
    rates = pd.read_csv(run_folder / "rates.csv")
    threshold = float(rates["threshold"].iloc[0])
    counted: dict[tuple[str, str, str], list[int]] = {}
    for i, j in itertools.combinations(range(len(table)), 2):
        mated = table["subject_id"][i] == table["subject_id"][j]
        failed = not (enrolled[i] and enrolled[j])
        match = not failed and float(vectors[i] @ vectors[j]) >= threshold
        error = not match if mated else match
        for cell in (tuple(sorted((group[i], group[j]))), ("all", "all")):
            key = ("FNMR" if mated else "FMR", *cell)
            errors_trials = counted.setdefault(key, [0, 0])
            errors_trials[0] += error
            errors_trials[1] += 1
    rows = rates[rates["kind"] != "FTE"]
    found = {
        (r.kind, *sorted((r.probe_group, r.reference_group))): [r.errors, r.comparisons]
        for r in rows.itertuples()
        if r.comparisons
    }
    assert found == counted


def test_failures_to_enrol_are_counted_per_group(run_folder: Path) -> None:
    """One image of person 3, who is labelled m, failed."""
    rates = pd.read_csv(run_folder / "rates.csv")
    fte = rates[rates["kind"] == "FTE"].set_index("probe_group")["errors"]
    assert dict(fte) == {"all": 1, "f": 0, "m": 1, "unlabelled": 0}


def test_the_threshold_never_exceeds_its_target(run_folder: Path) -> None:
    """The pooled false-match rate stays at or below 1 in 100."""
    rates = pd.read_csv(run_folder / "rates.csv")
    pooled = rates[(rates["kind"] == "FMR") & (rates["probe_group"] == "all")].iloc[0]
    assert pooled["rate_completed"] <= 1e-2
    assert pooled["errors"] > 0


def test_the_folder_holds_what_is_promised(run_folder: Path) -> None:
    """Files, columns, and a record whose hashes are those of the files."""
    assert tuple(pd.read_csv(run_folder / "rates.csv").columns) == RATE_COLUMNS
    assert tuple(pd.read_csv(run_folder / "gaps.csv").columns) == GAP_COLUMNS
    record = json.loads((run_folder / "run.json").read_text())
    assert record["schema_version"] == 1
    assert record["overrides"][0] == "benchmark=manifest"
    assert record["config"]["operating_point"]["target_fmr"] == [0.01]
    assert (run_folder / ".hydra" / "overrides.yaml").is_file()
    for name, digest in record["artefacts"].items():
        assert hash_file(run_folder / name) == digest
    assert "report.html" in record["artefacts"]
    assert len(read_tally(run_folder / "tally").subject) == 90
    assert [p.name for p in run_folder.parent.iterdir() if "partial" in p.name] == []


def test_no_raw_person_is_named_in_the_run_folder(run_folder: Path, stored: Path) -> None:
    """Subject and image ids stay in the user's own manifest."""
    for file in run_folder.rglob("*"):
        if file.is_file():
            assert b"img041" not in file.read_bytes(), file


def test_a_second_run_gives_the_same_bytes(stored: Path, run_folder: Path, tmp_path: Path) -> None:
    """rates.parquet is byte-identical."""
    assert evaluate(stored, "output=again", cwd=tmp_path).returncode == 0
    first, second = run_folder / "rates.parquet", tmp_path / "again" / "rates.parquet"
    assert first.read_bytes() == second.read_bytes()


def test_every_rate_lies_in_its_interval(run_folder: Path) -> None:
    """low <= rate <= high wherever there is a rate; an empty cell says that it knows nothing."""
    rates = pd.read_csv(run_folder / "rates.csv")
    some = rates[rates["comparisons"] > 0]
    assert (some["low"] <= some["rate"] + 1e-15).all()
    assert (some["rate"] <= some["high"] + 1e-15).all()
    empty = rates[rates["comparisons"] == 0]
    assert empty["rate"].isna().all()
    assert (empty["status"] == "empty").all()


def test_a_sweep_writes_a_folder_per_job(stored: Path, tmp_path: Path) -> None:
    """--multirun gives one complete run per choice, named after it."""
    done = evaluate(
        stored, "interval=wilson_effective,wilson", "--multirun", "output=sweep", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    names = sorted(p.name for p in (tmp_path / "sweep").iterdir() if p.is_dir())
    assert names == ["0_interval=wilson_effective", "1_interval=wilson", "sweep"]
    assert all((tmp_path / "sweep" / name / "run.json").is_file() for name in names[:2])
    assert (tmp_path / "sweep" / "sweep" / "report.html").is_file()


def test_the_gate_sets_the_exit_status(stored: Path, tmp_path: Path) -> None:
    """With gate=note any finding is at or above the gate."""
    assert evaluate(stored, "output=out", "gate=note", cwd=tmp_path).returncode == 1


def test_scores_and_embeddings_give_the_same_rates(stored: Path, tmp_path: Path) -> None:
    """The two doors agree: the same vectors as a list of scores give the same error counts."""
    with np.load(stored / "vectors.npz") as arrays:
        vectors, ids = arrays["vectors"].astype(np.float64), arrays["image_id"]
        enrolled = arrays["enrolled"]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    table = pd.read_csv(stored / "manifest.csv", dtype=str).set_index("image_id")
    i, j = np.triu_indices(len(ids), 1)
    scores = np.einsum("nd,nd->n", vectors[i], vectors[j]).astype(np.float32).astype(np.float64)
    scores[~(enrolled[i] & enrolled[j])] = np.nan
    sides = {
        f"{side}_{name}": (ids if name == "id" else table.loc[ids, column].to_numpy())[rows]
        for side, rows in (("probe", i), ("reference", j))
        for name, column in (("id", ""), ("subject", "subject_id"), ("sex", "sex"))
    }
    pd.DataFrame({**sides, "score": scores}).to_parquet(tmp_path / "scores.parquet")
    options = ("groups.by=[sex]", "operating_point.target_fmr=[1e-2]", "output=scores")
    done = frbench(
        "evaluate", "benchmark=scores", "benchmark.path=scores.parquet", *options, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert evaluate(stored, "output=vectors", cwd=tmp_path).returncode == 0
    pooled = []
    for name in ("scores", "vectors"):
        rates = pd.read_csv(tmp_path / name / "rates.csv")
        fte = rates[rates["kind"] == "FTE"]
        assert (fte["status"] == "empty").all() == (name == "scores")
        rates = rates[(rates["probe_group"] == "all") & (rates["kind"] != "FTE")]
        pooled.append(rates[["kind", "errors", "comparisons", "failed", "subjects"]])
    pd.testing.assert_frame_equal(
        pooled[0].reset_index(drop=True), pooled[1].reset_index(drop=True)
    )


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["groups.by=[colour]"], "has no such label"),
        (["operating_point.target_fmr=[1e-6]"], "it takes at least 1,000,000"),
        (["operating_point.target_fmr=[2]"], "between 0 and 1"),
        (["benchmark.path=none.csv"], "none.csv"),
        (["device=cuda"], "no usable CUDA device"),
        (["gate=red"], "gate=red is unknown"),
        (["matcher=dlbi"], "dlbi"),
        (["benchmark.pth=x"], "pth"),
        (["+benchmark.pth=x"], "pth unknown"),
        (["+pth=x"], "pth is no setting of frbench evaluate"),
        (["interval._target_=os.getcwd"], "outside frbench"),
    ],
)
def test_bad_input_is_one_sentence(
    stored: Path, tmp_path: Path, words: list[str], sentence: str
) -> None:
    """Exit status 2, what is wrong, no traceback, and no folder left behind."""
    import torch

    if "device=cuda" in words and torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    done = evaluate(stored, "output=out", *words, cwd=tmp_path)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert [p.name for p in tmp_path.iterdir() if p.name != "cache"] == []


def test_a_users_own_choices_come_from_a_folder(stored: Path, tmp_path: Path) -> None:
    """--config-dir adds a YAML file that frbench does not ship."""
    (tmp_path / "mine" / "groups").mkdir(parents=True)
    (tmp_path / "mine" / "groups" / "ours.yaml").write_text("# ours\nby: [sex]\n")
    done = evaluate(stored, "--config-dir", "mine", "groups=ours", "output=out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("flag", ["--help", "--cfg"])
def test_help_and_configuration_are_shown(tmp_path: Path, flag: str) -> None:
    """--help speaks of the choices; --cfg job prints the composed configuration."""
    words = ["evaluate", flag] + (["job"] if flag == "--cfg" else [])
    done = frbench(*words, cwd=tmp_path)
    assert done.returncode == 0
    assert "operating_point" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_nobody_needs_to_read_the_table(
    stored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``frbench evaluate … | head`` has a complete run behind it, and status 0."""
    reading, writing = os.pipe()
    os.close(reading)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FRBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "argv", sys.argv)
    words = ["benchmark=manifest", f"benchmark.path={stored / 'manifest.csv'}", "groups.by=[sex]"]
    words += ["matcher=embeddings", f"matcher.path={stored / 'vectors.npz'}", "output=out"]
    with open(writing, "w", encoding="utf-8") as nobody, redirect_stdout(nobody):
        status = cli.run(["evaluate", *words, "operating_point.target_fmr=[1e-2]"])
    assert status == 0
    assert (tmp_path / "out" / "run.json").is_file()


def test_a_terminal_that_lacks_a_sign_still_shows_the_table(stored: Path, tmp_path: Path) -> None:
    """With an ASCII terminal other signs become question marks; the run does not fail."""
    words = ["benchmark=manifest", f"benchmark.path={stored / 'manifest.csv'}", "groups.by=[sex]"]
    words += ["matcher=embeddings", f"matcher.path={stored / 'vectors.npz'}", "output=out"]
    done = subprocess.run(
        [sys.executable, "-m", "frbench", "evaluate", *words, "operating_point.target_fmr=[1e-2]"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": "ascii", "FRBENCH_CACHE": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "Report: out/report.html" in done.stdout


def test_a_set_in_which_nobody_enrols_names_the_reason(stored: Path, tmp_path: Path) -> None:
    """Not one template: the sentence says why, and what to try."""
    with np.load(stored / "vectors.npz") as arrays:
        nothing = {**arrays, "enrolled": np.zeros(len(arrays["image_id"]), bool)}
    np.savez(tmp_path / "none.npz", **nothing)
    done = evaluate(stored, f"matcher.path={tmp_path / 'none.npz'}", "output=out", cwd=tmp_path)
    assert done.returncode == 2
    assert "gave a template" in done.stderr
    assert "90 of 90" in done.stderr
