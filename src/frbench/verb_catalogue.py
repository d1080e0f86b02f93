"""Catalogue entries of findings that a verb draws up itself, without a shelf of rules.

``frbench retrain`` asks ``retraining_gap`` too, as ``frbench evaluate`` does, of each recipe.
"""

from __future__ import annotations

from collections.abc import Mapping

from frbench.guidance import (
    INFLUENCES_ARRESTS,
    LIMITED_DATA,
    MONITORS,
    REVIEW_OPTIONS,
    WORKS_AS_INTENDED,
    About,
)
from frbench.set_catalogue import ABOUT as CHECK

RETRAIN = {
    "retraining_options": About(
        question="Which option to retrain leaves the smallest disparity?",
        measure=(
            "The disparity after each recipe, averaged over seeds, and its ratio to that after the "
            "first recipe, paired on the same persons."
        ),
        threshold=(
            "Clearly smaller, or larger, where the whole interval of the ratio lies on one side of "
            "1; else no clear difference is named as such."
        ),
        evidence="Two recipes whose disparity is defined.",
        severity="note.",
        next_step="Take it into the review of the options, beside the rates of every group.",
        answers=REVIEW_OPTIONS,
        gravest="note",
    ),
    "training_share": About(
        question="Do groups with a smaller share of the training data have a larger gap?",
        measure="The association, over recipes and groups, of training share and measured rate.",
        threshold="None: its interval is told, whatever it is.",
        evidence="Recipes whose shares differ.",
        severity="note.",
        next_step="Read it with the controlled comparison of the recipes, not instead of it.",
        answers=INFLUENCES_ARRESTS,
        gravest="note",
    ),
    "seeds": About(
        question="Could the changes be the seed's and not the data's?",
        measure="Seeds per recipe.",
        threshold="Fewer than 2.",
        evidence="None: this is the rule that says what is lacking.",
        severity="undecided, always.",
        next_step="Train every recipe with several seeds: seeds=[1,2,3] or more.",
        answers=LIMITED_DATA,
        gravest="flag",
    ),
}
DIFF = {
    "cell_moved": About(
        question="Which cells moved between two runs?",
        measure="The change of each cell's rate, paired where the comparisons are the same.",
        threshold="Beyond noise after the correction over all cells that the finding names.",
        evidence="Cells with errors or comparisons in both runs.",
        severity="watch where a rate rose, note where it fell.",
        next_step="See which inputs differ, and whether the change was meant.",
        answers=MONITORS,
        gravest="watch",
    ),
    "nothing_moved": About(
        question="Did nothing move between two runs?",
        measure="The number of cells that were tested.",
        threshold="None of them moved beyond noise.",
        evidence="One cell that could be tested.",
        severity="note.",
        next_step="Remember that no movement seen is not no movement.",
        answers=MONITORS,
        gravest="note",
    ),
}
SWEEP = {
    "job_without_a_run": About(
        question="Did every job of a sweep leave a run?",
        measure="Jobs of the sweep without a complete run folder.",
        threshold="Any.",
        evidence="None: every job is counted.",
        severity="undecided, always.",
        next_step="Read what the job said, mend its input, and run the same command again.",
        answers=WORKS_AS_INTENDED,
        gravest="flag",
    ),
}
BY_VERB: Mapping[str, Mapping[str, About]] = {
    "check": CHECK,
    "retrain": RETRAIN,
    "diff": DIFF,
    "evaluate --multirun": SWEEP,
}
