"""``frbench doctor matcher=…``: from words on the command line to the table of probes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.text import Text

from frbench.config import Builder, config_dir, resolved
from frbench.errors import InputError
from frbench.formatting import label_text
from frbench.groups import GroupSpec, assign_groups
from frbench.probing import Row, Shown, VectorSubject, VendorSubject, crops_of, probe
from frbench.runs import plain
from frbench.runtime import DeviceSpec, machine
from frbench.tables import SCHEMA_VERSION
from frbench.values import FaceSet

MARKS = {True: ("ok     ", "green"), False: ("mend   ", "red"), None: ("       ", "dim")}
_FEWEST_PEOPLE = {"people_per_group": 3, "images_per_person": 2}


@dataclass(frozen=True)
class Probe:
    """The checked settings."""

    benchmark: Any
    groups: GroupSpec
    matcher: Any
    detector: Any
    images: int
    choice: str
    tolerance: float
    output: Path | None


def run_probe(arguments: Sequence[str]) -> int:
    """Probes the matcher that the arguments name; 0, or 1 where a probe fails.

    Raises:
        InputError: arguments that do not fit, or a matcher that cannot be probed.
    """
    job = _settled(_composed(arguments))
    faces = assign_groups(job.benchmark.load(), job.groups)
    rows = _probed(job, faces)
    _show(job, faces, rows)
    if job.output is not None:
        _save(job, faces, rows)
    return 1 if any(row.passed is False for row in rows) else 0


def _composed(arguments: Sequence[str]) -> Mapping[str, Any]:
    from hydra import compose, initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    strange = [word for word in arguments if "=" not in word]
    if strange:
        raise InputError(
            f"frbench doctor takes settings such as matcher=dlib, not {strange[0]!r}; without any "
            "it checks this machine"
        )
    if not any(word.startswith("matcher=") for word in arguments):
        raise InputError("name the matcher to probe, e.g. frbench doctor matcher=dlib")
    GlobalHydra.instance().clear()
    words = list(arguments)
    if not any(word.startswith("benchmark") for word in words):
        # six pictures a group are all that is looked at, so no more are rendered
        words += [f"benchmark.{key}={value}" for key, value in _FEWEST_PEOPLE.items()]
    try:
        with initialize_config_dir(version_base="1.3", config_dir=str(config_dir())):
            return resolved(compose("doctor", words))
    except (HydraException, OmegaConfBaseException) as wrong:
        reason = str(wrong.__cause__ or wrong).strip().splitlines()[0]
        raise InputError(f"the configuration cannot be used: {reason}") from None


def _settled(plain_: Mapping[str, Any]) -> Probe:
    cache = Path(str(plain_["cache"])).expanduser()
    device = DeviceSpec(kind=str((plain_["device"] or {}).get("kind", "auto"))).resolve()
    builder = Builder(device=device, cache=cache)
    benchmark = builder.part(plain_["benchmark"], "benchmark")
    matcher = builder.part(plain_["matcher"], "matcher")
    groups = builder.settings(GroupSpec, plain_["groups"], "groups")
    detector = None
    if matcher is not None and hasattr(matcher, "lookup"):
        builder.problems.append(
            "matcher: its vectors are in a file, so there is nothing to repeat; probe the matcher "
            "that made them"
        )
    elif matcher is not None and hasattr(matcher, "embed"):
        detector = builder.part(_detector(plain_["detector"], matcher), "detector")
    if benchmark is not None and hasattr(benchmark, "tally"):
        builder.problems.append("benchmark: a list of scores has no faces to show")
    if not isinstance(plain_["images"], int) or plain_["images"] < 2:
        builder.problems.append(f"images={plain_['images']} must be a whole number, at least 2")
    if not isinstance(plain_["tolerance"], int | float) or not plain_["tolerance"] >= 0:
        builder.problems.append(f"tolerance={plain_['tolerance']} must be a number, at least 0")
    builder.done()
    if benchmark is None or matcher is None or groups is None:
        raise InputError("frbench doctor needs a matcher and a set of faces")
    output = None if plain_["output"] is None else Path(str(plain_["output"])).expanduser()
    return Probe(
        benchmark,
        groups,
        matcher,
        detector,
        plain_["images"],
        str(plain_["choice"]),
        float(plain_["tolerance"]),
        output,
    )


def _detector(given: Mapping[str, Any] | None, matcher: Any) -> dict[str, Any]:
    from omegaconf import OmegaConf

    if given:
        return dict(given)
    file = config_dir() / "detector" / f"{matcher.default_detector}.yaml"
    return {str(key): value for key, value in OmegaConf.load(file).items()}


def _probed(job: Probe, faces: FaceSet) -> list[Row]:
    if faces.members is not None:
        raise InputError(f"{faces.name} has templates of several images; probe with another set")
    table = faces.faces.groupby("group", observed=True, sort=False).head(job.images)
    paths = [faces.root / path for path in table["path"]]
    person = pd.factorize(table["subject_id"])[0].astype(np.int64)
    group = [str(name) for name in table["group"]]
    if hasattr(job.matcher, "enrol"):
        tolerance = max(job.tolerance, job.matcher.effort.tolerance)
        shown = Shown(person, group)
        return probe(VendorSubject(job.matcher, paths), shown, tolerance=tolerance)
    crops, there = crops_of(job.matcher, job.detector, paths, job.choice)
    shown = Shown(person[there], [group[place] for place in there])
    rows = probe(VectorSubject(job.matcher, crops), shown, tolerance=job.tolerance)
    lost = len(paths) - len(there)
    return [*rows, Row("faces found", f"{len(there)} of {len(paths)} images", None, float(lost))]


def _show(job: Probe, faces: FaceSet, rows: Sequence[Row]) -> None:
    console = Console(highlight=False)
    whose = "synthetic faces (no real person)" if faces.synthetic else faces.name
    console.print(Text(f"{label_text(job.matcher.name)} on {label_text(whose)}", style="bold"))
    for row in rows:
        mark, style = MARKS[row.passed]
        words = f"{label_text(row.probe)}: {label_text(row.outcome)}"
        console.print(Text.assemble((mark, style), words), soft_wrap=True)


def _save(job: Probe, faces: FaceSet, rows: Sequence[Row]) -> None:
    assert job.output is not None
    record = {
        "schema_version": SCHEMA_VERSION,
        "verb": "doctor",
        "matcher": {"name": job.matcher.name, "identity": job.matcher.identity()},
        "benchmark": {
            "name": faces.name,
            "version": faces.version,
            "synthetic": faces.synthetic,
        },
        "machine": machine(),
        "probes": [asdict(row) for row in rows],
    }
    try:
        job.output.mkdir(parents=True, exist_ok=True)
        text = json.dumps(plain(record), indent=2, ensure_ascii=False)
        (job.output / "doctor.json").write_text(text + "\n", encoding="utf-8")
    except OSError as cause:
        raise InputError(
            f"{job.output}: cannot be written ({cause.strerror}); choose another output=DIR"
        ) from None
