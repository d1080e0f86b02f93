"""A finished run told to a real MLflow store, and stores that fail."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_evaluate import frbench
from test_report import evaluated, score_list

from frbench.errors import InputError
from frbench.runs import artefact_hashes
from frbench.trackers import tell
from frbench.trackers._entries import distinct, flat, metrics_of, safe_name
from frbench.trackers.mlflow import MlflowTracker
from reporting_fixtures import HOSTILE

pytest.importorskip("mlflow", reason="mlflow is not installed")


def client(folder: Path):
    """A reader of the store in ``folder``, as another program would open it."""
    import mlflow

    return mlflow.MlflowClient(tracking_uri=f"sqlite:///{folder / 'mlflow.db'}")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a hostile-labelled run and a sweep of two jobs, told to the store in it."""
    folder = tmp_path_factory.mktemp("told")
    evaluated(folder, "run", "tracking=mlflow", groups=(HOSTILE[0], HOSTILE[6]))
    path = score_list(folder, ("f", "m"))
    done = frbench(
        *("evaluate", "--multirun", "benchmark=scores", f"benchmark.path={path}"),
        *("groups.by=[sex]", "operating_point.target_fmr=[0.05]", "seed=1,2", "tracking=mlflow"),
        f"output={folder / 'sweep'}",
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("Tracked: sqlite:///") == 2
    return folder


def test_the_store_holds_what_the_folder_holds(told: Path) -> None:
    """Settings, rates with intervals and files in the store are those of the run folder."""
    store = client(told)
    (experiment,) = [e for e in store.search_experiments() if e.name == "frbench"]
    runs = store.search_runs([experiment.experiment_id])
    run = next(each for each in runs if each.info.run_name == "run")
    rates = pd.read_parquet(told / "run" / "rates.parquet")
    own = rates[rates["probe_group"] == rates["reference_group"]]
    expected = sorted(own["rate"].dropna())
    stored = {k: v for k, v in run.data.metrics.items() if k.startswith("FMR 0")}
    gaps = pd.read_parquet(told / "run" / "gaps.parquet")["measure"].unique()
    plain = [
        v
        for k, v in stored.items()
        if not k.endswith((" low", " high")) and not any(f"/{m}" in k for m in map(safe_name, gaps))
    ]
    assert sorted(plain) == expected
    record = json.loads((told / "run" / "run.json").read_text())
    assert run.data.params["seed"] == str(record["config"]["seed"])
    assert run.data.params["groups.by"] == '["sex"]'
    assert run.data.tags["frbench.benchmark"] == record["benchmark"]["name"]
    assert run.info.status == "FINISHED"
    files = {each.path for each in store.list_artifacts(run.info.run_id)}
    assert {"report.html", "run.json", "rates.csv", "rates.parquet", "findings.json"} <= files
    assert not any("tally" in name for name in files)
    page = Path(store.download_artifacts(run.info.run_id, "report.html"))
    assert page.read_bytes() == (told / "run" / "report.html").read_bytes()


def test_a_sweep_is_a_parent_with_its_jobs(told: Path) -> None:
    """Both jobs name the one run of the sweep as their parent."""
    store = client(told)
    (experiment,) = [e for e in store.search_experiments() if e.name == "frbench"]
    runs = store.search_runs([experiment.experiment_id])
    (parent,) = [each for each in runs if each.info.run_name == "sweep"]
    children = [
        each for each in runs if each.data.tags.get("mlflow.parentRunId") == parent.info.run_id
    ]
    assert sorted(each.data.params["seed"] for each in children) == ["1", "2"]
    assert "mlflow.parentRunId" not in parent.data.tags
    assert len(runs) == 4


def test_a_store_that_fails_costs_a_line_and_no_run(
    told: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With an unusable store the run stands complete, the status stays and stderr says so."""
    run = tmp_path / "run"
    shutil.copytree(told / "run", run)
    before = artefact_hashes(run)
    (tmp_path / "broken.db").write_bytes(b"this is no database" * 100)
    broken = MlflowTracker(uri=f"sqlite:///{tmp_path / 'broken.db'}")
    assert tell(broken, run) is False
    said = capsys.readouterr().err
    assert "the run is complete" in said
    assert "could not be tracked" in said
    assert artefact_hashes(run) == before
    done = frbench(
        *("evaluate", "benchmark=scores", f"benchmark.path={told / 'scores.csv'}"),
        *("groups.by=[sex]", "operating_point.target_fmr=[0.05]", "tracking=mlflow"),
        *("tracking.uri=ftp://nowhere/x", f"output={tmp_path / 'second'}"),
        cwd=tmp_path,
    )
    assert done.returncode == 0
    assert "could not be tracked" in done.stderr
    assert (tmp_path / "second" / "run.json").is_file()


def test_nothing_leaves_the_machine(told: Path, tmp_path: Path) -> None:
    """With the default store, no connection is opened, whatever the environment asks for."""
    code = (
        "import sys\n"
        "seen = []\n"
        "def hook(name, args):\n"
        "    if name in ('socket.connect', 'socket.getaddrinfo'):\n"
        "        seen.append((name, str(args)))\n"
        "sys.addaudithook(hook)\n"
        "from pathlib import Path\n"
        "from frbench.trackers.mlflow import MlflowTracker\n"
        "MlflowTracker().record(Path(sys.argv[1]))\n"
        "import mlflow.telemetry.client as telemetry\n"
        "print(seen, telemetry.get_telemetry_client())\n"
    )
    shutil.copy(told / "mlflow.db", tmp_path / "mlflow.db")
    environment = {**os.environ, "MLFLOW_TRACKING_URI": "http://203.0.113.1:5000"}
    environment.pop("MLFLOW_DISABLE_TELEMETRY", None)
    done = subprocess.run(
        [sys.executable, "-c", code, str(told / "run")],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().splitlines()[-1] == "[] None"


def test_passwords_are_refused() -> None:
    """An address with a password would end in the record of the run."""
    with pytest.raises(InputError, match="MLFLOW_TRACKING_PASSWORD"):
        MlflowTracker(uri="https://me:secret@tracking.example")


@settings(deadline=None, max_examples=60)
@given(st.lists(st.text(min_size=0, max_size=300), max_size=8))
def test_any_label_becomes_a_name_that_is_accepted(labels: list[str]) -> None:
    """Every text gives a distinct name that MLflow's own check lets pass."""
    from mlflow.utils.validation import _validate_metric_name

    taken: dict[str, float] = {}
    for label in [*labels, *HOSTILE, "../up", "/", "a//b", "."]:
        name = distinct(safe_name(label), taken)
        _validate_metric_name(name)
        taken[name] = 0.0
    assert len(taken) == len(labels) + len(HOSTILE) + 4


def test_settings_are_flat_text() -> None:
    """Nested keys are joined by dots; lists are JSON; an empty node is kept."""
    nested = {"a": {"b": 1, "c": [1, "x"]}, "d": {}, "e": None, "f": "y" * 7000}
    found = flat(nested)
    assert {key: found[key] for key in ("a.b", "a.c", "d", "e")} == {
        "a.b": "1",
        "a.c": '[1, "x"]',
        "d": "{}",
        "e": "null",
    }
    assert len(found["f"]) == 6000


def test_what_cannot_be_measured_is_left_out(told: Path) -> None:
    """No metric is infinite or undefined."""
    assert all(map(math.isfinite, metrics_of(told / "run", {"seconds": {"x": 1.0}}).values()))
