"""The example vendors: the one in C against its own definition, the wrappers against in process."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import pandas as pd
import pytest
from black_box_worlds import as_dict, counted
from PIL import Image

from frbench import cli
from frbench.comparison import ComparisonSpec, compare
from frbench.embedding import embed
from frbench.matchers.command import CommandMatcher
from frbench.matchers.http import HttpMatcher
from frbench.values import FaceSet
from real_photographs import SHARED, needs

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
COMPILER = shutil.which("cc")
needs_compiler = pytest.mark.skipif(COMPILER is None, reason="no C compiler (cc) on this machine")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The example vendor, compiled."""
    program = tmp_path_factory.mktemp("built") / "vendor"
    source = EXAMPLES / "vendor_command" / "vendor.c"
    words = [COMPILER, "-O2", "-Wall", "-Wextra", "-Werror", "-o", program, source, "-lm"]
    subprocess.run(words, check=True)
    return program


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """24 pictures of 8 patterns, one of one colour and one that is cut short."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(4)
    rows = []
    for person in range(8):
        pattern = rng.integers(0, 256, (24, 16, 3)).astype(float)
        for number in range(3):
            name = f"{person}_{number}.ppm"
            picture = np.clip(pattern + rng.normal(0, 60, pattern.shape), 0, 255)
            Image.fromarray(picture.astype(np.uint8)).save(folder / name)
            rows.append((name, f"p{person}", "ab"[person % 2]))
    Image.fromarray(np.full((16, 16, 3), 80, np.uint8)).save(folder / "flat.ppm")
    (folder / "short.ppm").write_bytes((folder / "0_0.ppm").read_bytes()[:-40])
    rows += [("flat.ppm", "p0", "a"), ("short.ppm", "p1", "b")]
    table = pd.DataFrame(rows, columns=["path", "subject_id", "kind"])
    table.to_csv(folder / "manifest.csv", index=False)
    return folder


def descriptor(path: Path) -> np.ndarray:
    """int64 [64]: the vendor's template as its comment defines it."""
    pixels = np.array(Image.open(path)).astype(np.int64).sum(axis=2)
    high, wide = pixels.shape
    row, column = np.arange(high) * 8 // high, np.arange(wide) * 8 // wide
    cell = row[:, None] * 8 + column
    means = [int(pixels[cell == n].sum()) * 64 // int((cell == n).sum()) for n in range(64)]
    return np.array(means) * 64 - sum(means)


@needs_compiler
def test_the_vendor_in_c_gives_the_scores_of_its_definition(built, pictures):
    """Every comparison to the last digits; two pictures fail to enrol, for reasons of theirs."""
    table = pd.read_csv(pictures / "manifest.csv")
    table["image_id"] = table["path"]
    table["group"] = pd.Categorical(table["kind"])
    faces = FaceSet("pictures", "1", pictures, table)
    tally, record = counted(faces, CommandMatcher(program=str(built), workers=2))
    templates = [descriptor(pictures / path) for path in table["path"][:24]]
    assert np.flatnonzero(~tally.enrolled).tolist() == [24, 25]
    for (one, other), score in (as_dict(tally.mated) | as_dict(tally.tail)).items():
        a, b = templates[one], templates[other]
        assert score == pytest.approx(a @ b / np.sqrt(float(a @ a) * float(b @ b)), abs=1e-14)
    assert record["vendor"] == {"name": "example-c", "version": "1"}


@needs_compiler
def test_a_vendor_is_one_word_away(built, pictures, tmp_path, monkeypatch, capsys):
    """``frbench evaluate matcher=command``: tables, stated threshold, record and report."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FRBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "argv", sys.argv)
    status = cli.run(
        [
            "evaluate",
            "matcher=command",
            f"matcher.program={built}",
            "benchmark=manifest",
            f"benchmark.path={pictures / 'manifest.csv'}",
            "embedding.unreadable=fail_to_enrol",
            "groups.by=[kind]",
            "operating_point.target_fmr=[1e-1]",
            "output=run",
        ]
    )
    assert status == 0, capsys.readouterr().err
    rates = pd.read_csv(tmp_path / "run" / "rates.csv")
    assert list(rates["operating_point"].unique()) == ["FMR 0.1", "stated FMR 0.01"]
    pooled = rates[rates["probe_group"] == "all"].drop_duplicates("kind").set_index("kind")
    assert pooled.loc["FTE", ["errors", "comparisons"]].tolist() == [2, 26]
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["matchers"][0]["black_box"] is True
    assert record["matchers"][0]["vendor"]["name"] == "example-c"
    assert record["comparisons"][0]["comparisons are"] == "all pairs"
    found = json.loads((tmp_path / "run" / "findings.json").read_text())
    assert "stated_threshold" in {each["code"] for each in found}
    assert "example-c" in (tmp_path / "run" / "report.html").read_text()


@contextmanager
def example_server(matcher: str):
    """The example server on a free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [sys.executable, EXAMPLES / "vendor_http" / "server.py", matcher, "--port", str(port)]
    child = subprocess.Popen(words)
    end = time.monotonic() + 120
    try:
        while time.monotonic() < end and child.poll() is None:
            try:
                httpx.get(f"http://127.0.0.1:{port}/info")
                break
            except httpx.TransportError:
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        child.terminate()
        child.wait()


@needs("frll")
def test_dlib_counts_the_same_in_process_and_behind_both_examples(tmp_path):
    """Four real photographs: every score is the same to the last bit, whichever way it came."""
    pytest.importorskip("dlib")
    pytest.importorskip("fastapi")
    from frbench.detectors.dlib_hog import DlibHogDetector
    from frbench.matchers.dlib_resnet import DlibMatcher

    table = pd.read_csv(SHARED / "frll" / "manifest.csv", dtype=str)
    fronts = table["view"] == "front"
    table = table[fronts].sort_values(["subject_id", "path"]).head(4).reset_index(drop=True)
    table["image_id"] = table["path"]
    table["group"] = pd.Categorical(table["sex"])
    faces = FaceSet("frll", "1", SHARED / "frll", table)
    vectors = embed(
        faces, DlibHogDetector(), DlibMatcher(workers=1), choice="most_central", workers=0
    )
    own = compare(vectors, table, ComparisonSpec())
    script = EXAMPLES / "vendor_command_frbench" / "vendor.py"
    words = [str(script), "dlib"]
    program = CommandMatcher(program=sys.executable, arguments=words, workers=1)
    found = [counted(faces, program)[0]]
    with example_server("dlib") as url:
        found.append(counted(faces, HttpMatcher(url=url, workers=2))[0])
    for tally in found:
        assert as_dict(tally.mated) == as_dict(own.mated)
        assert as_dict(tally.tail) == as_dict(own.tail)
        assert tally.tail.score.dtype == own.tail.score.dtype
        assert np.array_equal(tally.enrolled, own.enrolled)
