"""Runs the case study and writes its tables, figures and page; called by ``scripts/case_study``.

The page is made from the tables in ``docs/case-study/`` alone, so that anybody can make it again
without the photographs; no figure in it is typed by hand.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
from scripts.case_study_figures import forest
from scripts.case_study_text import page

from frbench.equal_error import equal_error_rate
from frbench.runs import read_tally

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "case-study"
PAGE = ROOT / "docs" / "case-study-london-set.md"
TARGETS = "operating_point.target_fmr=[1e-2,1e-3]"
POINT = "FMR 0.001"
STUDIES = {
    "frll_sex": ("frll", "sex", "self-defined"),
    "frll_ethnicity": ("frll", "ethnicity", "self-defined"),
    "lfw_sex": ("lfw", "sex", "annotated"),
    "lfw_ethnicity": ("lfw", "ethnicity", "inferred"),
}
"""Name of the run -> set, label, and who said so."""

ARMS = {"before": "dlib", "after": "mobilefacenet"}
KEPT = [
    "operating_point", "kind", "probe_group", "reference_group", "errors", "comparisons",
    "subjects", "rate", "low", "high", "status",
]  # fmt: skip


def run_all(options: argparse.Namespace) -> None:
    """Every study that has no complete run yet."""
    roots = {"frll": options.frll, "lfw": options.lfw}
    for name, (which, label, provenance) in STUDIES.items():
        folder = options.runs / name
        if (folder / "run.json").is_file():
            print(f"{name}: complete already")
            continue
        subprocess.run(
            [
                *(sys.executable, "-m", "frbench", "evaluate"),
                *("matcher=onnx", f"matcher.path={options.model}", "matcher.name=mobilefacenet"),
                *("matcher.convention=imagenet", "matcher@before=dlib"),
                *("benchmark=manifest", f"benchmark.path={roots[which] / 'manifest.csv'}"),
                *(f"benchmark.name={which}", f"groups.by=[{label}]", "groups.on_conflict=majority"),
                *(f"+groups.provenance.{label}={provenance}", TARGETS, f"output={folder}"),
            ],
            check=True,
        )


def collect(runs: Path) -> None:
    """The tables of all runs as four small files, without any id."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    rates, changes, failures = [], [], []
    records: dict[str, Any] = {}
    for name in STUDIES:
        folder = runs / name
        table = pd.read_parquet(folder / "rates.parquet")
        table = table[table["operating_point"] == POINT]
        rates.append(_named(table[["arm", *KEPT]].replace({"arm": ARMS}), name))
        moved = pd.read_parquet(folder / "change.parquet")
        changes.append(_named(moved[moved["operating_point"] == POINT], name))
        if (folder / "failures.parquet").is_file():
            found = pd.read_parquet(folder / "failures.parquet").replace({"arm": ARMS})
            failures.append(_named(found, name))
        records[name] = _record(folder)
    _written(pd.concat(rates), "rates.csv")
    _written(pd.concat(changes), "change.csv")
    _written(pd.concat(failures) if failures else pd.DataFrame(columns=["run"]), "failures.csv")
    text = json.dumps(records, indent=1, ensure_ascii=False, sort_keys=True)
    (FOLDER / "runs.json").write_text(text + "\n", encoding="utf-8")


def _named(table: pd.DataFrame, name: str) -> pd.DataFrame:
    return table.assign(run=name)[["run", *table.columns]]


def _written(table: pd.DataFrame, name: str) -> None:
    table.to_csv(FOLDER / name, index=False, lineterminator="\n", float_format="%.6g")


def _record(folder: Path) -> dict[str, Any]:
    """What the page says of a run: versions, hashes, thresholds, persons, findings."""
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    findings = json.loads((folder / "findings.json").read_text(encoding="utf-8"))
    errors = {arm: equal_error_rate(read_tally(folder / "tally" / arm)) for arm in ARMS}
    return {
        "code": record["code"],
        "packages": record["packages"],
        "processor": record["machine"]["processor"],
        "images": record["benchmark"]["images"],
        "subjects": record["benchmark"]["subjects"],
        "labels_sha256": record["benchmark"]["labels_sha256"],
        "groups": record["groups"],
        "matchers": {
            ARMS[each["arm"]]: {
                "weights": each["identity"]["weights"],
                "fingerprint": each["fingerprint"],
                "detector": each["detector"]["name"],
            }
            for each in record["matchers"]
        },
        "thresholds": [
            {key: each[key] for key in ("label", "value", "errors", "comparisons")}
            | {"matcher": ARMS[each["arm"]]}
            for each in record["thresholds"]
        ],
        "equal_error": {ARMS[arm]: _both(found) for arm, found in errors.items()},
        "findings": [{key: each[key] for key in ("level", "statement")} for each in findings],
    }


def _both(found: Any) -> dict[str, float] | None:
    return None if found is None else {"low": float(found.low), "high": float(found.high)}


def write_page() -> None:
    """The figures and the page, from the kept tables."""
    rates = pd.read_csv(FOLDER / "rates.csv", keep_default_na=False, na_values=[""])
    for name, (which, label, _) in STUDIES.items():
        picture = forest(rates[rates["run"] == name], POINT, f"{which} by {label}")
        (FOLDER / f"{name}.svg").write_text(picture, encoding="utf-8")
    PAGE.write_text(page(FOLDER, STUDIES), encoding="utf-8")


def main() -> None:
    """Run what is missing, collect, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frll", type=Path, help="London set: photographs and manifest.csv")
    parser.add_argument("--lfw", type=Path, help="Labeled Faces in the Wild, the same")
    parser.add_argument("--model", type=Path, help="MobileFaceNet.onnx")
    parser.add_argument("--runs", type=Path, default=Path("runs/case-study"))
    parser.add_argument("--page", action="store_true", help="only write the page anew")
    options = parser.parse_args()
    if not options.page:
        if not (options.frll and options.lfw and options.model):
            parser.error("give --frll, --lfw and --model, or --page")
        run_all(options)
        collect(options.runs)
    write_page()
    print(f"written: {PAGE.relative_to(ROOT)} and {FOLDER.relative_to(ROOT)}/")


if __name__ == "__main__":
    main()
