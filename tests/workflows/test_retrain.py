"""``frbench retrain`` as a user runs it: the run folder, what it says, and what it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from hydra import compose, initialize_config_dir
from rich.console import Console

from frbench.config import config_dir
from frbench.errors import InputError
from frbench.progress import Stages
from frbench.values import FaceSet
from frbench.workflows.retrain import RetrainConfig, check
from frbench.workflows.retrain import _pools as retrain_pools

FACES = FaceSet("none", "1", Path(), pd.DataFrame(), about={"grouped_by": "sex"})

SMALL = (
    *("benchmark.people_per_group=5", "benchmark.images_per_person=3", "groups.by=[skin_tone]"),
    *("training_set.people=20", "training_set.images_per_person=2", "fresh_set.people=20"),
    *("fresh_set.images_per_person=2", "budget.steps=3", "budget.batch=6", "seeds=[1,2]"),
    *("operating_point.target_fmr=[0.05]", "recipes=[as_retained,lawfully_retained]"),
)


def retrain(*words: str) -> subprocess.CompletedProcess[str]:
    """The command, in a process of its own."""
    command = [sys.executable, "-m", "frbench", "retrain", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """One experiment, made once."""
    folder = tmp_path_factory.mktemp("retrain")
    done = retrain(*SMALL, f"output={folder / 'run'}", f"cache={folder / 'cache'}", "device=cpu")
    return folder / "run", done


def test_the_run_folder_is_whole(made: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    """Tables, findings, page and record, with every trained network's hash."""
    run, done = made
    assert done.returncode == 0, done.stderr
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    assert record["verb"] == "retrain"
    assert record["training"]["training_set"]["synthetic"] is True
    networks = pd.read_csv(run / "networks.csv")
    assert list(networks["recipe"]) == ["as_retained"] * 2 + ["lawfully_retained"] * 2
    assert networks["sha256"].nunique() == 4
    assert set(networks["images_seen"]) == {18}
    shares = pd.read_csv(run / "shares.csv")
    assert shares.groupby(["recipe", "seed"])["training_share"].sum().round(9).eq(1).all()
    changes = pd.read_csv(run / "changes.csv")
    known = changes[changes["status"] != "undefined"]
    assert (known["low"] <= known["ratio"]).all()
    assert (known["ratio"] <= known["high"]).all()
    assert set(changes["against"]) == {"before retraining", "as_retained"}
    assert set(pd.read_csv(run / "recipes.csv")["rank"]) <= {1, 2}
    assert len(pd.read_csv(run / "variance.csv"))
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "Synthetic faces" in page
    assert "On whose images should the matcher be retrained?" in page


def test_the_rates_are_those_of_the_trained_networks(
    made: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    """The changes table tells what the rates tables of the single matchers tell."""
    run, _ = made
    rates, changes = pd.read_csv(run / "rates.csv"), pd.read_csv(run / "changes.csv")
    own = rates[(rates["kind"] == "FMR") & (rates["probe_group"] == "darker")]
    own = own[own["reference_group"] == "darker"].set_index("arm")["rate"]
    row = changes[(changes["kind"] == "FMR") & (changes["group"] == "darker")]
    row = row[(row["recipe"] == "as_retained")].iloc[0]
    assert row["before"] == pytest.approx(own["before"])
    assert row["after"] == pytest.approx(own[["as_retained seed 1", "as_retained seed 2"]].mean())


def checked(*overrides: str) -> RetrainConfig:
    """The settings that these words make, before anything is read."""
    with initialize_config_dir(version_base="1.3", config_dir=str(config_dir())):
        return check(compose("retrain", ["output=out", "device=cpu", *overrides]))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("recipes=[as_retained,none_such]",), "none_such"),
        (("seeds=[1,1]",), "names one more than once"),
        (("~fresh_set",), "mix.fresh_sample takes its people from fresh_set"),
        (("budget.steps=0",), "steps=0"),
        (("+budget.epochs=3",), "epochs unknown"),
        (("+rules={}",), "rules is no setting of frbench retrain"),
    ],
)
def test_settings_that_cannot_work_are_refused(words: tuple[str, ...], told: str) -> None:
    """Each with a sentence of its own, before any image is read."""
    with pytest.raises(InputError, match=told):
        checked(*words)


def test_only_the_recipes_named_are_taken() -> None:
    """Without the recipe that needs it, no fresh set is needed."""
    found = checked("~fresh_set", "recipes=[equal_per_group,as_retained]")
    assert list(found.recipes) == ["equal_per_group", "as_retained"]
    assert found.fresh_set is None


def test_a_matcher_without_a_network_is_refused() -> None:
    """dlib's network is in another library's hands."""
    config = checked("matcher=dlib", "detector=precropped", "recipes=[as_retained]")
    with pytest.raises(InputError, match="cannot be retrained"):
        retrain_pools(config, FACES, Stages(Console(quiet=True)))
