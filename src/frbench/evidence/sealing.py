"""The pack's checksums and its chain: every change after the first seal stays on record.

``SHA256SUMS`` lists every file, for ``sha256sum -c``. ``chain.json`` is a log of files added,
changed and removed, in which every entry contains the hash of the one before; a later seal appends
and cannot rewrite without changing every hash that follows. Both can be forged by whoever can write
the folder: publish the last hash, or sign.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from frbench.errors import InputError
from frbench.evidence.signing import SIGNATURES
from frbench.runs import hash_file, write_json

SUMS, CHAIN = "SHA256SUMS", "chain.json"
FIRST = "0" * 64
"""What the first entry names as the hash before it."""

FIXED = ("runs/", "datasets/")
"""What nobody may change after the first seal: measurements are made anew, not edited."""


def seal(folder: Path) -> list[str]:
    """Writes ``chain.json`` and ``SHA256SUMS`` for the folder as it is; gives the changed paths.

    Raises:
        InputError: a measured file was changed since the last seal, or the chain is damaged.
    """
    entries = read_chain(folder) if (folder / CHAIN).is_file() else []
    problems = chain_problems(entries)
    if problems:
        raise InputError.listing(f"{folder}: the chain is damaged, so nothing is sealed:", problems)
    known, found = state(entries), contents(folder)
    changed = sorted(path for path in {*known, *found} if known.get(path) != found.get(path))
    fixed = [path for path in changed if path.startswith(FIXED)] if entries else []
    if fixed:
        raise InputError.listing(
            f"{folder}: measured files were changed since the last seal; make a new pack:", fixed
        )
    at = datetime.now(UTC).isoformat(timespec="seconds")
    previous = entries[-1]["hash"] if entries else FIRST
    for path in changed:
        event = "removed" if path not in found else "changed" if path in known else "added"
        entry = {
            "index": len(entries),
            "at": at,
            "event": event,
            "path": path,
            "sha256": found.get(path, ""),
            "previous": previous,
        }
        previous = entry_hash(entry)
        entries.append({**entry, "hash": previous})
    write_json(folder / CHAIN, {"version": 1, "entries": entries})
    sums = {**found, CHAIN: hash_file(folder / CHAIN)}
    (folder / SUMS).write_text(sums_text(sums), encoding="utf-8", newline="\n")
    for name in SIGNATURES:
        (folder / name).unlink(missing_ok=True)
    return changed


def problems_of(folder: Path) -> list[str]:
    """Everything that does not fit the checksums, the chain or the runs' own records."""
    sums_file = folder / SUMS
    if not sums_file.is_file() or not (folder / CHAIN).is_file():
        raise InputError(f"{folder}: no {SUMS} and {CHAIN} in it; it is no evidence pack.")
    found = {**contents(folder), CHAIN: hash_file(folder / CHAIN)}
    problems = []
    try:
        listed = read_sums(sums_file)
    except ValueError as cause:
        return [f"{SUMS}: {cause}"]
    for path in sorted({*listed, *found}):
        if path not in found:
            problems.append(f"{path}: missing")
        elif path not in listed:
            problems.append(f"{path}: not in the pack when it was sealed")
        elif listed[path] != found[path]:
            problems.append(f"{path}: changed since it was sealed")
    try:
        entries = read_chain(folder)
    except InputError as cause:
        return [*problems, str(cause)]
    problems += chain_problems(entries)
    if not problems and state(entries) | {CHAIN: found[CHAIN]} != listed:
        problems.append(f"{CHAIN}: does not lead to the files that {SUMS} lists")
    return problems + _against_records(folder, found)


def head(folder: Path) -> str:
    """Hash of the last entry: publish it, and nobody can change the pack unseen."""
    entries = read_chain(folder)
    return str(entries[-1]["hash"]) if entries else FIRST


def history(folder: Path) -> list[str]:
    """Changes after the first seal, a line each."""
    entries = read_chain(folder)
    return [
        f"{each['at']}: {each['path']} {each['event']}"
        for each in entries
        if each["at"] != entries[0]["at"] or each["event"] != "added"
    ]


def contents(folder: Path) -> dict[str, str]:
    """SHA-256 of every file of the pack by relative name, without chain, checksums, signatures."""
    own = {SUMS, CHAIN, *SIGNATURES}
    files = sorted(path for path in folder.rglob("*") if path.is_file() or path.is_symlink())
    linked = [path for path in files if path.is_symlink()]
    if linked:
        raise InputError(f"{linked[0]}: a link; an evidence pack holds files only.")
    named = {path.relative_to(folder).as_posix(): path for path in files}
    return {name: hash_file(path) for name, path in named.items() if name not in own}


def entry_hash(entry: Mapping[str, Any]) -> str:
    """SHA-256 of an entry without its own hash, as JSON with sorted keys and no spaces."""
    plain = {key: value for key, value in entry.items() if key != "hash"}
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def chain_problems(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    """Where an entry's hash, its place or its link to the one before does not fit."""
    previous = FIRST
    for position, entry in enumerate(entries):
        if entry["index"] != position or entry["previous"] != previous:
            return [f"{CHAIN}: entry {position} does not follow the one before it"]
        if entry["hash"] != entry_hash(entry):
            return [f"{CHAIN}: entry {position} ({entry['path']}) was changed"]
        previous = entry["hash"]
    return []


def state(entries: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Path -> SHA-256 after the last entry."""
    found: dict[str, str] = {}
    for entry in entries:
        if entry["event"] == "removed":
            found.pop(entry["path"], None)
        else:
            found[entry["path"]] = entry["sha256"]
    return found


def read_chain(folder: Path) -> list[dict[str, Any]]:
    """The entries. Raises InputError when the file is none of ours."""
    needed = {"index", "at", "event", "path", "sha256", "previous", "hash"}
    try:
        entries = json.loads((folder / CHAIN).read_text(encoding="utf-8"))["entries"]
        if any(set(entry) != needed for entry in entries):
            raise ValueError("an entry lacks a key or has a strange one")
    except (OSError, ValueError, KeyError, TypeError) as cause:
        raise InputError(f"{folder / CHAIN}: cannot be read ({cause}).") from cause
    return list(entries)


def sums_text(sums: Mapping[str, str]) -> str:
    """The list as ``sha256sum`` writes it."""
    return "".join(f"{sums[path]}  {path}\n" for path in sorted(sums))


def read_sums(path: Path) -> dict[str, str]:
    """Path -> SHA-256. Raises ValueError when it is not exactly what ``sums_text`` writes."""
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError("not text") from None
    sums = {}
    for line in text.splitlines():
        digest, _, name = line.partition("  ")
        sums[name] = digest
    if sums_text(sums) != text:
        raise ValueError("not in the form in which it was written")
    return sums


def _against_records(folder: Path, found: Mapping[str, str]) -> list[str]:
    """Files of a run that differ from what its own ``run.json`` recorded when it was made."""
    problems = []
    for record in sorted((folder / "runs").glob("*/run.json")):
        place = record.parent.relative_to(folder).as_posix()
        try:
            recorded = json.loads(record.read_text(encoding="utf-8"))["artefacts"]
        except (ValueError, KeyError):
            problems.append(f"{place}/run.json: cannot be read")
            continue
        for name, digest in recorded.items():
            here = f"{place}/{name.replace('.hydra/', 'config/')}"
            if here in found and found[here] != digest:
                problems.append(f"{here}: differs from what the run recorded")
    return problems
