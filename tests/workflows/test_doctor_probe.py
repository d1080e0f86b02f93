"""`frbench doctor matcher=…`: a sound matcher passes, and each fault is found by its own probe."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from frbench import cli
from frbench.errors import InputError
from frbench.probing import Made, Row, Shown, VectorSubject, crops_of, probe

PEOPLE, EACH, WIDTH = 12, 3, 16
SHOWN = Shown(np.repeat(np.arange(PEOPLE), EACH), ["even", "odd", "odd"] * PEOPLE)


class Sound:
    """A matcher of its own kind: noisy copies of a person's vector, compared by cosine."""

    name = "sound"

    def __init__(self) -> None:
        rng = np.random.default_rng(7)
        self.calls = 0
        people = np.repeat(rng.standard_normal((PEOPLE, WIDTH)), EACH, axis=0)
        self.vectors = (people + rng.standard_normal(people.shape) / 4).astype(np.float32)

    def embed(self, faces):
        """The crop's first pixel says which face it is."""
        self.calls += 1
        return self.changed(self.vectors[faces[:, 0, 0, 0]])

    def changed(self, vectors):
        """What is wrong with this matcher; nothing here."""
        return vectors


class Restless(Sound):
    """Gives other vectors at every call."""

    def changed(self, vectors):
        """A little of the call's number."""
        return vectors + np.sin(np.arange(WIDTH) * self.calls).astype(np.float32) / 50


class Crowded(Sound):
    """Subtracts the mean of the batch, so a face depends on its company."""

    def changed(self, vectors):
        """As a batch normalisation in training mode does."""
        return vectors - vectors.mean(axis=0) / 10 + np.float32(1e-3)


class Placed(Sound):
    """Adds something of the place in the batch."""

    def changed(self, vectors):
        """The third in the batch is turned a little."""
        vectors = vectors.copy()
        vectors[2:3, 0] += 0.1
        return vectors


class Fickle(Sound):
    """Fails on a face at every second call."""

    def changed(self, vectors):
        """NaN is a failure to enrol."""
        vectors = vectors.copy()
        if self.calls % 2:
            vectors[0] = np.nan
        return vectors


def rows_of(subject) -> dict[str, Row]:
    """The rows by name of the probe."""
    return {row.probe: row for row in probe(subject, SHOWN)}


def of_vectors(matcher) -> dict[str, Row]:
    """The rows of a matcher of vectors."""
    crops = np.zeros((PEOPLE * EACH, 2, 2, 3), dtype=np.uint8)
    crops[:, 0, 0, 0] = np.arange(PEOPLE * EACH)
    return rows_of(VectorSubject(matcher, crops))


def failing(rows: dict[str, Row]) -> set[str]:
    """Names of the probes that failed."""
    return {name for name, row in rows.items() if row.passed is False}


def test_a_sound_matcher_passes_every_probe() -> None:
    """And says its template size and time per group."""
    rows = of_vectors(Sound())
    assert failing(rows) == set()
    assert "templates 64 bytes, 0 of 12 failed" in rows["group even"].outcome
    assert rows["throughput"].value > 0
    assert "630 among 630" in rows["distinct scores"].outcome


@pytest.mark.parametrize(
    ("matcher", "found"),
    [
        (Restless(), {"the same batch again", "one by one", "in reverse order", "with one thread"}),
        (Crowded(), {"one by one"}),
        (Placed(), {"one by one", "in reverse order"}),
    ],
)
def test_each_fault_fails_its_own_probe(matcher, found: set[str]) -> None:
    """Scores that change from call to call, with the company, or with the place."""
    assert failing(of_vectors(matcher)) == found


def test_a_face_that_is_enrolled_only_sometimes() -> None:
    """A failure that comes and goes is told as such."""
    rows = of_vectors(Fickle())
    assert "enrolled once and failed once" in rows["the same batch again"].outcome


class Box:
    """A black box whose template is the face's number; faults in how it compares."""

    threads = False

    def __init__(self, score) -> None:
        self._score, self._vectors = score, Sound().vectors.astype(float)

    def make(self, order):
        """A byte a face."""
        return Made([bytes([place]) for place in order])

    def scores(self, made, first, second):
        """By the function given, of two vectors."""
        faces = [made.templates[place][0] for place in range(len(made.templates))]
        unit = self._vectors / np.linalg.norm(self._vectors, axis=1, keepdims=True)
        x, y = (unit[[faces[place] for place in side]] for side in (first, second))
        return self._score(x, y)


@pytest.mark.parametrize(
    ("score", "found"),
    [
        (lambda x, y: (x * y).sum(1), set()),
        (lambda x, y: (x * y).sum(1) + x[:, 0] / 10, {"both orders of a pair"}),
        (lambda x, y: np.round((x * y).sum(1), 1), {"distinct scores"}),
        (lambda x, y: np.minimum((x * y).sum(1), 0.2), {"ends of the scale"}),
        (lambda x, y: -((x * y).sum(1)), {"a face with itself"}),
        (lambda x, y: np.where((x == y).all(1), np.nan, (x * y).sum(1)), {"a face with itself"}),
    ],
)
def test_faults_of_comparing_are_found(score, found: set[str]) -> None:
    """Asymmetric, coarse, cut off, upside down, and unable to compare a face with itself."""
    rows = rows_of(Box(score))
    assert found <= failing(rows) <= found | {"ends of the scale", "distinct scores"}
    if not found:
        assert failing(rows) == set()


def test_the_verb_probes_the_shipped_matcher(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """tiny on synthetic faces, called synthetic; doctor.json has every row; status 0."""
    monkeypatch.setenv("FRBENCH_CACHE", str(tmp_path))
    words = ["doctor", "matcher=tiny", "images=2", f"output={tmp_path / 'out'}"]
    assert cli.run(words) == 0
    told = capfd.readouterr().out
    assert "synthetic faces (no real person)" in told
    record = json.loads((tmp_path / "out" / "doctor.json").read_text())
    assert record["benchmark"]["synthetic"] is True
    assert [row for row in record["probes"] if row["passed"] is False] == []
    assert {"in reverse order", "a face with itself"} <= {r["probe"] for r in record["probes"]}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["tiny"], "takes settings such as matcher=dlib"),
        (["images=2"], "name the matcher to probe"),
        (["matcher=embeddings", "matcher.path=v.npz"], "nothing to repeat"),
        (["matcher=tiny", "images=1"], "at least 2"),
        (["matcher=nobody"], "nobody"),
        (["matcher=tiny", "benchmark=scores", "benchmark.path=s.csv"], "no faces to show"),
    ],
)
def test_words_that_do_not_fit_end_in_a_sentence(
    words: list[str], sentence: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Status 2 and what to type."""
    assert cli.run(["doctor", *words]) == 2
    assert sentence in capfd.readouterr().err


def test_no_face_to_show_is_said() -> None:
    """An image that is not there gives no crop."""
    from frbench.detectors.precropped import PrecroppedDetector
    from frbench.matchers.tiny import TinyMatcher

    with pytest.raises(InputError, match="no image gave a face"):
        crops_of(TinyMatcher(), PrecroppedDetector(), [Path("/nowhere.png")], "largest")


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_a_vendor_s_program_is_probed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The compiled example vendor, on pictures of ours: its own templates, its own scores."""
    monkeypatch.setenv("FRBENCH_CACHE", str(tmp_path / "cache"))
    source = Path(__file__).resolve().parents[2] / "examples" / "vendor_command" / "vendor.c"
    program = tmp_path / "vendor"
    subprocess.run(["cc", "-O2", "-o", program, source, "-lm"], check=True)
    rng = np.random.default_rng(3)
    for person in range(8):
        base = rng.integers(0, 200, (8, 8, 3))
        folder = tmp_path / "faces" / f"p{person}"
        folder.mkdir(parents=True)
        for image in range(2):
            noisy = np.clip(base + rng.integers(0, 50, base.shape), 0, 255).astype(np.uint8)
            big = Image.fromarray(noisy).resize((64, 64))
            big.save(folder / f"{image}.ppm")
    words = ["doctor", "matcher=command", f"matcher.program={program}", "benchmark=folder"]
    status = cli.run([*words, f"benchmark.root={tmp_path / 'faces'}", "images=16"])
    told = capfd.readouterr()
    assert status == 0, told
    assert "templates 260 bytes" in told.out
