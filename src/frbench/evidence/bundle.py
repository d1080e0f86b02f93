"""Lays an evidence pack out: the runs' files without any person's id, papers, then the seal."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq

from frbench.errors import InputError
from frbench.evidence.blocks import Paper, markdown
from frbench.evidence.card import model_card
from frbench.evidence.croissant import counts_csv, dataset_description
from frbench.evidence.duty import duty_paper
from frbench.evidence.facts import RunFacts, facts_of, verdict_line
from frbench.evidence.paper import page
from frbench.evidence.sealing import SUMS, seal
from frbench.evidence.signing import sign
from frbench.evidence.transparency import transparency_paper
from frbench.runs import hash_file
from frbench.staging import staged

KEPT = ("report.html", "run.json", "findings.json", "findings.sarif", "findings.junit.xml")
CONFIG = ("config.yaml", "overrides.yaml")
PERSONAL = {
    *("path", "file", "example", "subject", "person", "name", "image", "first", "second"),
    *("probe_subject", "reference_subject"),
}
"""Columns that could name a person or an image; a table with one stays out of the pack."""

README = """\
# Evidence pack

Made by frbench from {count}. It holds measurements and drafts for people; it claims no conformance
with any standard and is no statement on the law.

| file | what it is |
|---|---|
| `equality-duty.html`, `.md` | measurements beside the equality duty's questions |
| `transparency-record-draft.html`, `.md` | a draft along the tiers of the UK recording standard |
| `model-card.html`, `.md` | what was measured of each matcher |
| `datasets/` | each set in the vocabulary of Croissant, with persons and images per group |
| `runs/` | per run: its page, tables, findings, settings (`config/`) and record (`run.json`) |
| `chain.json` | log of every file added or changed; each entry holds the hash of the one before |
| `SHA256SUMS` | checksums of all files; `SHA256SUMS.sig` or `.openssl-sig` where it was signed |

## The runs

{runs}

## How to check it

    sha256sum --check SHA256SUMS
    frbench evidence verify .

Whoever can write this folder can also forge its checksums. Write the last hash of `chain.json` down
where others see it, or sign `SHA256SUMS`.

## How to fill it in

Edit the Markdown papers, then `frbench evidence seal .`: the chain records which files changed and
when. Files below `runs/` and `datasets/` must stay as they are.

## What was left out

No image, no template and no id of a person is in this pack. Left out of the run folders: the counts
per image (`tally/`){left_out}.
"""


def make_pack(folders: Sequence[Path], output: Path, *, key: Path | None = None) -> list[RunFacts]:
    """Writes the pack to ``output``, which appears only when it is whole; gives what is in it.

    Args:
        folders: finished run folders.
        output: a new or empty folder.
        key: private key that signs the checksums, or None.

    Raises:
        InputError: a folder is no finished run or was changed since, or ``output`` is in use.
    """
    if output.exists() and (output.is_file() or any(output.iterdir())):
        raise InputError(f"output={output} exists already; choose a new folder.")
    runs = [facts_of(folder, number) for number, folder in enumerate(folders, 1)]
    for run in runs:
        _refuse_what_was_changed(run)
    with staged(output, output.with_name(f".{output.name}.partial")) as place:
        left_out = [each for run in runs for each in _copy(run, place / "runs" / run.key)]
        _describe_sets(runs, place / "datasets")
        for paper in (duty_paper(runs), transparency_paper(runs), model_card(runs)):
            _write(paper, place)
        told = "\n".join(f"- `runs/{run.key}` ({run.verb}): {verdict_line(run)}" for run in runs)
        more = f" and {', '.join(f'`{each}`' for each in left_out)}" if left_out else ""
        count = f"{len(runs)} run" + "s" * (len(runs) != 1)
        text = README.format(count=count, runs=told, left_out=more)
        (place / "README.md").write_text(text, encoding="utf-8", newline="\n")
        seal(place)
        if key is not None:
            sign(place / SUMS, key)
    return runs


def _refuse_what_was_changed(run: RunFacts) -> None:
    recorded = run.record.get("artefacts") or {}
    changed = [
        name
        for name, digest in recorded.items()
        if not (run.folder / name).is_file() or hash_file(run.folder / name) != digest
    ]
    if changed:
        raise InputError.listing(
            f"{run.folder}: the run was changed after it was made; measure again:", changed
        )


def _copy(run: RunFacts, target: Path) -> list[str]:
    """Copies what may be shown; gives the tables that were left out."""
    target.mkdir(parents=True)
    left_out = []
    for name in KEPT:
        if (run.folder / name).is_file():
            shutil.copyfile(run.folder / name, target / name)
    for name in CONFIG:
        source = run.folder / ".hydra" / name
        if source.is_file():
            (target / "config").mkdir(exist_ok=True)
            shutil.copyfile(source, target / "config" / name)
    for table in sorted(run.folder.glob("*.parquet")):
        if names_people(pq.read_schema(table).names):
            left_out.append(f"{run.key}/{table.stem}")
            continue
        for each in (table, table.with_suffix(".csv")):
            if each.is_file():
                shutil.copyfile(each, target / each.name)
    return left_out


def names_people(columns: Sequence[str]) -> bool:
    """Whether a table's columns could hold the id of a person or an image."""
    words = [str(column).lower() for column in columns]
    ends = ("_id", "_path", "_file", "_name")
    return any(word in PERSONAL or word.endswith(ends) for word in words)


def _describe_sets(runs: Sequence[RunFacts], target: Path) -> None:
    for run in runs:
        if run.data is None:
            continue
        target.mkdir(exist_ok=True)
        counts, name = counts_csv(run), f"{run.key}.groups.csv"
        (target / name).write_bytes(counts)
        described = json.dumps(
            dataset_description(run, counts, name), indent=2, ensure_ascii=False, allow_nan=False
        )
        (target / f"{run.key}.croissant.json").write_text(
            described + "\n", encoding="utf-8", newline="\n"
        )


def _write(paper: Paper, place: Path) -> None:
    for ending, text in (("md", markdown(paper)), ("html", page(paper))):
        (place / f"{paper.name}.{ending}").write_text(text, encoding="utf-8", newline="\n")
