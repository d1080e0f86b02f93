"""A sweep ends with one table, one page, and a figure per parameter, without a further command."""

from __future__ import annotations

import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from frbench import cli
from frbench.errors import InputError
from frbench.run_collection.sweep import read_sweep, sweep_table, write_sweep
from frbench.run_collection.sweep_page import short_values
from frbench.run_diff.loaded import run_folders
from reporting_fixtures import HOSTILE
from run_folders import CONFIG, changed, regrouped, run_folder, target
from worlds import population


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, int]:
    """3 matchers x 2 sets x 3 thresholds, as typed: folder, what was printed, exit status."""
    place = tmp_path_factory.mktemp("swept")
    rng = np.random.default_rng(3)
    persons = np.repeat(np.arange(16), 2)
    for name in ("one", "two"):
        ids = np.array([f"{name}{at}" for at in range(32)])
        table = {"image_id": ids, "path": ids, "subject_id": persons.astype(str)}
        table["sex"] = np.where(persons % 2 == 0, "f", "m")
        pd.DataFrame(table).to_csv(place / f"{name}.csv", index=False)
    ids = np.array([f"{name}{at}" for name in ("one", "two") for at in range(32)])
    for matcher in "abc":
        centres = rng.normal(size=(16, 8))[np.r_[persons, persons]]
        vectors = (centres + rng.normal(size=centres.shape) * 0.5).astype("f4")
        np.savez(place / f"{matcher}.npz", vectors=vectors, image_id=ids)
    words = [
        "evaluate",
        "--multirun",
        "benchmark=manifest",
        f"benchmark.path={place / 'one.csv'},{place / 'two.csv'}",
        "matcher=embeddings",
        f"matcher.path={','.join(str(place / f'{name}.npz') for name in 'abc')}",
        "operating_point.target_fmr=[0.2],[0.1],[0.05]",
        "groups.by=[sex]",
        "frontier.points=0",
        f"output={place / 'runs'}",
    ]
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.chdir(place)
        patch.setenv("FRBENCH_CACHE", str(place / "cache"))
        patch.setattr(sys, "argv", sys.argv)
        status = cli.run(words)
    return place / "runs", out.getvalue() + err.getvalue(), status


def test_a_sweep_ends_with_one_page(swept: tuple[Path, str, int]) -> None:
    """18 jobs, one command: a table of 18 rows and a page with a figure per swept parameter."""
    root, said, status = swept
    assert status == 0, said[-2000:]
    assert f"Sweep: {root / 'sweep' / 'report.html'}" in said
    table = pd.read_csv(root / "sweep" / "sweep.csv")
    assert len(table) == 18
    assert [name for name in table if name.startswith("param:")] == [
        "param:benchmark.path",
        "param:matcher.path",
        "param:operating_point.target_fmr",
    ]
    assert table.filter(like="param:").drop_duplicates().shape == (18, 3)
    page = (root / "sweep" / "report.html").read_text()
    for number, key in enumerate(("benchmark.path", "matcher.path", "operating_point.target_fmr")):
        assert f"By {key}" in page
        assert f'id="parameter-{number}-worst-fmr' in page
    record = json.loads((root / "sweep" / "run.json").read_text())
    assert record["verb"] == "sweep"
    assert record["jobs_without_a_run"] == []
    assert len(run_folders([str(root)])) == 18


def test_the_table_repeats_the_runs(swept: tuple[Path, str, int]) -> None:
    """Every row is what its run's own rates and gaps say."""
    root, _, _ = swept
    table = pd.read_parquet(root / "sweep" / "sweep.parquet")
    targets = "FMR " + table["param:operating_point.target_fmr"].str.strip("[]")
    assert (targets == table["operating_point"]).all()
    for row in table.itertuples():
        rates = pd.read_csv(root / row.run / "rates.csv")
        pooled = rates[rates["probe_group"] == "all"].set_index("kind")["rate"]
        assert (row.fmr, row.fnmr) == pytest.approx((pooled["FMR"], pooled["FNMR"]))
        own = rates[(rates["probe_group"] == rates["reference_group"]) & (rates["kind"] == "FMR")]
        assert row.worst_fmr == pytest.approx(own[own["probe_group"] != "all"]["rate"].max())
        assert row.set == Path(row[1]).stem


def test_lost_jobs_are_named_and_a_second_page_moves_the_first_aside(tmp_path: Path) -> None:
    """A job without a run is a finding; an empty folder is refused."""
    tally = population(np.random.default_rng(1), fmr=(0.05, 0.05), persons=6, images=2)
    for number in (0, 2):
        run_folder(
            tmp_path / f"{number}_seed={number}",
            tally,
            [target(0.0), target(0.1, 0.001)],
            config=changed(CONFIG, "seed", number),
            overrides=[f"seed={number}", "matcher=m"],
        )
    assert read_sweep(tmp_path).missing == (1,)
    assert read_sweep(tmp_path, 5).missing == (1, 3, 4)
    table = sweep_table(read_sweep(tmp_path))
    assert table["param:seed"].tolist() == ["0", "0", "2", "2"]
    assert table["first_point"].tolist() == [True, False, True, False]
    place = write_sweep(tmp_path)
    write_sweep(tmp_path)
    assert (tmp_path / "sweep~1" / "run.json").is_file()
    found = json.loads((place / "findings.json").read_text())
    assert [one["code"] for one in found] == ["job_without_a_run"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no job"):
        write_sweep(tmp_path / "empty")


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    """Parameters, groups and matchers of any spelling are text on the page and in the CSV."""
    tally = population(np.random.default_rng(1), fmr=(0.05, 0.05), persons=6, images=2)
    for number, name in enumerate(HOSTILE[:2]):
        run_folder(
            tmp_path / f"{number}_x",
            regrouped(tally, HOSTILE[5:7]),
            [target(0.0)],
            matcher=name,
            overrides=[f"name={HOSTILE[6 - number]}"],
        )
    place = write_sweep(tmp_path)
    page = (place / "report.html").read_text()
    assert "<script>alert" not in page
    assert "<img" not in page
    table = pd.read_csv(place / "sweep.csv", dtype=str)
    assert not table.map(lambda cell: str(cell).startswith("=")).any(axis=None)


def test_paths_are_called_by_their_last_part() -> None:
    """Only where it tells them apart."""
    assert short_values(["/a/x.npz", "/a/y.npz"]) == {"/a/x.npz": "x.npz", "/a/y.npz": "y.npz"}
    assert short_values(["/a/x", "/b/x"]) == {"/a/x": "/a/x", "/b/x": "/b/x"}
    assert short_values(["1", "2"]) == {"1": "1", "2": "2"}
