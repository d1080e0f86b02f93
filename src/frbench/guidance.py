"""What a rule says of itself, and the passages of the public guidance that rules answer.

The passages are quoted from "Artificial intelligence in public services", Equality and Human
Rights Commission, 1 September 2022, as last updated that day.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

SOURCE = "https://www.equalityhumanrights.com/guidance/artificial-intelligence-public-services"
RISKS = "Risks of artificial intelligence"
EXAMPLE = "Risks of artificial intelligence, example of the police force"
WHAT = "What artificial intelligence is"


@dataclass(frozen=True)
class Passage:
    """Words of the guidance.

    Attributes:
        section: heading that they stand under.
        step: which step of the story they tell, in our words.
        words: theirs, unchanged.
    """

    section: str
    step: str
    words: str


ARRESTED_MORE = Passage(
    EXAMPLE,
    "unequal arrests",
    "a police force arrests younger people and Black people more than others",
)
IMAGES_KEPT = Passage(
    EXAMPLE,
    "images kept",
    "released without charge but their facial images are kept",
)
LIMITED_DATA = Passage(
    EXAMPLE,
    "training on limited data",
    "the AI is being trained using very limited data",
)
INFLUENCES_ARRESTS = Passage(
    EXAMPLE,
    "influence on arrests",
    "influencing who it arrests and may be reinforcing existing bias",
)
REVIEW_OPTIONS = Passage(
    EXAMPLE,
    "suspension and review",
    "pending a review of the options to retrain the system using new data that is free from bias",
)
MONITORS = Passage(
    EXAMPLE,
    "monitoring",
    "monitors how the new system works to make sure it does not lead to discriminatory outcomes",
)
BIASED_DATA = Passage(
    RISKS,
    "biased data",
    "the data used to help the AI make decisions already contains bias",
)
ACCUMULATES = Passage(
    RISKS,
    "accumulation",
    "the bias may develop and accumulate over time as the system is used",
)
WORKS_AS_INTENDED = Passage(
    RISKS,
    "working as intended",
    "difficult to make sure the AI is working as intended and making decisions fairly",
)
BUYING = Passage(
    RISKS,
    "buying a system",
    "their staff will not understand how it works or makes decisions",
)
CHECKING_FACES = Passage(
    WHAT,
    "what the software does",
    "checking people's faces for pre-existing images that are already held on a database",
)


@dataclass(frozen=True)
class About:
    """A rule's entry in the catalogue of findings (``docs/findings.md``); every part is a sentence.

    Words in braces, such as ``{limit}``, stand for the rule's own setting of that name.

    Attributes:
        question: what the rule asks.
        measure: what it looks at.
        threshold: when it answers yes, no, or that it cannot tell.
        evidence: the least that it needs, and what it says below.
        severity: which levels its answers have.
        next_step: what to do about a finding.
        answers: the passage of the guidance that the question comes from.
        gravest: level of its gravest answer; None where the rule's setting ``severity`` says it.
    """

    question: str
    measure: str
    threshold: str
    evidence: str
    severity: str
    next_step: str
    answers: Passage
    gravest: str | None = None


def gravest_of(rule: Any) -> str:
    """The gravest level that a rule, as configured, can answer; flag where it does not say."""
    about = getattr(rule, "about", None)
    told = {getattr(rule, "severity", None), about.gravest if about else None}
    return next((level for level in ("flag", "watch", "note") if level in told), "flag")
