"""Write ``docs/police-example.md`` and its figures from the run folders of ``scripts/demo``.

    python scripts/police_example_page.py runs/demo_2026-11-23T101500

The words of the story stand here; every number on the page comes from the runs.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from frbench import guidance
from frbench.catalogue import entry_of
from frbench.guidance import Passage

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "police-example.md"
FIGURES = ROOT / "docs" / "images"
SHOWN = 4


@dataclass(frozen=True)
class Step:
    """One step of the story.

    Attributes:
        run: name of the run folder.
        title: heading.
        passage: what it answers.
        before, after: words before and after what was found.
        figure: which of the report's charts is shown, from 0, and its description.
    """

    run: str
    title: str
    passage: Passage
    before: str
    after: str
    figure: tuple[int, str]


STEPS = (
    Step(
        "1_audit",
        "Who is in the images that the force kept?",
        guidance.ARRESTED_MORE,
        "The made-up force arrests younger and darker-skinned people more often, and keeps the "
        "images of people who were released. The audit opens no image: it compares persons with a "
        "made-up population and counts whose images are still there.",
        "The store mirrors the arrests, not the people whom the system will look at.",
        (
            3,
            "Each group's share of the persons in the store over its share of the population",
        ),
    ),
    Step(
        "2_evaluate",
        "What does retraining on such images do?",
        guidance.LIMITED_DATA,
        "The small network that ships with frbench, before and after it was retrained on images "
        "like these, looks at the same balanced set of other synthetic people. One threshold holds "
        "for everybody.",
        "Groups that the store hardly holds are told apart worse. Which group suffers most depends "
        "on the data and the network; that some group does is the point.",
        (
            0,
            "False-match rate within each group, before (circle) and after (diamond)",
        ),
    ),
    Step(
        "3_retrain",
        "Which option to retrain repairs it?",
        guidance.REVIEW_OPTIONS,
        "A controlled experiment, trained while the demo runs: the same matcher, the same budget, "
        "two choices of images, two seeds each. Everything that was kept stands beside a choice "
        "matched to the population.",
        "The demo trains briefly, on few people, so that it ends within minutes; its intervals are "
        "as wide as that makes them, and where they cannot decide, the finding says so. `frbench "
        "retrain` alone takes all seven recipes, three seeds and three times the steps.",
        (0, "The disparity that each option leaves, over that before retraining"),
    ),
    Step(
        "4_simulate",
        "Where does the loop lead?",
        guidance.ACCUMULATES,
        "The loop of alerts, stops, arrests, disposals and retraining, round after round and under "
        "one policy after the other. Rates and arrests are an illustration: the page of the run "
        "lists what was stated instead of measured.",
        "The ranking is this illustration's. Why reweighting the training images does not undo a "
        "watchlist that is filled from custody: [simulating the feedback loop](simulate.md).",
        (0, "Disparity of the false-alert rates after the last round, under each policy"),
    ),
    Step(
        "5_monitor",
        "Would monitoring have noticed?",
        guidance.MONITORS,
        "The approved matcher is the baseline; the retrained one is the next release. The gate "
        "asks whether it is no worse for any group, on the same comparisons.",
        "With `gate=flag` the command ends with status 1, and the release stops.",
        (7, "False-match rate of the older lighter men in the approved run and the next"),
    ),
)
INTRODUCTION = """\
# The police example, from end to end

Written by `scripts/police_example_page.py` from the runs of `scripts/demo`. Every face is
**synthetic**, rendered by a program; every population and arrest rate is made up. The numbers say
what the instruments do, and nothing about any force, product or person.

The [guidance for public bodies]({source}) tells the story in one paragraph:

> a police force arrests younger people and Black people more than others. Most of these people are
> released without charge but their facial images are kept and used to train the force's facial
> recognition technology […] The police force realises that the facial recognition technology is
> influencing who it arrests and may be reinforcing existing bias. […] The force suspends its use of
> facial recognition technology pending a review of the options to retrain the system using new data
> that is free from bias. It also monitors how the new system works […]

`scripts/demo` plays it with the five verbs that answer it, real training included:

| step | verb |
|---|---|
{steps}

What each finding means, at which threshold, and what to do next: [the catalogue](findings.md).
"""


def main(folder: Path) -> None:
    """Writes the page and a picture per step; raises where a run is missing."""
    records = {step.run: read(folder / step.run / "run.json") for step in STEPS}
    steps = "\n".join(f"| {step.title} | `frbench {records[step.run]['verb']}` |" for step in STEPS)
    parts = [INTRODUCTION.format(source=guidance.SOURCE, steps=steps)]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium")
        page = browser.new_page(viewport={"width": 1100, "height": 900}, color_scheme="light")
        for number, step in enumerate(STEPS, 1):
            image = FIGURES / f"police-{step.run.replace('_', '-')}.png"
            picture(page, folder / step.run / "report.html", step.figure[0], image)
            parts.append(section(number, step, folder, records[step.run], image))
        browser.close()
    PAGE.write_text("\n".join(parts), encoding="utf-8", newline="\n")


def section(number: int, step: Step, folder: Path, record: dict[str, Any], image: Path) -> str:
    """One step as Markdown."""
    found = read(folder / step.run / "findings.json")
    counts = ", ".join(
        f"{sum(each['level'] == level for each in found)} {level}"
        for level in ("flag", "watch", "undecided", "note")
    )
    lines = [
        f"## {number}. {step.title}",
        "",
        f"> {step.passage.words}",
        "",
        f"`{' '.join(['frbench', record['verb'], *typed(record)])}`",
        "",
        step.before,
        "",
        f"![{step.figure[1]}](images/{image.name})",
        "",
        f"Findings: {counts}. The gravest:",
        "",
    ]
    for each in found[:SHOWN]:
        entry = entry_of(each["code"])
        link = f"[{entry.code}](findings.md#{entry.code})" if entry else each["code"]
        lines.append(f"- **{each['level']}** ({link}) {each['statement']}")
    return "\n".join([*lines, "", step.after, ""])


def typed(record: dict[str, Any]) -> list[str]:
    """What was typed, without where it was written."""
    return [word for word in record["overrides"] if not word.startswith(("output=", "runs="))]


def picture(page: Page, report: Path, number: int, image: Path) -> None:
    """A figure of a report as a picture, tables left aside."""
    page.goto(report.resolve().as_uri())
    figures = page.locator("figure:has(svg)")
    figures.nth(number).scroll_into_view_if_needed()
    figures.nth(number).screenshot(path=image)


def read(path: Path) -> Any:
    """A JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python scripts/police_example_page.py FOLDER of scripts/demo")
    main(Path(sys.argv[1]))
