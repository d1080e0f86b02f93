"""Runs over time: alarms held over all of them, drift, the release gate, and what is refused."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from rich.console import Console

from frbench.config import config_dir
from frbench.errors import InputError
from frbench.jobs import Outcome
from frbench.monitoring.changes import RUN_COLUMNS, run_table
from frbench.monitoring.drift import psi_and_ks
from frbench.monitoring.stored import StoredRun
from frbench.progress import Stages
from frbench.values import Histogram, ScoreTally
from frbench.workflows.monitor import check, run
from run_folders import CONFIG, changed, run_folder, target
from worlds import population

POINT = [target(0.0, 0.02)]


def stored(
    folder: Path,
    day: int,
    tally: ScoreTally,
    *,
    persons: tuple[int, int] = (60, 60),
    points: Any = POINT,
    **more: Any,
) -> Path:
    """A run of this tally in November."""
    return Path(
        run_folder(
            folder / f"run{day:02d}",
            tally,
            points,
            started=f"2026-11-{day:02d}T10:00:00+00:00",
            comparisons=[{"arm": "", "policy": tally.policy}],
            benchmark={
                "name": "world",
                "labels_sha256": more.pop("labels", f"day {day}"),
                "groups": list(tally.groups),
                "synthetic": True,
            },
            groups=[
                {"group": name, "subjects": n, "images": 4 * n, "failed": 0}
                for name, n in zip(tally.groups, persons, strict=True)
            ],
            **more,
        )
    )


def world(seed: int, *fmr: float, persons: int = 60) -> ScoreTally:
    """A population with these rates at threshold 0."""
    return population(
        np.random.default_rng(seed), fmr=fmr or (0.02, 0.02), persons=(persons, persons)
    )


def monitored(*words: str) -> Outcome:
    """The verb in this process."""
    OmegaConf.register_new_resolver("frbench.partial", lambda final: final, replace=True)
    with initialize_config_dir(version_base="1.3", config_dir=str(config_dir())):
        cfg = compose("monitor", ["output=out", *words])
    return run(check(cfg), Stages(Console(quiet=True)))


def levels(found: Outcome) -> dict[str, set[str]]:
    """Levels of the findings by code."""
    return {
        code: {each.level for each in found.findings if each.code == code}
        for code in {each.code for each in found.findings}
    }


def test_a_group_that_gets_worse_raises_the_alarm_in_its_run(tmp_path: Path) -> None:
    """Two runs, ten times worse for one group, are named for that group and for no other."""
    for day, rates in ((1, (0.02, 0.02)), (2, (0.02, 0.2)), (3, (0.02, 0.2))):
        stored(tmp_path, day, world(day, *rates))
    found = monitored(f"runs=[{tmp_path}]")
    table = found.tables["timeline"]
    assert tuple(table.columns) == RUN_COLUMNS
    alarms = table[table["alarm"] & (table["kind"] == "FMR")]
    assert set(alarms["group"]) <= {"g1", "all"}
    assert ("run02", "g1") in set(zip(alarms["run"], alarms["group"], strict=True))
    assert levels(found)["rate_rises"] >= {"flag"}
    assert levels(found)["disparity_rises"] >= {"flag"}
    gate = [each for each in found.findings if each.code == "no_worse_for_any_group"]
    assert any(each.level == "flag" and "g1" in each.statement for each in gate)
    assert not any("paired" in each.statement for each in gate)


def remembered(folder: Path, day: int, rates: np.ndarray, spread: float) -> StoredRun:
    """A run whose rates were measured with this standard error of their logarithm."""
    table = pd.DataFrame(
        {
            "operating_point": "FMR 0.01",
            "kind": "FMR",
            "probe_group": [f"g{at}" for at in range(len(rates))],
            "reference_group": [f"g{at}" for at in range(len(rates))],
            "rate": rates,
            "low": rates * np.exp(-1.96 * spread),
            "high": rates * np.exp(1.96 * spread),
            "subjects": 100,
            "status": "ok",
        }
    )
    gaps = pd.DataFrame(
        columns=["operating_point", "kind", "measure", "value", "low", "high", "status"]
    )
    return StoredRun(folder, f"run{day}", f"2026-11-{day}", {"benchmark": {}}, {}, (), table, gaps)


def test_unchanged_runs_raise_no_more_alarms_than_promised() -> None:
    """Of 40 systems with four unchanged later runs of four groups at most 5 % raise any alarm."""
    rng = np.random.default_rng(3)
    false = 0
    for _ in range(40):
        measured = 0.01 * np.exp(rng.normal(0, 0.2, size=(5, 4)))
        runs = [remembered(Path("x"), day, each, 0.2) for day, each in enumerate(measured)]
        false += bool(run_table(runs, {}, limit=1.0, level=0.95)["alarm"].any())
    assert false <= 2


def test_the_same_images_are_compared_in_pairs(tmp_path: Path) -> None:
    """A run beside itself has a ratio of one without width, and is no worse for any group."""
    tally = world(5, 0.05, 0.05)
    for day in (1, 2):
        stored(tmp_path, day, tally, labels="same")
    found = monitored(f"runs=[{tmp_path}]")
    rows = found.tables["timeline"]
    rows = rows[(rows["run"] == "run02") & (rows["kind"] == "FMR")]
    assert rows["paired"].all()
    assert rows["ratio"].to_numpy() == pytest.approx(np.ones(3))
    assert levels(found)["no_worse_for_any_group"] == {"note"}


def test_spent_chances_sum_to_the_level(tmp_path: Path) -> None:
    """All tests of all runs, were there without end, use the tolerated chance once."""
    for day in range(1, 5):
        stored(tmp_path, day, world(day, 0.05, 0.05, persons=25), persons=(25, 25))
    table = monitored(f"runs=[{tmp_path}]").tables["timeline"]
    spent = table[table["p_value"].notna()].groupby("run")["spent"].sum()
    assert spent.to_numpy() == pytest.approx(0.05 / np.array([2, 6, 12]))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"matcher": "other"}, "another matcher, other instead of m"),
        ({"points": [target(0.0, 0.1)]}, "another threshold policy"),
        ({"points": [dataclasses.replace(POINT[0], source="calibration split")]}, "calibration"),
    ],
)
def test_runs_that_cannot_be_compared_are_refused(
    tmp_path: Path, more: dict[str, Any], said: str
) -> None:
    """The sentence names the run and says why."""
    stored(tmp_path, 1, world(1, persons=20))
    stored(tmp_path, 2, world(2, persons=20), **more)
    with pytest.raises(InputError, match=f"run02: .*{said}"):
        monitored(f"runs=[{tmp_path}]")


def test_an_approved_new_version_may_be_asked_about(tmp_path: Path) -> None:
    """With other_matcher=true the runs of two versions stand beside each other."""
    stored(tmp_path, 1, world(1, persons=20), persons=(20, 20))
    stored(tmp_path, 2, world(2, persons=20), persons=(20, 20), matcher="next")
    assert len(monitored(f"runs=[{tmp_path}]", "other_matcher=true").tables["timeline"])


def test_the_approved_run_comes_first_and_as_of_orders(tmp_path: Path) -> None:
    """``approved`` overrides time, and a run's own ``as_of`` overrides when it was started."""
    tally = world(1, persons=20)
    for day in (1, 2, 3):
        as_of = "2025-01-01" if day == 3 else f"2026-11-{day:02d}"
        stored(tmp_path, day, tally, persons=(20, 20), config=changed(CONFIG, "as_of", as_of))
    names = lambda found: list(dict.fromkeys(found.tables["timeline"]["run"]))  # noqa: E731
    assert names(monitored(f"runs=[{tmp_path}]")) == ["run03", "run01", "run02"]
    approved = f"approved={tmp_path / 'run02'}"
    assert names(monitored(f"runs=[{tmp_path}]", approved)) == ["run02", "run03", "run01"]


def test_scores_and_people_that_move_are_told(tmp_path: Path) -> None:
    """A shift of one bin width in all scores and a turned population are both flagged."""
    rng = np.random.default_rng(1)
    edges = np.linspace(-4, 4, 81)
    for day, shift in ((1, 0.0), (2, 0.8)):
        counts = np.zeros((2, 2, 2, 80), dtype=np.int64)
        for kind in range(2):
            for group in range(2):
                drawn = rng.normal(shift, 1, 20_000)
                counts[kind, group, group] = np.histogram(drawn, edges)[0]
        tally = dataclasses.replace(world(day, persons=20), histogram=Histogram(edges, counts, 0.0))
        stored(tmp_path, day, tally, persons=(20, 200) if day == 1 else (200, 20))
    found = monitored(f"runs=[{tmp_path}]")
    assert levels(found)["score_drift"] == {"flag"}
    assert levels(found)["population_drift"] == {"flag"}
    psi = found.tables["scores"].set_index(["group", "comparison"])["psi"]
    # two normals one unit apart have PSI d² in the limit of fine bins; ten bins lose a little
    assert psi[("g0", "non-mated")] == pytest.approx(0.64, rel=0.1)


def test_psi_and_ks_equal_their_definitions() -> None:
    """Against loops over bins of equal share, on counts that fill them exactly."""
    before, now = np.full(10, 10.0), np.arange(1.0, 11.0)
    psi, ks, bins = psi_and_ks(before, now)
    p, q = before / before.sum(), now / now.sum()
    assert bins == 10
    assert psi == pytest.approx(sum((b - a) * np.log(b / a) for a, b in zip(p, q, strict=True)))
    assert ks == pytest.approx(max(abs(sum(p[:k]) - sum(q[:k])) for k in range(11)))


def test_one_of_runs_and_series_must_be_given(tmp_path: Path) -> None:
    """Neither, both, one run only, and a folder without runs are sentences."""
    stored(tmp_path, 1, world(1, persons=20))
    for words, said in (
        ([], "either runs"),
        (["runs=[a]", "series=b"], "either runs"),
        ([f"runs=[{tmp_path}]"], "two runs or more"),
        ([f"runs=[{tmp_path / 'nowhere'}]"], "no run folder"),
        (["series=nowhere.csv"], "nowhere.csv does not exist"),
    ):
        with pytest.raises(InputError, match=said):
            monitored(*words)


def test_the_page_and_the_exit_status_of_a_series(tmp_path: Path) -> None:
    """As a user runs it: status 1 at the gate, tables, page and hostile names as text."""
    rng = np.random.default_rng(2)
    rows = [
        (day.date(), group, int(rng.binomial(400, 0.01 if day.month < 3 else late)), 400)
        for day in pd.date_range("2026-01-01", "2026-04-30")
        for group, late in (("<b>x", 0.05), ("=cmd", 0.01))
    ]
    names = ["date", "group", "alerts", "searches"]
    pd.DataFrame(rows, columns=names).to_csv(tmp_path / "s.csv", index=False)
    words = [f"series={tmp_path / 's.csv'}", f"output={tmp_path / 'out'}", "gate=flag"]
    done = subprocess.run(
        [sys.executable, "-m", "frbench", "monitor", *words],
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 1, done.stderr
    page = (tmp_path / "out" / "report.html").read_text()
    assert "<b>x" not in page
    assert "&lt;b&gt;x" in page
    findings = json.loads((tmp_path / "out" / "findings.json").read_text())
    flags = {each["keys"]["group"] for each in findings if each["level"] == "flag"}
    assert flags == {"<b>x"}
    assert ",=cmd" not in (tmp_path / "out" / "watched.csv").read_text()
