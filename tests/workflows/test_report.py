"""A finished run's page drawn again and printed, as a user types it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from test_evaluate import frbench

from frbench import printing
from frbench.errors import InputError
from frbench.runs import artefact_hashes
from frbench.stored_run import read_report_data
from reporting_fixtures import HOSTILE

CHROMIUM = any(map(shutil.which, printing.BROWSERS))


def score_list(folder: Path, groups: tuple[str, str], *, seed: int = 3) -> Path:
    """A list of made-up scores of 40 persons, 2 images each, of two groups."""
    rng = np.random.default_rng(seed)
    person = np.repeat(np.arange(40), 2)
    first, second = np.triu_indices(80, 1)
    same = person[first] == person[second]
    path = folder / "scores.csv"
    pd.DataFrame(
        {
            "probe_id": [f"i{k}" for k in first],
            "reference_id": [f"i{k}" for k in second],
            "probe_subject": [f"p{person[k]}" for k in first],
            "reference_subject": [f"p{person[k]}" for k in second],
            "score": np.where(same, 0.7, 0.2) + 0.1 * rng.normal(size=len(first)),
            "probe_sex": [groups[person[k] % 2] for k in first],
            "reference_sex": [groups[person[k] % 2] for k in second],
        }
    ).to_csv(path, index=False)
    return path


def evaluated(folder: Path, name: str, *words: str, groups: tuple[str, str] = ("f", "m")) -> Path:
    """A run of ``frbench evaluate`` on such a list."""
    folder.mkdir(parents=True, exist_ok=True)
    path = score_list(folder, groups)
    done = frbench(
        "evaluate",
        "benchmark=scores",
        f"benchmark.path={path}",
        "groups.by=[sex]",
        "operating_point.target_fmr=[0.01,0.05]",
        f"output={folder / name}",
        *words,
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    return folder / name


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with two operating points."""
    return evaluated(tmp_path_factory.mktemp("report"), "run")


def test_the_page_comes_back_byte_for_byte(run: Path, tmp_path: Path) -> None:
    """Drawn from the stored tables, the page equals the one that the run wrote."""
    before = artefact_hashes(run)
    done = frbench("report", str(run), cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "run.html\n"), done.stderr
    assert (tmp_path / "run.html").read_bytes() == (run / "report.html").read_bytes()
    assert artefact_hashes(run) == before


def test_hostile_labels_come_back_as_text(tmp_path: Path) -> None:
    """Labels that look like markup or formulas are the same text on the page drawn again."""
    run = evaluated(tmp_path, "run", groups=(HOSTILE[0], HOSTILE[6]))
    done = frbench("report", str(run), "--html", "again.html", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "again.html").read_text(encoding="utf-8")
    assert page == (run / "report.html").read_text(encoding="utf-8")
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


@pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine")
def test_the_pdf_is_the_page(run: Path, tmp_path: Path) -> None:
    """The PDF is whole and as long as a printed report, with the folded tables opened."""
    done = frbench("report", "--pdf", str(run), cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "run.pdf\n"), done.stderr
    content = (tmp_path / "run.pdf").read_bytes()
    assert content.startswith(b"%PDF-")
    assert content.count(b"/Type /Page\n") > 3


def test_no_chromium_is_said(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a browser the answer names what is missing and what else can be done."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("FRBENCH_CHROMIUM", raising=False)
    monkeypatch.setattr(printing, "PLACES", ())
    done = frbench("report", str(run), "--pdf", "page.pdf", cwd=tmp_path)
    assert done.returncode == 2
    assert "needs an installed Chromium" in done.stderr
    assert not (tmp_path / "page.pdf").exists()


def test_a_browser_that_fails_is_said(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that prints nothing leaves no file and its last words in the sentence."""
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho out of paper >&2\nexit 3\n", encoding="utf-8")
    broken.chmod(0o755)
    monkeypatch.setenv("FRBENCH_CHROMIUM", str(broken))
    with pytest.raises(InputError, match="out of paper"):
        printing.print_pdf(run / "report.html", tmp_path / "page.pdf")
    assert not (tmp_path / "page.pdf").exists()


def test_the_run_folder_is_not_written_into(run: Path, tmp_path: Path) -> None:
    """Its files are hashed; a target among them is refused."""
    done = frbench("report", str(run), "--html", str(run / "report.html"), cwd=tmp_path)
    assert done.returncode == 2
    assert "lies inside the run folder" in done.stderr


def test_what_is_no_run_is_refused(run: Path, tmp_path: Path) -> None:
    """A folder without a record, a damaged tally, and a wrong option are sentences."""
    nothing = frbench("report", str(tmp_path), cwd=tmp_path)
    assert (nothing.returncode, "no run.json" in nothing.stderr) == (2, True)
    option = frbench("report", str(run), "--docx", cwd=tmp_path)
    assert (option.returncode, "--docx" in option.stderr) == (2, True)
    damaged = tmp_path / "damaged"
    shutil.copytree(run, damaged)
    (damaged / "tally" / "images.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match="tally"):
        read_report_data(damaged)


def test_another_verbs_page_is_copied(run: Path, tmp_path: Path) -> None:
    """A page that only its own verb can draw is handed out as it is."""
    other = tmp_path / "audit"
    other.mkdir()
    (other / "run.json").write_text(json.dumps({"verb": "audit", "schema_version": 1}))
    (other / "report.html").write_text("<p>an audit</p>")
    done = frbench("report", str(other), "--html", "copy.html", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "copy.html").read_text() == "<p>an audit</p>"
