"""Look after run folders: list, filter, show, verify, archive and prune them."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from frbench.errors import InputError
from frbench.run_diff.words import Words, words_of

HELP = """
  frbench runs list [FOLDER]               every run below the folder, default: runs
  frbench runs filter [FOLDER] matcher=dlib set=lfw verb=evaluate group=female level=flag
                                           since=2026-11-01 until=2026-11-30 config.seed=7
  frbench runs show RUN…                   what a run measured
  frbench runs verify RUN…                 files, tables recomputed, inputs hashed again
       tables=false inputs=false           leave a part out
  frbench runs archive RUN… output=DIR     one zip file per run, without tables that hold ids
  frbench runs prune [FOLDER] older_than=90 keep=3 aside=true
                                           says what would go; --yes deletes it
  frbench runs sweep FOLDER                one table and one page over the jobs of a sweep

  format=table                             or json, for list, filter, verify and prune
  The index lies in the cache (FRBENCH_CACHE); run folders stay the truth.
  Exit status of verify: 1 something changed, 3 something could not be checked.
"""

WIDTH = 140
FILTERS = ("verb", "matcher", "set", "group", "level", "since", "until")


def command(arguments: Sequence[str]) -> int:
    """Runs one of the actions; gives its exit status.

    Raises:
        InputError: an unknown action or setting, or no run where one was named.
    """
    actions: dict[str, Callable[[Sequence[str]], int]] = {
        "list": _list,
        "filter": _list,
        "show": _show,
        "verify": _verify,
        "archive": _archive,
        "prune": _prune,
        "sweep": _sweep,
    }
    if not arguments or set(arguments) & {"--help", "-h"}:
        print(__doc__, HELP, sep="\n")
        return 0
    if arguments[0] not in actions:
        raise InputError(f"frbench runs {arguments[0]} is unknown; there are: {', '.join(actions)}")
    return actions[arguments[0]](arguments[1:])


def cache_folder() -> Path:
    """Where the index is kept."""
    return Path(os.environ.get("FRBENCH_CACHE", "~/.cache/frbench")).expanduser()


def _list(arguments: Sequence[str]) -> int:
    from frbench.run_collection.index import Filter, entries

    words = words_of(arguments, (*FILTERS, "format"), open_prefix="config.")
    given = {key: value for key, value in words.settings.items() if key in FILTERS}
    settings = {k.removeprefix("config."): v for k, v in words.settings.items() if "." in k}
    wanted = Filter(
        **{"benchmark" if k == "set" else k: v for k, v in given.items()}, settings=settings
    )
    root = _root(words)
    found = entries(root, cache_folder(), wanted)
    if words.choice("format", ("table", "json")) == "json":
        _print_json([asdict(each) for each in found])
        return 0
    columns = ("folder", "verb", "finished", "matcher", "benchmark", "points", "gravest")
    rows = [
        [*(str(getattr(each, column)) for column in columns[:2]), each.finished[:16]]
        + [str(getattr(each, column)) for column in columns[3:]]
        for each in found
    ]
    _print_table(["run", "verb", "finished", "matcher", "set", "operating points", "gravest"], rows)
    faults = [each for each in found if each.fault]
    for each in faults:
        print(f"{root / each.folder}: run.json cannot be read ({each.fault})", file=sys.stderr)
    print(f"{len(found)} run{'s' * (len(found) != 1)} below {root}", file=sys.stderr)
    return 0


def _root(words: Words) -> Path:
    if len(words.names) > 1:
        raise InputError(f"name one folder, not {len(words.names)}")
    return Path(words.names[0] if words.names else "runs").expanduser()


def _runs_named(words: Words) -> list[Path]:
    """Run folders; a folder that holds runs stands for them all."""
    from frbench.run_collection.index import run_folders_below

    if not words.names:
        raise InputError("name a run folder, or a folder that holds runs")
    found: list[Path] = []
    for name in words.names:
        inside = list(run_folders_below(Path(name).expanduser()))
        if not inside:
            raise InputError(f"{name}: no run.json in it; name the folder of a finished run")
        found += inside
    return found


def _show(arguments: Sequence[str]) -> int:
    from frbench.formatting import rate_text
    from frbench.frame import open_run
    from frbench.page.tables import group_name, records
    from frbench.run_diff.inputs import said

    for folder in _runs_named(words_of(arguments, ())):
        run = open_run(folder)
        record = run.record
        print(f"{_safe(record.get('run_id'))} · frbench {_safe(record.get('verb'))} · {folder}")
        for key in ("finished", "device", "seed"):
            print(f"  {key}: {_safe(record.get(key))}")
        print(f"  set: {_safe((record.get('benchmark') or {}).get('name'))}")
        for word in record.get("overrides") or ():
            print(f"  override: {_safe(said(word))}")
        for one in record.get("thresholds") or ():
            name = f"{_safe(one['arm'])} " if one["arm"] else ""
            print(f"  {name}{_safe(one['label'])}: score >= {one['value']:.6g}, {one['source']}")
        if (folder / "rates.parquet").is_file():
            own = run.rates[run.rates["probe_group"] == run.rates["reference_group"]]
            rows = [
                [
                    row["operating_point"],
                    row["kind"],
                    group_name(row["probe_group"]),
                    rate_text(row),
                ]
                for row in records(own)
            ]
            _print_table(["operating point", "rate", "group", "value (interval)"], rows)
        if (folder / "findings.json").is_file():
            for finding in json.loads((folder / "findings.json").read_text(encoding="utf-8")):
                print(f"  {finding['level']}: {_safe(finding['statement'])}")
    return 0


def _verify(arguments: Sequence[str]) -> int:
    from frbench.run_collection.verify import verify_run

    words = words_of(arguments, ("format", "tables", "inputs"))
    form = words.choice("format", ("table", "json"))
    parts = {key: words.choice(key, ("true", "false")) == "true" for key in ("tables", "inputs")}
    found = [verify_run(folder, **parts) for folder in _runs_named(words)]
    if form == "json":
        _print_json(
            [
                {
                    "folder": str(one.folder),
                    "status": one.status,
                    "checks": [asdict(c) for c in one.checks],
                }
                for one in found
            ]
        )
    else:
        for one in found:
            rows = [[check.state, check.what, check.words] for check in one.checks]
            print(_safe(one.folder))
            _print_table(["", "what", "found"], rows)
            print(_verdict(one.status, len(one.changed), len(one.open)))
    statuses = {one.status for one in found}
    return 1 if 1 in statuses else 3 if 3 in statuses else 0


def _verdict(status: int, changed: int, undecided: int) -> str:
    if status == 1:
        return f"CHANGED: {changed} of the above are not as they were."
    if status == 3:
        return f"Nothing changed, but {undecided} of the above could not be checked."
    return "Everything is as it was."


def _archive(arguments: Sequence[str]) -> int:
    from frbench.run_collection.archive import archive_run

    words = words_of(arguments, ("output",))
    place = Path(words.settings.get("output", ".")).expanduser()
    folders = _runs_named(words)
    if place.suffix == ".zip" and len(folders) > 1:
        raise InputError("several runs go into a folder; name one with output=DIR")
    for folder in folders:
        path = place if place.suffix == ".zip" else place / f"{folder.resolve().name}.zip"
        done = archive_run(folder, path)
        print(f"{done.path}: {done.files} files, {done.path.stat().st_size:,} bytes")
        for name, why in done.left_out.items():
            print(f"  left out: {_safe(name)} ({why})")
    return 0


def _prune(arguments: Sequence[str]) -> int:
    from frbench.run_collection.index import entries
    from frbench.run_collection.prune import candidates, remove

    words = words_of(arguments, ("older_than", "keep", "format"), ("yes", "aside"))
    root = _root(words)
    limits = {key: _whole(words, key) for key in ("older_than", "keep")}
    found = candidates(
        root,
        entries(root, cache_folder()),
        now=datetime.now(UTC),
        aside=words.flag("aside"),
        **limits,
    )
    yes = words.flag("yes")
    if yes:
        remove(found)
    if words.choice("format", ("table", "json")) == "json":
        _print_json(
            [{**asdict(each), "folder": str(each.folder), "deleted": yes} for each in found]
        )
        return 0
    rows = [[str(each.folder), f"{each.size / 1e6:,.1f} MB", each.why] for each in found]
    _print_table(["folder", "size", "why"], rows)
    total = sum(each.size for each in found) / 1e6
    verb = "deleted" if yes else "would go; --yes deletes them"
    print(f"{len(found)} folder{'s' * (len(found) != 1)}, {total:,.1f} MB: {verb}.")
    return 0


def _whole(words: Words, key: str) -> int | None:
    text = words.settings.get(key)
    if text is None:
        return None
    if not text.isdecimal():
        raise InputError(f"{key}={text} must be a whole number, not negative")
    return int(text)


def _sweep(arguments: Sequence[str]) -> int:
    from frbench.run_collection.sweep import write_sweep

    words = words_of(arguments, ())
    print(f"Report: {write_sweep(_root(words)) / 'report.html'}")
    return 0


def _safe(value: object) -> str:
    from frbench.formatting import label_text

    return label_text(value)


def _print_json(value: Sequence[Mapping[str, object]]) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))


def _print_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*heads, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*[Text(_safe(cell) if cell else "", overflow="fold") for cell in row])
    Console(width=None if Console().is_terminal else WIDTH).print(table)
