"""A run's set, images and matchers read once more and compared with what was recorded."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from frbench.config import Builder
from frbench.errors import InputError
from frbench.groups import GroupSpec, assign_groups
from frbench.input_files import ABSENT as NO_FILE
from frbench.input_files import IMAGE_TABLE, image_digests
from frbench.opaque.vendor import is_vendor
from frbench.run_collection.states import ABSENT, CHANGED, NOT_CHECKED, OK, Check
from frbench.runs import hash_table, plain
from frbench.values import FaceSet

MOST_NAMED = 3


def check_set(record: Mapping[str, Any]) -> tuple[FaceSet | None, Check]:
    """Persons, labels and paths as the set reads now."""
    stored = record["inputs"].get("set_sha256")
    if stored is None:
        return None, Check("set", NOT_CHECKED, "the run recorded no hash of the set")
    config = record["config"]
    builder = Builder(cache=Path(str(config.get("cache", ""))).expanduser())
    benchmark = builder.part(config["benchmark"], "benchmark")
    groups = builder.settings(GroupSpec, config["groups"], "groups")
    try:
        builder.done()
        assert groups is not None
        faces = assign_groups(benchmark.load(), groups)
    except (InputError, OSError) as cause:
        return None, Check("set", ABSENT, f"cannot be read ({cause})")
    if hash_table(faces.faces) != stored:
        return faces, Check("set", CHANGED, "persons, labels or paths are not those of the run")
    return faces, Check("set", OK, f"{len(faces.faces)} rows as they were read")


def check_images(folder: Path, record: Mapping[str, Any], faces: FaceSet | None) -> list[Check]:
    """Every image file of the set, in its order."""
    stored = record["inputs"].get("images")
    if stored is None:
        return []
    if faces is None:
        return [Check("images", NOT_CHECKED, "the set cannot be read")]
    then = pd.read_parquet(folder / IMAGE_TABLE)
    now = image_digests(faces)
    if hash_table(then) != stored["sha256"]:
        return [Check("images", CHANGED, f"{IMAGE_TABLE} is not the table of run.json")]
    if len(then) != len(now):
        return [Check("images", CHANGED, f"{len(now)} images, the run read {len(then)}")]
    other = now[now["sha256"].to_numpy() != then["sha256"].to_numpy()]
    lost, changed = other[other["sha256"] == NO_FILE], other[other["sha256"] != NO_FILE]
    checks = []
    if len(changed):
        checks.append(Check("images", CHANGED, f"{len(changed)} are others: {_named(changed)}"))
    if len(lost):
        checks.append(Check("images", ABSENT, f"{len(lost)} are not there: {_named(lost)}"))
    return checks or [Check("images", OK, f"{len(now)} image files as they were read")]


def _named(rows: pd.DataFrame) -> str:
    names = ", ".join(rows["path"].head(MOST_NAMED))
    return names + (f" and {len(rows) - MOST_NAMED} more" if len(rows) > MOST_NAMED else "")


def check_parts(record: Mapping[str, Any], lost: set[str]) -> list[Check]:
    """What matchers and detectors say of their weights now, packaged ones included.

    ``lost``: nodes of the configuration whose files are not those that were read.
    """
    config, checks = record["config"], []
    for row in record["matchers"]:
        node = "before" if row["arm"] == "before" else "matcher"
        if not row.get("identity") or node in lost:
            continue
        what = f"weights of {row['name']}"
        builder = Builder(device="cpu", cache=Path(str(config.get("cache", ""))).expanduser())
        part = builder.part(config[node], node)
        try:
            builder.done()
        except InputError as cause:
            checks.append(Check(what, ABSENT, str(cause)))
            continue
        if is_vendor(part) or not hasattr(part, "identity"):
            checks.append(Check(what, NOT_CHECKED, "a black box is not started to be verified"))
            continue
        try:
            now = plain(part.identity())
        except (InputError, OSError) as cause:
            checks.append(Check(what, ABSENT, str(cause)))
            continue
        same = now == row["identity"]
        words = "as they were" if same else f"now {now}, in the run {row['identity']}"
        checks.append(Check(what, OK if same else CHANGED, words))
    return checks
