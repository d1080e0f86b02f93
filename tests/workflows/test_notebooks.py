"""The example notebooks run from top to bottom and are kept without outputs."""

from __future__ import annotations

import json
import re
import warnings
from pathlib import Path
from typing import Any

import pytest
from test_report import evaluated

nbformat = pytest.importorskip("nbformat", reason="nbclient is not installed")
nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
pytest.importorskip("ipykernel", reason="ipykernel is not installed")

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def executed(name: str, cwd: Path) -> list[Any]:
    """The outputs of a notebook's cells after running it in ``cwd``."""
    notebook = nbformat.read(FOLDER / name, as_version=4)
    with warnings.catch_warnings():
        # the kernel's own machinery, on this Python
        warnings.simplefilter("ignore")
        client = nbclient.NotebookClient(
            notebook, timeout=240, resources={"metadata": {"path": str(cwd)}}
        )
        client.execute()
    return [out for cell in notebook.cells for out in cell.get("outputs", [])]


def told(outputs: list[Any]) -> str:
    """All text of the outputs."""
    texts = [out.get("text", "") or out.get("data", {}).get("text/plain", "") for out in outputs]
    return "\n".join(texts)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_output_is_kept(path: Path) -> None:
    """The files hold no results, which would grow old, and no counters."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert code
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)


@pytest.mark.slow
def test_look_at_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The notebook shows the record, groups and findings of the run that it is pointed to."""
    run = evaluated(tmp_path, "run")
    monkeypatch.setenv("FRBENCH_RUN", str(run))
    text = told(executed("look_at_a_run.ipynb", tmp_path))
    assert "scores: 40 persons, 80 images" in text
    assert "FMR, stricter" in text
    assert re.search(r"overall \d\.\d\de-0\d; highest over lowest group", text)


@pytest.mark.slow
def test_score_a_table(tmp_path: Path) -> None:
    """The rate counted by hand in the notebook is the one that frbench gives."""
    text = told(executed("score_a_table_of_your_own.ipynb", tmp_path))
    found = re.search(r"by hand (0\.\d+), by frbench (0\.\d+)", text)
    assert found, text
    assert float(found[1]) > 0
    assert found[1] == found[2]
