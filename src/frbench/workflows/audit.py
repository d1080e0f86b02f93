"""Audit a training set: who is in it beside a population, who was kept, who leaks into the tests.

``run`` is the whole flow; no model is loaded unless overlap by template is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
from omegaconf import DictConfig
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from frbench.audit_rules import AuditEvidence, judge_audit
from frbench.auditing.composition import (
    Expected,
    Grouped,
    composition,
    group_rows,
    in_categories,
    is_unlabelled,
)
from frbench.auditing.divergence import divergence
from frbench.auditing.history import history, sources
from frbench.auditing.manifest import OVERLAP_COLUMNS, TrainingSet
from frbench.auditing.page import BANNER, audit_page, not_looked_at
from frbench.config import Builder, resolved
from frbench.errors import InputError
from frbench.formatting import decimal, integer, label_text, percent, shorten
from frbench.jobs import Outcome, run_job
from frbench.page.tables import group_name, records
from frbench.progress import Stages
from frbench.runtime import DeviceSpec
from frbench.values import ALL, EmbeddingSet, FaceSet

KEYS = {
    *("training_set", "reference", "audit_rules", "benchmark", "matcher", "detector", "device"),
    *("by", "varies", "as_of", "level", "overlap", "output", "cache", "gate"),
}
MOST_AUTOMATIC_VALUES = 12
DIVERGENCE_COLUMNS = (
    *("label", "reference", "groups", "subjects", "psi", "psi_by_chance", "kl_to_expected"),
    *("kl_from_expected", "total_variation", "chi_squared", "g", "effect_w", "p_value"),
    *("psi_images", "floored"),
)
"""A row per label with a reference, over persons with the label; psi_images: over images."""


@dataclass(frozen=True)
class AuditConfig:
    """What ``frbench audit`` works from; parts are built, nothing is read."""

    training_set: Any
    reference: Any
    rules: dict[str, Any]
    benchmark: Any
    matcher: Any
    detector: Any
    by: tuple[str, ...] | None
    varies: tuple[str, ...]
    as_of: date
    level: float
    distance: int
    cache: Path
    gate: str
    device: str | None
    resolved: dict[str, Any]


def main(cfg: DictConfig) -> int:
    """One job of the command line; gives the exit status."""
    return run_job(cfg, "audit", lambda each, stages: run(check(each), stages))


def run(config: AuditConfig, stages: Stages) -> Outcome:
    """The flow, in one direction."""
    with stages("reading the training set"):
        training = config.training_set.load(as_of=config.as_of)
        by = config.by if config.by is not None else automatic_labels(training)
        expected = _expected(config, {label: _values(training, label) for label in by})
        groupings = group_rows(
            training,
            by,
            varies=config.varies,
            categories={label: told.category for label, told in expected.items()},
        )
    with stages("shares and intervals"):
        crossed = {each.label: each.groups for each in groupings if each.label not in by}
        expected |= _expected(config, crossed)
        placed = [in_categories(each, expected.get(each.label)) for each in groupings]
        table = pd.concat(
            [
                composition(
                    training,
                    each,
                    expected.get(each.label),
                    as_of=config.as_of,
                    level=config.level,
                )
                for each in placed
            ],
            ignore_index=True,
        )
    with stages("history and sources"):
        tables = {
            "composition": table,
            "divergence": _divergences(table, expected),
            "history": pd.concat([history(training, each) for each in placed]),
            "sources": pd.concat([sources(training, each) for each in placed]),
        }
    tables["overlap"] = _overlap(config, training, stages)
    evidence = AuditEvidence(
        training, table, tables["divergence"], tables["history"], tables["overlap"]
    )
    findings = judge_audit(evidence, config.rules)
    return Outcome(
        tables={**tables, "faults": training.faults},
        findings=findings,
        page=lambda record: audit_page(
            training, tables, list(expected.values()), findings, record, config.as_of
        ),
        config=config.resolved,
        inputs=_inputs(config, training, expected, groupings),
        summary=_summary(training, table),
        gate=config.gate,
        device=config.device,
    )


def check(cfg: DictConfig) -> AuditConfig:
    """Binds and builds every part of a composed configuration; reads no data.

    Raises:
        InputError: with every problem of the configuration at once.
    """
    plain = resolved(cfg)
    cache = Path(str(plain["cache"])).expanduser()
    device = None
    if plain.get("matcher"):
        device = DeviceSpec(kind=str((plain["device"] or {}).get("kind", "auto"))).resolve()
    builder = Builder(device=device, cache=cache)
    builder.problems += [f"{key} is no setting of frbench audit" for key in sorted({*plain} - KEYS)]
    training = builder.part(plain["training_set"], "training_set")
    reference = builder.part(plain["reference"] or {}, "reference")
    rules = builder.parts(plain["audit_rules"], "audit_rules")
    benchmark = builder.part(plain.get("benchmark") or {}, "benchmark")
    matcher = builder.part(plain.get("matcher") or {}, "matcher")
    detector = None
    if matcher is not None and not hasattr(matcher, "lookup"):
        from frbench.settings import detector_node

        detector = builder.part(detector_node(plain.get("detector"), matcher), "detector")
    if matcher is not None and benchmark is None:
        builder.problems.append("matcher: finds people of a benchmark; name one, benchmark=…")
    gate = builder.choice(plain["gate"], ("none", "note", "watch", "flag"), "gate")
    level = plain["level"]
    if not isinstance(level, int | float) or not 0 < level < 1:
        builder.problems.append(f"level={level} must lie between 0 and 1, as 0.95 does")
    as_of = _day(plain["as_of"], builder)
    by = _names(plain["by"])
    distance = (plain["overlap"] or {}).get("distance")
    if not isinstance(distance, int) or isinstance(distance, bool) or not 0 <= distance <= 64:
        builder.problems.append(f"overlap.distance={distance} must be a number of bits, 0 to 64")
        distance = 0
    builder.done()
    return AuditConfig(
        training_set=training,
        reference=reference,
        rules=rules,
        benchmark=benchmark,
        matcher=matcher,
        detector=detector,
        by=by,
        varies=_names(plain["varies"]) or (),
        as_of=as_of,
        level=float(level),
        distance=distance,
        cache=cache,
        gate=gate,
        device=device,
        resolved=plain,
    )


def automatic_labels(training: TrainingSet) -> tuple[str, ...]:
    """Every label with 2 to 12 values.

    Raises:
        InputError: the manifest has none.
    """
    counts = {label: training.table[label].nunique() for label in training.labels}
    chosen = tuple(label for label, count in counts.items() if 2 <= count <= MOST_AUTOMATIC_VALUES)
    if not chosen:
        raise InputError(
            f"{training.name} has no label with 2 to {MOST_AUTOMATIC_VALUES} values; name the "
            f"labels with by=[…]; its columns are {', '.join(training.labels) or 'none'}."
        )
    return chosen


def _names(given: Any) -> tuple[str, ...] | None:
    """One name or several, each once, in order; None where nothing was given."""
    if given is None:
        return None
    return tuple(dict.fromkeys([given] if isinstance(given, str) else map(str, given)))


def _day(given: Any, builder: Builder) -> date:
    if given is None:
        return datetime.now(UTC).date()
    try:
        return date.fromisoformat(str(given))
    except ValueError:
        builder.problems.append(f"as_of={given} is no day; write it as 2026-11-23")
        return date.min


def _values(training: TrainingSet, label: str) -> tuple[str, ...]:
    """The values of a label as written; none where there is no such label."""
    if label not in training.labels:
        return ()
    return tuple(str(each) for each in training.table[label].cat.categories)


def _expected(config: AuditConfig, groups: Mapping[str, Sequence[str]]) -> dict[str, Expected]:
    """What the reference says of each label's groups, those without a name left out."""
    if config.reference is None:
        return {}
    found = {
        label: config.reference.expected(label, [one for one in each if not is_unlabelled(one)])
        for label, each in groups.items()
    }
    return {label: told for label, told in found.items() if told is not None}


def _divergences(table: pd.DataFrame, expected: dict[str, Expected]) -> pd.DataFrame:
    rows = []
    for label, told in expected.items():
        here = table[(table["label"] == label) & (table["group"] != ALL)]
        here = here[~here["group"].map(is_unlabelled)]
        shares = here["expected_share"].to_numpy(dtype=float)
        counts = here["subjects"].to_numpy(dtype=float)
        images = here["images"].to_numpy(dtype=float)
        if counts.sum() == 0:
            continue
        found = asdict(divergence(counts, shares, reference_size=told.size))
        of_images = divergence(images, shares, reference_size=told.size)
        rows.append(
            {
                "label": label,
                "reference": told.source,
                "groups": len(here),
                "subjects": int(counts.sum()),
                "psi_images": of_images.psi,
                **found,
            }
        )
    return pd.DataFrame(rows, columns=list(DIVERGENCE_COLUMNS))


def _overlap(config: AuditConfig, training: TrainingSet, stages: Stages) -> pd.DataFrame:
    if config.benchmark is None:
        return pd.DataFrame(columns=list(OVERLAP_COLUMNS))
    # these load the networks' machinery, which a look at a table does not need
    from frbench.auditing.overlap import overlap
    from frbench.embedding import embed

    def templates(faces: FaceSet) -> EmbeddingSet:
        return embed(
            faces,
            config.detector,
            config.matcher,
            choice="most_central",
            cache=config.cache,
            unreadable="fail_to_enrol",
        )

    with stages("overlap with the benchmark set") as progress:
        return overlap(
            training,
            config.training_set.root,
            config.benchmark.load(),
            embed=templates if config.matcher is not None else None,
            distance=config.distance,
            cache=config.cache,
            progress=progress,
        )


def _inputs(
    config: AuditConfig,
    training: TrainingSet,
    expected: dict[str, Expected],
    groupings: list[Grouped],
) -> dict[str, Any]:
    return {
        "training_set": {
            "name": training.name,
            "sha256": training.sha256,
            "synthetic": training.synthetic,
            "rows": training.rows,
            "images": len(training.table),
            "subjects": len(training.subjects),
            "labels": list(training.labels),
            "persons_with_two_values": {each.label: each.contradicted for each in groupings},
        },
        "reference": [
            {"label": each.label, "source": each.source, "shares": dict(each.shares)}
            for each in expected.values()
        ],
        "as_of": config.as_of.isoformat(),
    }


def _summary(training: TrainingSet, table: pd.DataFrame) -> list[Any]:
    shown: list[Any] = []
    if training.synthetic:
        shown.append(Text(BANNER, style="bold yellow"))
    shown.append(
        Text(
            f"{label_text(training.name)}: {integer(len(training.subjects))} persons, "
            f"{integer(len(training.table))} images"
        )
    )
    shown += [Text(said, style="dim") for said in not_looked_at(training, table)]
    for label, rows in table.groupby("label", sort=False):
        if "/" in str(label) and len(rows) > 30:
            continue
        shown.append(_terminal_table(str(label), rows))
    return shown


def _terminal_table(label: str, rows: pd.DataFrame) -> Table:
    table = Table(title=Text(f"By {label}"), title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("group", overflow="fold", max_width=36)
    for name in ("persons", "images", "share", "population", "times", "released, kept"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in records(rows):
        told = row["expected_share"] == row["expected_share"]
        kept = row["released_share"]
        table.add_row(
            Text(shorten(group_name(row["group"]), 60)),
            integer(row["subjects"]),
            integer(row["images"]),
            percent(row["share_subjects"]),
            percent(row["expected_share"]) if told else "–",
            _times(row) if told else "–",
            percent(kept) if kept == kept else "–",
        )
    return table


def _times(row: dict[str, Any]) -> str:
    low, high = decimal(row["representation_low"]), decimal(row["representation_high"])
    return f"×{decimal(row['representation'])} ({low}–{high})"
