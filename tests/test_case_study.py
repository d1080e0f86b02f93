"""The case study's page says what its committed tables say, and names nobody."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from real_photographs import SHARED, needs

ROOT = Path(__file__).resolve().parents[1]
KEPT = ROOT / "docs" / "case-study"


@pytest.fixture(scope="module")
def again(tmp_path_factory):
    """The page and figures made again from the committed tables, elsewhere."""
    copy = tmp_path_factory.mktemp("again")
    shutil.copytree(
        ROOT / "scripts", copy / "scripts", ignore=shutil.ignore_patterns("__pycache__")
    )
    (copy / "docs").mkdir()
    shutil.copytree(KEPT, copy / "docs" / "case-study", ignore=shutil.ignore_patterns("*.svg"))
    command = [sys.executable, "-m", "scripts.case_study_page", "--page"]
    subprocess.run(command, cwd=copy, check=True, capture_output=True)
    return copy / "docs"


def test_the_page_is_made_of_the_tables(again):
    """Byte for byte: no number was typed by hand."""
    page = Path("case-study-london-set.md")
    assert (again / page).read_bytes() == (ROOT / "docs" / page).read_bytes()


def test_the_figures_are_made_of_the_tables(again):
    """The four pictures too, and they are small."""
    pictures = sorted(KEPT.glob("*.svg"))
    assert len(pictures) == 4
    for picture in pictures:
        assert (again / "case-study" / picture.name).read_bytes() == picture.read_bytes()
        assert picture.stat().st_size < 20_000


def test_rates_are_errors_over_comparisons():
    """Each rate in the kept table is its own division, inside its interval."""
    rates = pd.read_csv(KEPT / "rates.csv")
    counted = rates[rates["comparisons"] > 0]
    assert len(counted) > 200
    assert (counted["rate"] - counted["errors"] / counted["comparisons"]).abs().max() < 1e-5
    assert (counted["low"] <= counted["rate"] + 1e-6).all()
    assert (counted["rate"] <= counted["high"] + 1e-6).all()


def test_the_equal_error_rates_are_below_two_per_cent():
    """The bar on real matchers and real people."""
    records = json.loads((KEPT / "runs.json").read_text(encoding="utf-8"))
    for name in ("frll_sex", "lfw_sex"):
        for found in records[name]["equal_error"].values():
            assert 0 < found["low"] <= found["high"] < 0.02


@needs("lfw")
@needs("frll")
def test_nobody_is_named():
    """No person and no path of either set occurs in the page or its files."""
    text = "\n".join(
        path.read_text(encoding="utf-8")
        for path in [ROOT / "docs" / "case-study-london-set.md", *KEPT.iterdir()]
    )
    people = pd.read_csv(SHARED / "lfw" / "manifest.csv", dtype=str)["subject_id"].unique()
    assert [person for person in people if person in text] == []
    assert re.search(r"\.(jpg|jpeg|png)\b", text) is None
