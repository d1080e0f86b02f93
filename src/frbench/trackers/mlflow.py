"""A finished run in MLflow: settings, rates per group, findings, tables and page."""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from frbench.errors import InputError
from frbench.trackers._entries import flat, metrics_of, tags_of

if TYPE_CHECKING:
    from mlflow import MlflowClient

SWEEP = "frbench.sweep"
PARENT = "mlflow.parentRunId"
ARTEFACTS = ("*.html", "*.json", "*.sarif", "*.xml", "*.csv", "*.parquet", "*.md")
"""Files at the top of the run folder; the counts per image below it stay where they are."""

AT_ONCE = 100
"""Entries a call; the store takes no more parameters or tags in one."""


class MlflowTracker:
    """Writes a finished run into an MLflow store, by default a SQLite file in this folder.

    A sweep's jobs are children of one parent run. Per-image counts are not copied, and the
    package's own telemetry is switched off.

    Args:
        uri: tracking address of MLflow; null is ``sqlite:///mlflow.db`` in the current folder, with
            the files in ``mlartifacts`` beside it. The only way by which anything leaves this
            machine; the variable MLFLOW_TRACKING_URI is not read.
        experiment: name of the experiment, made where it is not there.
        artefacts: whether tables, findings and page are copied too.
        tags: further tags of every run.

    Raises:
        InputError: MLflow is not installed, or the address holds a password.
    """

    def __init__(
        self,
        *,
        uri: str | None = None,
        experiment: str = "frbench",
        artefacts: bool = True,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        # by specification, so that a run without tracking never waits for the import
        if importlib.util.find_spec("mlflow") is None:
            raise InputError(
                "MLflow is not installed; install it with pip install 'frbench[mlflow]' or take "
                "tracking=none"
            )
        if uri and urlsplit(uri).password:
            raise InputError(
                "uri holds a password, which the run's record would keep; give it in "
                "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
            )
        self.local = Path.cwd() if uri is None else None
        self.uri = uri or f"sqlite:///{Path.cwd() / 'mlflow.db'}"
        self.experiment = experiment
        self.artefacts = artefacts
        self.tags = dict(tags or {})

    def record(self, folder: Path, *, sweep: Path | None = None) -> str:
        """Tells of the run; gives the store, experiment and run id in words."""
        from frbench.stored_run import read_record

        record = read_record(folder)
        with warnings.catch_warnings():
            # what MLflow's own dependencies will drop one day is nothing that a user can mend
            warnings.simplefilter("ignore")
            run_id = self._told(folder, record, sweep)
        return f"{self.uri}, experiment {self.experiment}, run {run_id}"

    def _told(self, folder: Path, record: Mapping[str, Any], sweep: Path | None) -> str:
        client = _client(self.uri)
        experiment = self._experiment_id(client)
        tags = tags_of(folder, record) | self.tags
        if sweep is not None:
            tags[PARENT] = _parent(client, experiment, sweep)
        run = client.create_run(
            experiment, start_time=_milliseconds(record.get("started")), tags=tags
        )
        run_id = str(run.info.run_id)
        ended = _milliseconds(record.get("finished"))
        try:
            self._fill(client, run_id, folder, record, ended)
        except BaseException:
            client.set_terminated(run_id, status="FAILED")
            raise
        client.set_terminated(run_id, status="FINISHED", end_time=ended)
        return run_id

    def _fill(
        self, client: MlflowClient, run_id: str, folder: Path, record: Mapping[str, Any], at: int
    ) -> None:
        from mlflow.entities import Metric, Param

        settings = [Param(key, value) for key, value in flat(record.get("config") or {}).items()]
        for some in _batches(settings):
            client.log_batch(run_id, params=some)
        numbers = [Metric(key, value, at, 0) for key, value in metrics_of(folder, record).items()]
        for some in _batches(numbers):
            client.log_batch(run_id, metrics=some)
        if self.artefacts:
            for file in sorted({one for kind in ARTEFACTS for one in folder.glob(kind)}):
                client.log_artifact(run_id, str(file))

    def _experiment_id(self, client: MlflowClient) -> str:
        known = client.get_experiment_by_name(self.experiment)
        if known is not None:
            return str(known.experiment_id)
        place = None if self.local is None else (self.local / "mlartifacts").as_uri()
        return str(client.create_experiment(self.experiment, artifact_location=place))


def _client(uri: str) -> MlflowClient:
    """A client that reports nothing to anybody."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"  # read once, when the package is imported
    import mlflow

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    return mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)


def _parent(client: MlflowClient, experiment: str, sweep: Path) -> str:
    """Run id of the sweep's own run, made by its first job."""
    # a later sweep into the same folder writes this file anew and is a sweep of its own
    begun = sweep / "multirun.yaml"
    moment = begun.stat().st_mtime_ns if begun.is_file() else 0
    key = hashlib.sha256(f"{sweep.resolve()}|{moment}".encode()).hexdigest()[:32]
    found = client.search_runs([experiment], f"tags.`{SWEEP}` = '{key}'", max_results=1)
    if found:
        parent = str(found[0].info.run_id)
    else:
        name = sweep.resolve().name
        run = client.create_run(
            experiment, tags={SWEEP: key, "mlflow.runName": name}, run_name=name
        )
        parent = str(run.info.run_id)
        if begun.is_file():
            client.log_artifact(parent, str(begun))
    client.set_terminated(parent, status="FINISHED")
    return parent


def _milliseconds(moment: object) -> int:
    when = datetime.fromisoformat(str(moment)) if moment else datetime.now().astimezone()
    return int(when.timestamp() * 1000)


def _batches(entries: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(entries), AT_ONCE):
        yield entries[start : start + AT_ONCE]
