"""Operating points and further tables from end to end, on stored vectors of made-up persons."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from test_evaluate import frbench

import frbench as frbench_package


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A manifest of 240 images of 80 persons of two groups, with a covariate, and their vectors."""
    folder = tmp_path_factory.mktemp("stored")
    rng = np.random.default_rng(5)
    persons = np.repeat(np.arange(80), 3)
    centres = rng.normal(size=(80, 16)) + 0.6 * (np.arange(80) % 2)[:, None]
    vectors = (centres[persons] + 0.7 * rng.normal(size=(240, 16))).astype(np.float32)
    ids = np.array([f"img{i:03d}" for i in range(240)])
    np.savez(folder / "vectors.npz", vectors=vectors, image_id=ids, enrolled=np.ones(240, bool))
    pd.DataFrame(
        {
            "image_id": ids,
            "path": [f"{i}.jpg" for i in ids],
            "subject_id": [f"{p:03d}" for p in persons],
            "sex": np.where(persons % 2 == 0, "f", "m"),
            "quality": rng.uniform(size=240).round(3),
        }
    ).to_csv(folder / "manifest.csv", index=False)
    return folder


def evaluate(stored: Path, cwd: Path, name: str, *words: str):
    """One run into ``cwd / name``."""
    done = frbench(
        "evaluate",
        "benchmark=manifest",
        f"benchmark.path={stored / 'manifest.csv'}",
        "matcher=embeddings",
        f"matcher.path={stored / 'vectors.npz'}",
        "groups.by=[sex]",
        f"output={cwd / name}",
        *words,
        cwd=cwd,
    )
    return done, cwd / name


@pytest.fixture(scope="module")
def split_run(stored: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose threshold was chosen on half of the persons."""
    cwd = tmp_path_factory.mktemp("split")
    done, folder = evaluate(
        stored, cwd, "split", "operating_point=fmr_1e-3", "operating_point.target_fmr=[0.01]",
        "operating_point.calibration.share=0.5",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


def test_a_calibration_split_is_recorded_and_carried(split_run):
    """Rates are of the test persons alone, the threshold of the others, with its interval."""
    record = json.loads((split_run / "run.json").read_text())
    assert record["benchmark"]["subjects"] == 40
    assert "test side of a split" in record["benchmark"]["about"]["split"]
    (threshold,) = record["thresholds"]
    assert threshold["source"] == "calibration split"
    assert threshold["comparisons"] == 120 * 119 // 2 - 40 * 3
    assert threshold["low"] <= threshold["value"] <= threshold["high"]
    rates = pd.read_csv(split_run / "rates.csv")
    assert rates[rates["kind"] == "FTE"]["comparisons"].max() == 120
    carried = pd.read_csv(split_run / "threshold_uncertainty.csv")
    assert (carried["carried_high"] >= carried["high"]).all()
    assert "kept apart for this" in (split_run / "report.html").read_text()


def test_the_next_run_takes_its_thresholds_over(stored, split_run, tmp_path):
    """The same matcher on the same or other images; another matcher is refused in a sentence."""
    words = ("operating_point=from_run", f"operating_point.from_run={split_run}")
    done, folder = evaluate(stored, tmp_path, "next", *words)
    assert done.returncode == 0, done.stderr
    old, new = (
        json.loads((each / "run.json").read_text())["thresholds"][0] for each in (split_run, folder)
    )
    assert (old["value"], old["label"]) == (new["value"], new["label"])
    assert new["source"] == "run split"
    other = evaluate(stored, tmp_path, "no", *words, "matcher.name=another")[0]
    assert other.returncode == 2
    assert "another matcher" in other.stderr


def test_a_stated_score_and_a_police_one(stored, tmp_path):
    """The claim and its author are in the record; what it gives is measured."""
    done, folder = evaluate(
        stored, tmp_path, "stated", "operating_point=stated",
        "operating_point.stated={1e-3: 0.8}", "operating_point.stated_by=the vendor",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (row,) = json.loads((folder / "run.json").read_text())["thresholds"]
    assert (row["label"], row["stated_by"]) == ("stated FMR 0.001", "the vendor")
    done, folder = evaluate(
        stored, tmp_path, "police", "operating_point=police",
        "operating_point.fixed=[0.8]", "operating_point.stated_by='chief, 2024'",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "beforehand by chief, 2024" in (folder / "report.html").read_text()


def test_the_further_tables_of_a_run(stored, tmp_path):
    """Tests, frontier, standardised rates and label bands are written and shown in the report."""
    done, folder = evaluate(
        stored, tmp_path, "full", "operating_point.target_fmr=[0.01]", "explain.by=[quality]",
        "explain.label_errors=[0.05]", "frontier.watchlist={f: 10, m: 20}",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    tables = {
        name: pd.read_csv(folder / f"{name}.csv")
        for name in ("tests", "frontier", "standardised", "label_error_bands", "extrapolation")
    }
    assert set(tables["tests"]["test"]) == {"omnibus", "pairwise"}
    assert tables["frontier"]["worst_fpir"].notna().all()
    assert set(tables["standardised"]["group"]) == {"f", "m"}
    assert set(tables["label_error_bands"]["mislabelled"]) == {0.05}
    assert tables["extrapolation"]["caution"].str.contains("not measured").all()
    assert 'id="frontier"' in (folder / "report.html").read_text()
    run = frbench_package.open_run(folder)
    own = run.rates[(run.rates["kind"] == "FMR") & (run.rates["probe_group"] == "m")]
    own = own[own["reference_group"] == "m"].iloc[0]
    assert run.errors().by_group.loc["m", "rate"] == own["rate"]
    assert {"rates", "gaps", "tests", "frontier", "score_shifts"} <= set(run.tables)
    assert set(run.table("score_shifts")["group"]) == {"all", "f", "m"}
    assert len(run.thresholds) == 1
    assert len(run.findings) > 0


def test_a_covariate_that_is_not_there_is_said_before_the_matcher_runs(
    stored: Path, tmp_path: Path
) -> None:
    """Hours of a matcher are not spent before a word of the command line is found wrong."""
    done, _ = evaluate(stored, tmp_path, "none", "matcher.path=no.npz", "explain.by=[qualitty]")
    assert "explain.by names qualitty" in done.stderr
