"""The paper along the questions of the public sector equality duty; people decide and sign it."""

from __future__ import annotations

from collections.abc import Sequence

from frbench.catalogue import entry_of
from frbench.evidence.blocks import Block, Bullets, Field, Heading, Paper, Paragraph, Rows
from frbench.evidence.facts import (
    RunFacts,
    group_rows,
    limits_of,
    rate_rows,
    threshold_lines,
    verdict_line,
)
from frbench.formatting import integer
from frbench.page.sentences import LEVEL_WORDS, LEVELS

CAUTION = (
    "This paper gathers measurements beside the questions that a public body asks itself under "
    "section 149 of the Equality Act 2010 and the guidance of the Equality and Human Rights "
    "Commission. It is arranged along those questions; it is not legal advice, does not show that "
    "the duty was met, and does not say whether a use is lawful. The fields that only people can "
    "answer are empty, and stay empty until somebody who is accountable fills them in."
)
CHARACTERISTICS = (
    ("age", ("age",)),
    ("disability", ("disab",)),
    ("gender reassignment", ("reassign", "trans")),
    ("marriage and civil partnership", ("marriage", "civil_partner")),
    ("pregnancy and maternity", ("pregnan", "maternity")),
    ("race", ("race", "ethnic", "skin", "monk", "fitzpatrick", "origin", "nationality")),
    ("religion or belief", ("religion", "belief")),
    ("sex", ("sex", "gender")),
    ("sexual orientation", ("orientation",)),
)
"""The Act's characteristics, and parts of column names that speak of them."""

IMPACT = (
    "Could this use cause, or does it cause, unlawful discrimination, harassment or victimisation?",
    "Does it help to eliminate discrimination?",
    "Does it advance equality of opportunity between people who share a protected characteristic "
    "and people who do not?",
    "Does it affect good relations between groups?",
    "How could it affect people with each protected characteristic, for better and for worse?",
)
GATHERED = (
    "Which system is used or proposed, by whom, for what, and who is affected?",
    "What other equality evidence was gathered (external research, staff, people affected, "
    "equality and community groups), and what did they say?",
    "Which gaps in the evidence must be closed before use, by whom and by when?",
)
DECISION = (
    "Decision (adopt, adopt with changes, pause, stop) and its reasons",
    "Changes and mitigations that were decided, and what was considered and not chosen",
    "What is accepted although it is not known, and why",
    "How the duty is reflected in procurement and in the contract with the supplier",
    "Who monitors the effect in use, by which measures, how often, and what leads to suspension",
    "Date of the next review",
    "Where and when this assessment is published",
)
SIGNATURES = (
    "Name, role, signature and date of the person who decides",
    "Name, role, signature and date of the person responsible for the system",
    "Name, role, signature and date of whoever reviewed the measurements",
)


def duty_paper(runs: Sequence[RunFacts]) -> Paper:
    """The equality paper of a pack."""
    blocks: list[Block] = [
        *_assessed(runs),
        *_groups(runs),
        *_evidence(runs),
        *_unknown(runs),
        Heading("5. Potential and actual impact"),
        Paragraph("The measurements above bear on these questions; they do not answer them."),
        *map(Field, IMPACT),
        Heading("6. Decision and follow-up"),
        *map(Field, DECISION),
        Heading("7. Sign-off"),
        *map(Field, SIGNATURES),
    ]
    names = ", ".join(f"“{run.name}”" for run in runs)
    return Paper(
        "equality-duty",
        "equality evidence",
        "Equality evidence for a facial-recognition system",
        f"Measured in {len(runs)} {'run' if len(runs) == 1 else 'runs'}: {names}.",
        CAUTION,
        blocks,
    )


def _assessed(runs: Sequence[RunFacts]) -> list[Block]:
    rows = []
    for run in runs:
        matchers = "; ".join(
            f"{each.get('name', 'matcher')} (fingerprint "
            f"{str(each.get('fingerprint', 'not recorded'))[:16]})"
            for each in run.matchers
        )
        told = run.benchmark
        people = (
            f"{told.get('name', '–')} version {told.get('version', '–')}: "
            f"{integer(told.get('subjects'))} persons, {integer(told.get('images'))} images"
            if told
            else "–"
        )
        if told.get("synthetic"):
            people += " (SYNTHETIC faces: no real person was measured)"
        rows.append([run.name, run.verb, matchers or "–", people, str(run.record.get("finished"))])
    blocks: list[Block] = [
        Heading("1. What was assessed"),
        Rows("The runs in this pack", ["Run", "Kind", "Matcher", "Set", "Finished"], rows),
    ]
    for run in runs:
        lines = threshold_lines(run)
        if lines:
            blocks += [Heading(f"Operating threshold, {run.name}", 3), Bullets(lines)]
    return [*blocks, *map(Field, GATHERED)]


def _groups(runs: Sequence[RunFacts]) -> list[Block]:
    blocks: list[Block] = [Heading("2. For which groups")]
    for run in runs:
        rows = group_rows(run)
        if rows:
            heads = ["Group", "Persons", "Images", "Images without a template"]
            blocks.append(Rows(f"People measured in {run.name}", heads, rows))
        if run.benchmark:
            told = f"Where the labels of {run.name} come from: {run.label_source}."
            blocks.append(Paragraph(told))
    blocks.append(
        Rows(
            "Protected characteristics and the labels compared here (by the columns' names)",
            ["Characteristic", "Label compared in these runs"],
            [[name, _covering(parts, runs)] for name, parts in CHARACTERISTICS],
        )
    )
    blocks.append(
        Field("For each characteristic without a label: why it was not tested, and what is planned")
    )
    return blocks


def _covering(parts: Sequence[str], runs: Sequence[RunFacts]) -> str:
    found = sorted({label for run in runs for label in run.labels if _speaks_of(label, parts)})
    return ", ".join(found) if found else "none: not tested"


def _speaks_of(label: str, parts: Sequence[str]) -> bool:
    words = label.lower().replace("-", "_").split("_")
    return any(word.startswith(part) for word in words for part in parts)


def _evidence(runs: Sequence[RunFacts]) -> list[Block]:
    blocks: list[Block] = [Heading("3. With what evidence")]
    for run in runs:
        blocks += [Heading(run.name, 3), Paragraph(verdict_line(run))]
        rows = rate_rows(run)
        if rows:
            heads = ["Matcher", "Group", "Taken for another (FMR)", "Missed (FNMR)"]
            blocks.append(
                Rows(
                    f"Rates per group with their intervals, {run.name}, first operating point",
                    [*heads, "No template (FTE)"],
                    rows,
                )
            )
        answered = _answered(run)
        if answered:
            blocks.append(Rows(f"Findings of {run.name}", _HEADS, answered))
        undecided = sum(one.level == "undecided" for one in run.findings)
        if undecided:
            told = "question was" if undecided == 1 else "questions were"
            blocks.append(Paragraph(f"{undecided} {told} left undecided: see section 4."))
        blocks.append(
            Paragraph(f"Page, tables, settings and record: folder runs/{run.key} of this pack.")
        )
    return blocks


_HEADS = ("Level", "Finding", "Passage of the guidance that the question comes from")


def _answered(run: RunFacts) -> list[list[str]]:
    rows = []
    answered = [one for one in run.findings if one.level != "undecided"]
    for one in sorted(answered, key=lambda each: LEVELS.index(each.level)):
        entry = entry_of(one.code)
        passage = f"“{entry.about.answers.words}”" if entry else "–"
        rows.append([LEVEL_WORDS[one.level][0], one.statement, passage])
    return rows


def _unknown(runs: Sequence[RunFacts]) -> list[Block]:
    blocks: list[Block] = [Heading("4. What is not known")]
    for run in runs:
        undecided = [one.statement for one in run.findings if one.level == "undecided"]
        lines = [*(f"Undecided: {each}" for each in undecided), *limits_of(run)]
        if lines:
            blocks += [Heading(run.name, 3), Bullets(lines)]
        else:
            told = "its page in this pack says what it does not show."
            blocks.append(Paragraph(f"{run.name}: {told}"))
    blocks.append(Field("Other things that are not known, and how they were weighed"))
    return blocks
