"""A draft for a transparency record, laid out along the tiers of the UK's recording standard."""

from __future__ import annotations

from collections.abc import Sequence

from frbench.evidence.blocks import Block, Bullets, Field, Heading, Paper, Paragraph, Rows
from frbench.evidence.facts import RunFacts, limits_of, rate_rows, threshold_lines, verdict_line
from frbench.formatting import integer

CAUTION = (
    "A draft, arranged along the tiers of the Algorithmic Transparency Recording Standard (ATRS, "
    "version 3.0) as this tool's authors understand them; check it against the current template "
    "before use. The standard is mandatory for central government departments and certain "
    "arm's-length bodies. It is not mandatory for police forces, who may publish by it. Only "
    "measured facts are filled in; everything else is left to the organisation."
)
TIER_1 = (
    "Name of the tool",
    "What the tool does and why it is used, in two or three sentences for the public",
    "Address of a page with more information",
    "Contact",
)
OWNER = (
    "Organisation and team",
    "Senior responsible owner",
    "External supplier, its role, the procurement procedure and its access to data",
)
RATIONALE = (
    "Detailed description and scope: what the tool is and is not used for",
    "Benefits expected, the process before it, and the alternatives considered",
)
PROCESS = (
    "How the tool's answers enter the decision, and what the officer is shown",
    "How often it is used and on how many people",
    "Human review of every match, and the training required for it",
    "How people can have a decision reviewed or appeal against it",
)
RISKS = (
    "Impact assessments made (equality, data protection, others) with dates and links",
    "Risks that were identified and what is done about each",
)


def transparency_paper(runs: Sequence[RunFacts]) -> Paper:
    """The draft record of a pack."""
    blocks: list[Block] = [
        Heading("Tier 1: overview for the public"),
        *map(Field, TIER_1),
        Heading("Tier 2, section 1: owner and responsibility"),
        *map(Field, OWNER),
        Heading("Tier 2, section 2: description and rationale"),
        *map(Field, RATIONALE),
        Heading("Tier 2, section 3: process around the decision"),
        *map(Field, PROCESS),
        Heading("Tier 2, section 4: tool, model and data"),
        *_model_and_data(runs),
        Heading("Tier 2, section 5: risks, mitigations and impact assessments"),
        Paragraph("Measured in this pack, to be weighed by the organisation:"),
        Bullets([f"{run.name}: {verdict_line(run)}" for run in runs]),
        *[Bullets(limits) for run in runs if (limits := limits_of(run))],
        *map(Field, RISKS),
    ]
    return Paper(
        "transparency-record-draft",
        "transparency record, draft",
        "Transparency record: DRAFT",
        "Prepared from measurements; not published by anyone yet.",
        CAUTION,
        blocks,
    )


def _model_and_data(runs: Sequence[RunFacts]) -> list[Block]:
    rows = [
        [
            run.name,
            str(each.get("name", "not recorded")),
            str(each.get("fingerprint", "not recorded")),
            "compares two faces; gives a comparison score",
        ]
        for run in runs
        for each in run.matchers
    ]
    blocks: list[Block] = []
    if rows:
        heads = ["Run", "Model", "Fingerprint of weights and preprocessing", "Task"]
        blocks.append(Rows("Models measured", heads, rows))
    for run in runs:
        told = run.benchmark
        if told:
            kind = "synthetic faces" if told.get("synthetic") else "photographs"
            blocks.append(
                Paragraph(
                    f"Evaluated on “{told.get('name', '–')}”, version {told.get('version', '–')}: "
                    f"{integer(told.get('images'))} images of {integer(told.get('subjects'))} "
                    f"persons ({kind})."
                )
            )
        lines = threshold_lines(run)
        if lines:
            blocks.append(Bullets(lines))
        measured = rate_rows(run)
        if measured:
            blocks.append(
                Rows(
                    f"Performance per group, {run.name}",
                    ["Matcher", "Group", "FMR", "FNMR", "FTE"],
                    measured,
                )
            )
    blocks.append(Field("Data the model was developed on, its sources and legal basis"))
    blocks.append(Field("Architecture, maintenance and phase (pilot, production, retired)"))
    return blocks
