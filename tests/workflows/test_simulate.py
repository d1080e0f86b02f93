"""``frbench simulate`` as a user runs it: the run folder, the page, the sentences."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from rich.console import Console

from frbench.config import config_dir
from frbench.errors import InputError
from frbench.feedback.loop import FIELDS
from frbench.feedback.summary import COURSE_COLUMNS, GROWTH_COLUMNS, RANKING_COLUMNS
from frbench.progress import Stages
from frbench.workflows.simulate import check
from frbench.workflows.simulate import run as run_simulation

Done = subprocess.CompletedProcess[str]


def simulate(*words: str) -> Done:
    """The command, in a process of its own."""
    command = [sys.executable, "-m", "frbench", "simulate", "rounds=8", "seeds=6", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=200)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Done]:
    """One simulation with hostile names, from a measured run, made once."""
    folder = tmp_path_factory.mktemp("simulate")
    cells = [("<b>x", "<b>x", 40), ("=cmd", "=cmd", 4), ("<b>x", "=cmd", 2)]
    pd.DataFrame(
        [
            {
                "arm": "",
                "matcher": "m",
                "operating_point": "FMR 0.001",
                "kind": "FMR",
                "probe_group": first,
                "reference_group": second,
                "errors": errors,
                "comparisons": 10_000_000,
                "failed": 0,
            }
            for first, second, errors in cells
        ]
    ).to_parquet(folder / "rates.parquet")
    (folder / "groups.csv").write_text(
        "group,population,arrests_per_1000\n<b>x,1000,40\n=cmd,4000,10\n"
    )
    done = simulate(
        "start=measured",
        f"start.run={folder}",
        "world=stated",
        f"world.table={folder / 'groups.csv'}",
        "world.disposals={charged: 0.5, released_without_charge: 0.5}",
        "learner.exponent=0",
        "gate=flag",
        "write_seeds=3",
        f"output={folder / 'run'}",
    )
    return folder / "run", done


def test_the_run_folder_is_whole(run: tuple[Path, Done]) -> None:
    """Tables with their columns, findings, page and record; the gate sets the status."""
    out, done = run
    assert done.returncode == 1, done.stderr
    record = json.loads((out / "run.json").read_text())
    assert record["start"]["source"].startswith("measured: run")
    assert record["verb"] == "simulate"
    tables = {
        name: pd.read_parquet(out / f"{name}.parquet")
        for name in ("ranking", "growth", "course", "rounds")
    }
    assert tuple(tables["ranking"].columns) == RANKING_COLUMNS
    assert tuple(tables["growth"].columns) == GROWTH_COLUMNS
    assert tuple(tables["course"].columns) == COURSE_COLUMNS
    assert tuple(tables["rounds"].columns) == ("policy", "seed", "round", "group", *FIELDS)
    assert len(tables["rounds"]) == 7 * 3 * 8 * 2
    assert (
        tables["rounds"]
        .groupby(["policy", "seed", "round"])["share"]
        .sum()
        .between(0.9999, 1.0001)
        .all()
    )


def test_what_it_finds(run: tuple[Path, Done]) -> None:
    """The group arrested more often is named, and what was stated is said."""
    findings = json.loads((run[0] / "findings.json").read_text())
    flags = [each for each in findings if each["level"] == "flag"]
    assert [(each["code"], each["keys"]["group"]) for each in flags] == [
        ("disparity_grows", "<b>x")
    ]
    stated = next(each for each in findings if each["code"] == "stated_inputs")
    assert "response of the matcher" in stated["statement"]
    assert "false-match rates" not in stated["statement"]


def test_the_page_shows_names_as_text(run: tuple[Path, Done]) -> None:
    """Hostile names do no harm, and nothing is asked of the network."""
    page = (run[0] / "report.html").read_text()
    assert "<b>x" not in page
    assert "&lt;b&gt;x" in page
    assert ",=cmd" not in (run[0] / "growth.csv").read_text()
    assert "Simulated" in page
    assert len(page) < 3_000_000


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["start=measured", "start.run=nowhere"], "holds no rates.parquet"),
        (["start=measured"], "start.run=DIR"),
        (["current=nothing"], "is no policy"),
        (["seeds=1"], "seeds=1 must be a whole number of at least 2"),
        (["reference=none"], "state the residents' shares"),
        (["start=stated", "start.fmr={Martian: 1e-7, White: 1e-7}"], "are no category of"),
        (["world.pull=3"], "world.pull=3"),
        (["policies.cap.times=0"], "times=0 must lie above 0"),
        (["+colour=red"], "colour is no setting"),
    ],
)
def test_bad_input_gets_a_sentence(words: list[str], said: str) -> None:
    """What is wrong, where, and how to mend it."""
    OmegaConf.register_new_resolver("frbench.partial", lambda final: final, replace=True)
    with initialize_config_dir(version_base="1.3", config_dir=str(config_dir())):
        cfg = compose("simulate", ["output=out", "rounds=4", "seeds=2", *words])
    with pytest.raises(InputError, match=re.escape(said)):
        run_simulation(check(cfg), Stages(Console(quiet=True)))


def test_a_typo_leaves_no_folder_behind(tmp_path: Path) -> None:
    """Status 2, one sentence, no traceback."""
    done = simulate("current=nothing", f"output={tmp_path / 'out'}")
    assert done.returncode == 2
    assert "is no policy" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()
