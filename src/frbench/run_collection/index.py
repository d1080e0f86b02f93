"""An index over run folders in SQLite; the folders stay the truth, and it can always be deleted."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from frbench.digests import digest_bytes
from frbench.errors import InputError

VERSION = 1
"""Of the layout below; another one is written anew."""

LAYOUT = """
create table runs (
  folder text primary key, mtime_ns integer, size integer, sha256 text, run_id text, verb text,
  finished text, matcher text, benchmark text, groups text, points text, seed integer,
  gravest text, fault text
);
create table settings (folder text, key text, value text);
create index by_key on settings (key, value);
"""

LEVELS = ("flag", "watch", "undecided", "note")


@dataclass(frozen=True)
class Entry:
    """One run of the collection.

    Attributes:
        folder: relative to the root that was looked through.
        finished: ISO 8601, "" where the record says none.
        matcher, benchmark, groups, points: names, joined by commas.
        gravest: level of its gravest finding, "" without any.
        fault: why its record cannot be read, or "".
    """

    folder: str
    run_id: str
    verb: str
    finished: str
    matcher: str
    benchmark: str
    groups: str
    points: str
    seed: int | None
    gravest: str
    fault: str


@dataclass(frozen=True)
class Filter:
    """What to look for; "" or empty leaves nothing out.

    Attributes:
        matcher, benchmark, group: names, compared without case.
        level: of the gravest finding.
        since, until: ISO days of ``finished``, both included.
        settings: key of the configuration -> value as JSON or plain text.
    """

    verb: str = ""
    matcher: str = ""
    benchmark: str = ""
    group: str = ""
    level: str = ""
    since: str = ""
    until: str = ""
    settings: Mapping[str, str] | None = None


def run_folders_below(root: Path) -> Iterator[Path]:
    """Every finished run folder at or below ``root``; unfinished and hidden ones are passed by."""
    for place, folders, files in os.walk(root):
        if "run.json" in files:
            folders.clear()
            yield Path(place)
        else:
            folders[:] = sorted(name for name in folders if not name.startswith("."))


def entries(root: Path, cache: Path, wanted: Filter | None = None) -> list[Entry]:
    """The runs below ``root``, newest first, from an index that is brought up to date before.

    A record is read again when its modification time or size differ from the index and its hash
    does too. An index that cannot be read is written anew.

    Raises:
        InputError: there is no such folder.
    """
    if not root.is_dir():
        raise InputError(f"{root} is no folder; name the folder that holds the runs")
    root = root.resolve()
    place = cache / "runs" / f"{digest_bytes(str(root).encode())[:16]}.sqlite3"
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        return _updated(place, root, wanted or Filter())
    except sqlite3.DatabaseError:
        place.unlink(missing_ok=True)
        return _updated(place, root, wanted or Filter())


def _updated(place: Path, root: Path, wanted: Filter) -> list[Entry]:
    with closing(sqlite3.connect(place, timeout=60)) as database, database:
        if database.execute("pragma user_version").fetchone()[0] != VERSION:
            for table in ("runs", "settings"):
                database.execute(f"drop table if exists {table}")
            database.executescript(LAYOUT)
            database.execute(f"pragma user_version = {VERSION}")
        _refresh(database, root)
        return _found(database, wanted)


def _refresh(database: sqlite3.Connection, root: Path) -> None:
    known = {
        row[0]: row[1:]
        for row in database.execute("select folder, mtime_ns, size, sha256 from runs")
    }
    present = set()
    for folder in run_folders_below(root):
        name = folder.relative_to(root).as_posix()
        present.add(name)
        try:
            state = (folder / "run.json").stat()
            if name in known and known[name][:2] == (state.st_mtime_ns, state.st_size):
                continue
            content = (folder / "run.json").read_bytes()
        except OSError:
            present.discard(name)
            continue
        digest = digest_bytes(content)
        stamp = (state.st_mtime_ns, state.st_size, digest)
        if name in known and known[name][2] == digest:
            database.execute(
                "update runs set mtime_ns=?, size=? where folder=?", (*stamp[:2], name)
            )
            continue
        _replace(database, folder, name, stamp, content)
    for name in set(known) - present:
        _forget(database, name)


def _forget(database: sqlite3.Connection, name: str) -> None:
    database.execute("delete from runs where folder=?", (name,))
    database.execute("delete from settings where folder=?", (name,))


def _replace(
    database: sqlite3.Connection, folder: Path, name: str, stamp: Sequence[Any], content: bytes
) -> None:
    _forget(database, name)
    try:
        record = json.loads(content)
        row, settings = _described(folder, record), dict(flat("", record.get("config") or {}))
    except (ValueError, AttributeError, TypeError, KeyError) as cause:
        row, settings = (
            ("", "", "", "", "", "", "", None, "", str(cause) or type(cause).__name__),
            {},
        )
    database.execute(f"insert into runs values ({','.join('?' * 14)})", (name, *stamp, *row))
    database.executemany(
        "insert into settings values (?,?,?)",
        [(name, key, value) for key, value in settings.items()],
    )


def _described(folder: Path, record: Mapping[str, Any]) -> tuple[Any, ...]:
    benchmark = record.get("benchmark")
    benchmark = benchmark if isinstance(benchmark, Mapping) else {}
    matchers = [str(one["name"]) for one in record.get("matchers") or ()]
    points = dict.fromkeys(str(one["label"]) for one in record.get("thresholds") or ())
    return (
        str(record.get("run_id") or folder.name),
        str(record.get("verb") or ""),
        str(record.get("finished") or ""),
        ", ".join(matchers),
        str(benchmark.get("name") or ""),
        ", ".join(str(each) for each in benchmark.get("groups") or ()),
        ", ".join(points),
        record.get("seed"),
        _gravest(folder),
        "",
    )


def _gravest(folder: Path) -> str:
    try:
        found = json.loads((folder / "findings.json").read_text(encoding="utf-8"))
        levels = {str(one["level"]) for one in found}
    except (OSError, ValueError, TypeError, KeyError):
        return ""
    return next((level for level in LEVELS if level in levels), "")


def flat(where: str, node: Any) -> Iterator[tuple[str, str]]:
    """Dotted key and value as JSON of every leaf of a configuration; a list is one value."""
    if isinstance(node, Mapping) and node:
        for key, value in node.items():
            yield from flat(f"{where}.{key}" if where else str(key), value)
    else:
        yield where, json.dumps(node, ensure_ascii=False, default=str)


def _found(database: sqlite3.Connection, wanted: Filter) -> list[Entry]:
    clauses, values = ["1"], []
    for column, value in (("verb", wanted.verb), ("gravest", wanted.level)):
        if value:
            clauses.append(f"{column} = ? collate nocase")
            values.append(value)
    for column, value in (
        ("matcher", wanted.matcher),
        ("benchmark", wanted.benchmark),
        ("groups", wanted.group),
    ):
        if value:
            clauses.append(f"instr(', ' || lower({column}) || ', ', ', ' || lower(?) || ', ') > 0")
            values.append(value)
    for word, day in ((">=", wanted.since), ("<=", wanted.until)):
        if day:
            clauses.append(f"substr(finished, 1, 10) {word} ?")
            values.append(day)
    for key, value in (wanted.settings or {}).items():
        clauses.append("folder in (select folder from settings where key = ? and value in (?, ?))")
        values += [key, value, json.dumps(value, ensure_ascii=False)]
    columns = (
        "folder, run_id, verb, finished, matcher, benchmark, groups, points, seed, gravest, fault"
    )
    rows = database.execute(
        f"select {columns} from runs where {' and '.join(clauses)} order by finished desc, folder",
        values,
    )
    return [Entry(*row) for row in rows]
