"""Catalogue entries of what ``frbench check`` says about a set before any run.

Its findings are facts of the whole set, so that most thresholds are "any".
"""

from __future__ import annotations

from frbench.guidance import (
    BIASED_DATA,
    CHECKING_FACES,
    LIMITED_DATA,
    WORKS_AS_INTENDED,
    About,
    Passage,
)

COUNTED = "None: the whole set is counted."
FILES = "Image files, and `check.images=true`."


def _fact(
    question: str,
    measure: str,
    severity: str,
    next_step: str,
    answers: Passage,
    *,
    threshold: str = "Any.",
    evidence: str = COUNTED,
    gravest: str = "watch",
) -> About:
    return About(
        question=question,
        measure=measure,
        threshold=threshold,
        evidence=evidence,
        severity=severity,
        next_step=next_step,
        answers=answers,
        gravest=gravest,
    )


ABOUT = {
    "unusable_image": _fact(
        "Can every image be read?",
        "Files that are missing or cannot be decoded.",
        "flag.",
        "Mend or remove them, or count them with embedding.unreadable=fail_to_enrol.",
        CHECKING_FACES,
        evidence=FILES,
        gravest="flag",
    ),
    "same_file_one_person": _fact(
        "Does one file stand twice under one person?",
        "Files that are the same byte for byte under one person.",
        "watch.",
        "Remove the copies: they always match, so that the FNMR looks better than it is.",
        CHECKING_FACES,
        evidence=FILES,
    ),
    "alike_two_persons": _fact(
        "Do pictures of two persons look alike?",
        "Pairs of different files under two persons whose perceptual hashes nearly agree.",
        "watch.",
        "Look at them: one person under two names makes false matches that are none.",
        CHECKING_FACES,
        threshold="Within `check.distance` of 64 bits and four times as many of 256.",
        evidence=FILES,
    ),
    "alike_one_person": _fact(
        "Do pictures of one person nearly repeat?",
        "Pairs of different files of one person whose perceptual hashes nearly agree.",
        "note.",
        "Remember that nearly the same picture matches easily.",
        CHECKING_FACES,
        threshold="Within `check.distance` of 64 bits and four times as many of 256.",
        evidence=FILES,
        gravest="note",
    ),
    "contradicting_label": _fact(
        "Do the images of one person carry two values of a label?",
        "Persons whose images disagree about a label.",
        "flag where the label makes the groups and groups.on_conflict=error, else watch.",
        "Mend the labels, or choose with groups.on_conflict what becomes of these persons.",
        BIASED_DATA,
        gravest="flag",
    ),
    "missing_label": _fact(
        "For how many images is a label unknown?",
        "Images without a label that makes the groups.",
        "watch above the limit, else note.",
        "Label them; a difference can hide among them.",
        LIMITED_DATA,
        threshold="A watch above the share `check.unlabelled`.",
    ),
    "absent_group": _fact(
        "Is anybody in every group?",
        "Groups without an image.",
        "note.",
        "Say that nothing was measured for these groups.",
        LIMITED_DATA,
        gravest="note",
    ),
    "no_mated": _fact(
        "Can misses be measured in every group?",
        "Groups without a mated comparison.",
        "watch.",
        "Bring second images of persons of these groups.",
        LIMITED_DATA,
    ),
    "no_non_mated": _fact(
        "Can false matches be measured in every group?",
        "Groups without a non-mated comparison.",
        "watch.",
        "Bring more persons of these groups.",
        LIMITED_DATA,
    ),
    "no_cross_group": _fact(
        "Are people of different groups compared with each other?",
        "Pairs of groups without a comparison.",
        "watch.",
        "Allow comparisons across groups, or say that false matches across were not measured.",
        LIMITED_DATA,
    ),
    "few_persons": _fact(
        "What could the smallest groups show?",
        "Persons of each group, and the smallest FMR that could be shown without one error.",
        "watch.",
        "Bring more persons of these groups, or expect `undecided`.",
        LIMITED_DATA,
        threshold="Fewer than 20 persons.",
    ),
    "one_image": _fact(
        "How many persons have one image?",
        "Persons without a mated comparison.",
        "note.",
        "Remember that they count for false matches only.",
        WORKS_AS_INTENDED,
        gravest="note",
    ),
}
