"""Whether a run folder still says what was measured: files, tables, inputs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from frbench.digests import digest_file
from frbench.errors import InputError
from frbench.input_files import named_files
from frbench.run_collection.read_again import check_images, check_parts, check_set
from frbench.run_collection.recomputed import check_tables
from frbench.run_collection.states import ABSENT, CHANGED, NOT_CHECKED, OK, Check
from frbench.runs import CHECKSUMS, checksums


@dataclass(frozen=True)
class Verified:
    """What was found in one run folder."""

    folder: Path
    checks: tuple[Check, ...]

    @property
    def changed(self) -> list[Check]:
        """What is not as it was."""
        return [each for each in self.checks if each.state == CHANGED]

    @property
    def open(self) -> list[Check]:
        """What could not be checked."""
        return [each for each in self.checks if each.state in (ABSENT, NOT_CHECKED)]

    @property
    def status(self) -> int:
        """Exit status: 1 something changed, 3 something could not be checked, else 0."""
        return 1 if self.changed else 3 if self.open else 0


def verify_run(folder: Path, *, tables: bool = True, inputs: bool = True) -> Verified:
    """Checks one run folder; nothing is written.

    Every file against ``SHA256SUMS`` and against ``run.json``, rates, gaps and further tables
    recomputed from the stored comparisons, and the inputs that are still where they were read.

    Args:
        tables: recompute the tables.
        inputs: hash the inputs again.

    Raises:
        InputError: no run in the folder.
    """
    if not (folder / "run.json").is_file():
        raise InputError(f"{folder}: no run.json in it; name the folder of a finished run")
    checks = check_files(folder)
    try:
        record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        assert isinstance(record, dict)
    except (ValueError, AssertionError) as cause:
        checks.append(Check("run.json", CHANGED, f"cannot be read ({cause})"))
        return Verified(folder, tuple(checks))
    checks += _followed("run.json", check_record, folder, record)
    evaluation = record.get("verb") == "evaluate"
    if tables and evaluation:
        checks += _followed("tables", check_tables, folder, record)
    if inputs and evaluation:
        checks += _followed("inputs", check_inputs, folder, record)
    return Verified(folder, tuple(checks))


def _followed(
    what: str,
    check: Callable[[Path, Mapping[str, Any]], list[Check]],
    folder: Path,
    record: Mapping[str, Any],
) -> list[Check]:
    """What a check finds; a record of another shape than frbench writes is a change as well."""
    try:
        return check(folder, record)
    except (InputError, KeyError, TypeError, ValueError, AttributeError, OSError) as cause:
        words = f"run.json or a table cannot be followed ({type(cause).__name__}: {cause})"
        return [Check(what, CHANGED, words)]


def check_files(folder: Path) -> list[Check]:
    """Every file against ``SHA256SUMS``, which must be what the folder gives, byte by byte."""
    place = folder / CHECKSUMS
    if not place.is_file():
        return [
            Check(
                CHECKSUMS,
                ABSENT,
                "missing, so that run.json itself is not protected; runs written before this "
                "file was introduced have none",
            )
        ]
    text = place.read_bytes()
    now = checksums(folder)
    if text == now.encode():
        return [Check("files", OK, f"{now.count(chr(10))} files as they were written")]
    stored, found = _lines(text.decode("utf-8", errors="replace")), _lines(now)
    checks = [
        Check(name, CHANGED, "missing" if name not in found else "its bytes are others")
        for name, digest in stored.items()
        if found.get(name) != digest
    ]
    checks += [
        Check(name, CHANGED, "not among the files that the run wrote")
        for name in found
        if name not in stored
    ]
    return checks or [Check(CHECKSUMS, CHANGED, "its bytes are others")]


def _lines(text: str) -> dict[str, str]:
    pairs = [line.partition("  ") for line in text.splitlines()]
    return {name: digest for digest, _, name in pairs}


def check_record(folder: Path, record: Mapping[str, Any]) -> list[Check]:
    """The files against the hashes in ``run.json``."""
    checks = []
    for name, digest in (record.get("artefacts") or {}).items():
        place = folder / name
        if not place.is_file():
            checks.append(Check(name, CHANGED, "named in run.json, and missing"))
        elif digest_file(place) != digest:
            checks.append(Check(name, CHANGED, "its hash is not the one in run.json"))
    return checks or [Check("run.json", OK, "agrees with every file it names")]


def check_inputs(folder: Path, record: Mapping[str, Any]) -> list[Check]:
    """Files that settings name, the set as it reads now, its images, and the matchers' parts."""
    inputs = record.get("inputs")
    if not inputs:
        return [Check("inputs", NOT_CHECKED, "the run recorded no hashes of its inputs")]
    checks, lost = [], set()
    for row in inputs.get("files", ()):
        check = _file(row)
        checks.append(check)
        if check.state != OK:
            lost.add(str(row["key"]).partition(".")[0])
    # a file that was not there then may be there now, and be read in its place
    known = {str(row["key"]) for row in inputs.get("files", ())}
    checks += [
        Check(key, CHANGED, f"{path} was not there when the run was made")
        for key, path in named_files(record.get("config") or {}).items()
        if key not in known
    ]
    if "benchmark" in lost:
        checks.append(Check("set", NOT_CHECKED, "its file is not the one that was read"))
        checks += check_images(folder, record, None)
    else:
        faces, check = check_set(record)
        checks.append(check)
        checks += check_images(folder, record, faces)
    return checks + check_parts(record, lost)


def _file(row: Mapping[str, Any]) -> Check:
    path = Path(str(row["path"]))
    try:
        digest = digest_file(path)
    except OSError as cause:
        return Check(str(row["key"]), ABSENT, f"{path} cannot be read ({cause.strerror})")
    if digest != row["sha256"]:
        return Check(str(row["key"]), CHANGED, f"{path} is not the file that was read")
    return Check(str(row["key"]), OK, f"{path} is the file that was read")
