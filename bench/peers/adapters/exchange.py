"""What every adapter shares: read the cases, answer each, write the answers.

Runs in the interpreter of each peer, so it needs nothing but numpy.
"""

import json
import math
import re
import sys
import warnings
from importlib.metadata import version

import numpy as np

UNDEFINED, INFINITE = None, "infinite"


def serve(distributions, answers, absent):
    """Answer the cases in the file ``argv[1]``, and write the answers to ``argv[2]``.

    Args:
        distributions: names whose installed versions are recorded.
        answers: case id or kind of question -> function of the case giving
            (what was called, answer as a dict of numbers).
        absent: case id, kind of question or "" (all others) -> why there is no such function.
    """
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    with open(sys.argv[1], encoding="utf-8") as file:
        cases = json.load(file)
    found = {case["id"]: answer_one(case, answers, absent) for case in cases}
    versions = {name: version(name) for name in distributions}
    record = {"python": sys.version.split()[0], "versions": versions, "answers": found}
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        json.dump(record, file, indent=1, allow_nan=False)


def answer_one(case, answers, absent):
    """The outcome of one case: an answer with what was called, a refusal, or no function."""
    for key in (case["id"], case["ask"]):
        if key in absent:
            return {"no_such_function": absent[key]}
        if key in answers:
            try:
                api, answer = answers[key](case)
            except Exception as refusal:  # any way a tool says no is an answer here
                return {"refuses": f"{type(refusal).__name__}: {_short(str(refusal))}"}
            return {"api": api, "answer": {k: plain(v) for k, v in answer.items()}}
    return {"no_such_function": absent[""]}


def _short(message):
    """Three lines at most, without the folders of this machine."""
    text = " ".join(" ".join(message.splitlines()[:3]).split())
    return re.sub(r"/\S*/", "", text)[:300]


def plain(value):
    """A number for JSON: NaN as null, infinity by name."""
    number = float(value)
    if math.isnan(number):
        return UNDEFINED
    if math.isinf(number):
        return INFINITE
    return int(number) if number.is_integer() and not isinstance(value, float) else number


def columns(case):
    """The comparisons as arrays: mated bool, score float64 (NaN: failed), group object."""
    rows = case["comparisons"]
    times = [row.get("times", 1) for row in rows]
    mated = np.repeat([row["mated"] for row in rows], times)
    score = np.repeat([math.nan if row["score"] is None else row["score"] for row in rows], times)
    group = np.repeat(np.array([row.get("group") for row in rows], dtype=object), times)
    return mated, score.astype(np.float64), group


def split(case):
    """(mated scores, non-mated scores), float64 each."""
    mated, score, _ = columns(case)
    return score[mated], score[~mated]


def ratio(errors, comparisons):
    """errors / comparisons, NaN without comparisons."""
    return float(errors) / float(comparisons) if comparisons else math.nan
