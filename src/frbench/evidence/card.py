"""A model card: what was measured of the matchers, for whom, and what was not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from frbench.evidence.blocks import Block, Bullets, Field, Heading, Paper, Paragraph, Rows
from frbench.evidence.facts import RunFacts, limits_of, rate_rows, threshold_lines, verdict_line

CAUTION = (
    "A card of what was measured here, in the usual order of model cards. It holds no statement by "
    "the matcher's maker unless somebody adds one."
)


def model_card(runs: Sequence[RunFacts]) -> Paper:
    """The card of every matcher in the pack."""
    names = sorted({str(each.get("name", "matcher")) for run in runs for each in run.matchers})
    blocks: list[Block] = [Heading("Model details"), *_details(runs)]
    blocks += [
        Heading("Intended use"),
        Field("Uses the matcher is meant for, and uses it is not meant for"),
        Heading("Groups and conditions"),
        Bullets(
            [
                f"{run.name}: {', '.join(run.data.groups) if run.data else 'no matcher measured'}"
                for run in runs
            ]
        ),
        Heading("Operating point"),
        *[Bullets(lines) for run in runs if (lines := threshold_lines(run))],
        Heading("Results per group"),
    ]
    for run in runs:
        rows = rate_rows(run)
        if rows:
            caption = f"{run.name}: rates with intervals at the first operating point"
            blocks.append(Rows(caption, ["Matcher", "Group", "FMR", "FNMR", "FTE"], rows))
        blocks.append(Paragraph(f"{run.name}: {verdict_line(run)}"))
    blocks += [
        Heading("Evaluation data"),
        Paragraph("Described in datasets/*.croissant.json of this pack; no image is included."),
        Heading("Training data"),
        Field("What the matcher was trained on, as far as its maker says"),
        Heading("Limits"),
        *[Bullets(limits) for run in runs if (limits := limits_of(run))],
    ]
    synthetic = any(run.benchmark.get("synthetic") for run in runs)
    front = [
        ("model_name", ", ".join(names) or "none measured"),
        ("task", "face comparison, 1:1"),
        ("evaluated_with", "frbench"),
        ("synthetic_faces", "yes" if synthetic else "no"),
    ]
    title = f"Model card: {', '.join(names)}" if names else "Model card"
    lead = "Measured on the sets below, at one threshold for all groups."
    return Paper("model-card", "model card", title, lead, CAUTION, blocks, front)


def _details(runs: Sequence[RunFacts]) -> list[Block]:
    rows = []
    for run in runs:
        for each in run.matchers:
            about = {k: v for k, v in each.items() if k not in ("name", "arm", "failures")}
            rows += [[str(each.get("name")), *leaf] for leaf in _leaves("", about)]
    if not rows:
        return [Paragraph("No matcher was measured in these runs.")]
    return [Rows("As recorded", ["Matcher", "Item", "Value"], rows)]


def _leaves(start: str, node: Any) -> Iterator[tuple[str, str]]:
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield from _leaves(f"{start}.{key}" if start else str(key), value)
    elif node not in (None, "", []):
        yield start, ", ".join(map(str, node)) if isinstance(node, list) else str(node)
