"""The case study's page: fixed words about what was done and why, numbers from the kept tables."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from frbench.formatting import percent, scientific

Records = Mapping[str, Any]
POINT = "FMR 0.001"
FEWEST = 5
SETS = {
    "frll": "London set",
    "lfw": "Labeled Faces in the Wild",
}

HEAD = """# Case study: two matchers on the London set and on news photographs

*Written by `scripts/case_study`; every number below comes from the files in
[`case-study/`](case-study/), and a test holds the page to them. Nobody's face, name or number is
in it.*

The question is the one that a police technology team would ask: **at one threshold for everybody,
does this matcher confuse people of some groups more often than others, and would the newer one be
better?** The matchers and the photographs are real and public; the sets are far too small for a
decision, and that is half of the lesson.

## What was run

| matcher | what it is | faces found by |
|---|---|---|
| dlib | the ResNet that ships with dlib, 128 numbers a face | dlib's own detector |
| mobilefacenet | MobileFaceNet by foamliu, an ONNX file trained on MS-Celeb-1M | MTCNN |

| set | persons | images | labels, and who said so |
|---|---|---|---|
"""

LABELS = {
    "frll": "sex, ethnicity: by the people photographed themselves",
    "lfw": "sex: annotated by others and checked by hand; ethnicity: from a film database, "
    "joined by name, mostly empty, some of it wrong",
}

COMMAND = """
The photographs of the London set were taken in one studio on one kind of day: DeBruine, L. and
Jones, B., *Face Research Lab London Set*, figshare, CC BY 4.0, here in a reduced size. Those of
Labeled Faces in the Wild are news photographs collected by the University of Massachusetts, for
research; a part of the set is used. Neither is in this repository. The one command is

```
scripts/case_study --frll DIR --lfw DIR --model MobileFaceNet.onnx
```

It runs `frbench evaluate matcher=onnx matcher@before=dlib` four times: both matchers on the same
images, all pairs compared, one threshold per matcher and target false-match rate, chosen on all
completed comparisons of the set. "Before" and "after" only say which stands first: neither was
retrained from the other.
"""

LIMITS = """## What can be concluded

- **Whether each matcher works on these photographs**: the equal-error rates and the miss rates at
  the threshold are far from chance, so the numbers per group are not an artefact of a broken
  crop or a wrong colour order.
- **Where an interval excludes equality**, that these persons' photographs are confused at
  different rates by this matcher at this threshold. The findings above say where.
- **That a pooled rate says nothing of the groups**: it meets its target by construction, whatever
  the groups' own rates are.

## What cannot

- **No verdict on a group.** A rate among a few dozen persons is the rate of those persons. Where
  the table says *few errors* (under 10) or *few subjects* (under 20 persons), not even the order of
  the groups is known. Groups under five persons are left out of the page and stay in the files.
- **No cause.** Age, hair, pose, quality of the photograph and who happens to look alike differ
  between the groups; nothing here separates them from sex or ethnicity.
- **Nothing about a watchlist in a street.** The London set is a studio, the other set is press
  photography; both are easier than a camera over a crowd, and nobody in them is wanted.
- **The two sets may not be added up.** A threshold that gives 1 in 1,000 on one gives something
  else on the other; compare groups within a set, not rates between sets.
- **Ethnicity in the second set measures the labels first.** It was never stated by the persons;
  most of them have none, and some have the label of a namesake. Those runs are there to show what
  frbench does with such labels: the unlabelled are a group of their own and are not dropped.
- **Overlap with training data is unknown for some and certain for others.** MS-Celeb-1M holds many
  of the public figures of the news photographs, so mobilefacenet may have seen those persons; the
  London set's volunteers are less likely to be in it.

What would be needed: `frbench check` before a run says what sizes of groups can show. As a rule of
thumb, a false-match rate of 1 in 1,000 within a group needs some hundreds of persons before its
interval is narrower than a factor of two.
"""


def page(folder: Path, studies: Mapping[str, tuple[str, str, str]]) -> str:
    """The whole page from the files in ``folder``."""
    rates = pd.read_csv(folder / "rates.csv", keep_default_na=False, na_values=[""])
    change = pd.read_csv(folder / "change.csv", keep_default_na=False, na_values=[""])
    failures = pd.read_csv(folder / "failures.csv", keep_default_na=False, na_values=[""])
    records = json.loads((folder / "runs.json").read_text(encoding="utf-8"))
    parts = [
        HEAD + _sets(records, studies) + COMMAND,
        _provenance(records),
        _pooled(rates, records),
    ]
    for name, (which, label, _) in studies.items():
        mine = rates[rates["run"] == name]
        moved = change[change["run"] == name]
        parts.append(_study(name, f"{SETS[which]}, by {label}", mine, moved, records[name]))
    parts += [_failed(failures), LIMITS]
    return "\n".join(parts)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _sets(records: Records, studies: Mapping[str, tuple[str, str, str]]) -> str:
    first = {which: name for name, (which, _, _) in reversed(studies.items())}
    return "".join(
        f"| {SETS[which]} (`{which}`) | {records[name]['subjects']:,} | "
        f"{records[name]['images']:,} | {LABELS[which]} |\n"
        for which, name in reversed(first.items())
    )


def _provenance(records: Records) -> str:
    record = next(iter(records.values()))
    weights = {name: _digests(each["weights"]) for name, each in record["matchers"].items()}
    versions = record["packages"]
    shown = ("frbench", "torch", "facenet-pytorch", "dlib-bin", "onnxruntime", "pillow", "numpy")
    lines = [f"- {name}: SHA-256 of the weights `{digest}`" for name, digest in weights.items()]
    lines.append("- " + ", ".join(f"{name} {versions[name]}" for name in shown if name in versions))
    revisions = {str(each["code"]["revision"])[:12] for each in records.values()}
    lines.append(
        f"- revision {', '.join(sorted(revisions))}, on the processor ({record['processor']})"
    )
    return "\n".join(lines) + "\n"


def _digests(weights: Any) -> str:
    return ", ".join(weights.values()) if isinstance(weights, dict) else str(weights)


def _pooled(rates: pd.DataFrame, records: Records) -> str:
    rows = []
    for name in ("frll_sex", "lfw_sex"):
        for matcher in ("dlib", "mobilefacenet"):
            mine = rates[(rates["run"] == name) & (rates["arm"] == matcher)]
            found = records[name]["equal_error"][matcher]
            failed = mine[(mine["kind"] == "FTE") & (mine["probe_group"] == "all")].iloc[0]
            missed = _cell(mine, "FNMR", "all")
            score = next(
                each["value"]
                for each in records[name]["thresholds"]
                if each["matcher"] == matcher and each["label"] == POINT
            )
            rows.append(
                [
                    name.split("_")[0],
                    matcher,
                    _equal(found),
                    percent(float(failed["rate"])),
                    f"{score:.4f}",
                    _percent_text(missed),
                ]
            )
    head = [
        "set",
        "matcher",
        "equal-error rate",
        "FTE",
        f"threshold at {POINT}",
        "FNMR there (95 %)",
    ]
    return (
        "## All groups together\n\n"
        + _table(head, rows)
        + (
            "\nFTE: images without a face that the detector could find; such comparisons count as "
            "misses. The equal-error rate leaves them out.\n"
        )
    )


def _equal(found: Mapping[str, float] | None) -> str:
    if found is None:
        return "not kept"
    low, high = percent(found["low"]), percent(found["high"])
    return low if low == high else f"{low} to {high}"


def _cell(rates: pd.DataFrame, kind: str, group: str) -> Mapping[str, Any]:
    found = rates[
        (rates["operating_point"] == POINT)
        & (rates["kind"] == kind)
        & (rates["probe_group"] == group)
        & (rates["reference_group"] == group)
    ]
    row: Mapping[str, Any] = found.iloc[0].to_dict()
    return row


def _percent_text(row: Mapping[str, Any]) -> str:
    if row["status"] == "empty":
        return "not measurable"
    if row["errors"] == 0:
        return f"0 (at most {percent(float(row['high']))})"
    return f"{percent(row['rate'])} ({percent(row['low'])}–{percent(row['high'])})"


def _fmr_text(row: Mapping[str, Any]) -> str:
    if row["status"] == "empty":
        return "not measurable"
    if row["errors"] == 0:
        return f"0 (at most {scientific(float(row['high']))})"
    return f"{scientific(row['rate'])} ({scientific(row['low'])}–{scientific(row['high'])})"


def _study(
    name: str, title: str, rates: pd.DataFrame, change: pd.DataFrame, record: Records
) -> str:
    sizes = {str(each["group"]): int(each["subjects"]) for each in record["groups"]}
    shown = [group for group, persons in sizes.items() if persons >= FEWEST]
    small = len(sizes) - len(shown)
    rows = []
    for group in shown:
        for matcher in ("dlib", "mobilefacenet"):
            mine = rates[rates["arm"] == matcher]
            false, missed = _cell(mine, "FMR", group), _cell(mine, "FNMR", group)
            rows.append(
                [group, f"{sizes[group]:,}", matcher, f"{int(false['errors']):,}",
                 _fmr_text(false), str(false["status"]).replace("_", " "), _percent_text(missed)]
            )  # fmt: skip
    head = ["group", "persons", "matcher", "false matches", "FMR (95 %)", "status", "FNMR (95 %)"]
    parts = [
        f"## {title}\n",
        f"At {POINT} for all groups together:\n",
        _table(head, rows),
        f"![False-match rates per group, {title}](case-study/{name}.svg)\n",
        "Circles: dlib; squares: mobilefacenet; hollow: under 10 errors or 20 persons; a line "
        "without a mark: no false match seen; dashed: the target.\n",
    ]
    if small:
        one = "1 group of fewer" if small == 1 else f"{small} groups of fewer"
        parts.append(f"Kept in the files only: {one} than {FEWEST} persons.\n")
    parts += [_matrix(rates, shown), _moved(change, shown), _findings(record)]
    return "\n".join(part for part in parts if part)


def _matrix(rates: pd.DataFrame, groups: Sequence[str]) -> str:
    """Who is taken for whom, as multiples of the target, dlib / mobilefacenet."""
    cells = rates[(rates["operating_point"] == POINT) & (rates["kind"] == "FMR")]
    found = {
        (each["arm"], frozenset((each["probe_group"], each["reference_group"]))): each
        for each in cells.to_dict("records")
    }
    rows = []
    for one in groups:
        line = [f"**{one}**"]
        for other in groups:
            pair = [found.get((arm, frozenset((one, other)))) for arm in ("dlib", "mobilefacenet")]
            line.append(" / ".join("–" if p is None else f"{p['rate'] / 1e-3:.2g}" for p in pair))
        rows.append(line)
    text = "Comparisons across groups: FMR as a multiple of the target, dlib / mobilefacenet.\n\n"
    return text + _table(["", *groups], rows)


def _moved(change: pd.DataFrame, groups: Sequence[str]) -> str:
    """What mobilefacenet changed, paired on the same comparisons."""
    mine = change[
        (change["operating_point"] == POINT)
        & change["kind"].isin(["FMR", "FNMR"])
        & change["group"].isin(["all", *groups])
    ]
    rows = [
        [str(row["group"]), str(row["kind"]), _ratio(row), str(row["status"]).replace("_", " ")]
        for row in mine.to_dict("records")
    ]
    if not rows:
        return ""
    text = (
        "mobilefacenet against dlib, paired on the same persons and images, each at its own "
        "threshold: the ratio is below 1 where mobilefacenet errs less.\n\n"
    )
    return text + _table(["group", "rate", "mobilefacenet / dlib (95 %)", "status"], rows)


def _ratio(row: Mapping[Any, Any]) -> str:
    if pd.isna(row["ratio"]):
        return "not measurable"
    high = (
        "without limit"
        if pd.isna(row["high"]) or row["high"] == float("inf")
        else f"{row['high']:.3g}"
    )
    return f"{row['ratio']:.3g} ({row['low']:.3g} to {high})"


def _findings(record: Records) -> str:
    """Every flag in full, with the persons behind it; of the undecided the main question only."""
    persons = {str(each["group"]): int(each["subjects"]) for each in record["groups"]}
    flags = [
        f"- **flag**: {each['statement']}{_behind(each['statement'], persons)}"
        for each in record["findings"]
        if each["level"] == "flag"
    ]
    open_questions = [each for each in record["findings"] if each["level"] == "undecided"]
    main = [
        f"- **undecided**: {_short(each['statement'])}"
        for each in open_questions
        if POINT in each["statement"] and "false-match rate exceeds 1.5" in each["statement"]
    ]
    text = (
        "What frbench's standard rules said, in its own words (before: dlib; after: "
        f"mobilefacenet). {len(flags)} flags, {len(open_questions)} questions undecided, of which "
        "the one about the false-match rate at this threshold is shown:\n\n"
    )
    return text + "\n".join([*flags, *main]) + "\n"


def _behind(statement: str, persons: Mapping[str, int]) -> str:
    few = [
        f"{group} has {number}"
        for group, number in persons.items()
        if f"“{group}”" in statement and number < 20
    ]
    return f" *({'; '.join(few)} persons: no ground for a conclusion.)*" if few else ""


def _short(statement: str, length: int = 420) -> str:
    if len(statement) <= length:
        return statement
    return statement[:length].rsplit(";", 1)[0] + "; … (the rest in the files)"


def _failed(failures: pd.DataFrame) -> str:
    text = "## Failures to enrol, by group and reason\n\n"
    mine = failures[failures["run"].isin(["frll_sex", "lfw_sex"])]
    if mine.empty:
        return text + "None.\n"
    rows = [
        [row["run"].split("_")[0], str(row["arm"]), str(row["group"]), str(row["reason"]),
         f"{int(row['images']):,}"]
        for row in mine.to_dict("records")
    ]  # fmt: skip
    return text + _table(["set", "matcher", "group", "reason", "images"], rows)
