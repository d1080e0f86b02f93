"""The dlib matcher: its descriptors are dlib's own, in however many processes."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
import time

import numpy as np
import pytest

from frbench.alignment import align
from frbench.detectors.dlib_hog import DlibHogDetector
from frbench.dlib_files import RECOGNITION, model_file
from frbench.errors import InputError
from frbench.imaging import decode
from frbench.matchers.dlib_resnet import DlibMatcher
from real_photographs import SHARED, needs

dlib = pytest.importorskip("dlib")


@pytest.fixture(scope="module")
def chips():
    """Four random chips, enough to be shared out."""
    return np.random.default_rng(5).integers(0, 256, (4, 150, 150, 3), dtype=np.uint8)


def test_descriptors_are_dlib_own(chips):
    """Vector for vector what dlib computes when asked directly; batches change nothing."""
    model = dlib.face_recognition_model_v1(str(model_file(RECOGNITION)))
    expected = np.array([model.compute_face_descriptor(chip) for chip in chips], np.float32)
    matcher = DlibMatcher(workers=2)
    np.testing.assert_array_equal(matcher.embed(chips), expected)
    np.testing.assert_array_equal(matcher.embed(chips[2:3]), expected[2:3])


def test_jitter_does_not_depend_on_the_faces_before(chips):
    """dlib's random state moves on with each face; ours starts anew for each."""
    matcher = DlibMatcher(jitter=2)
    np.testing.assert_array_equal(matcher.embed(chips[:2])[1], matcher.embed(chips[1:2])[0])
    assert (matcher.embed(chips[:1]) != DlibMatcher().embed(chips[:1])).any()


def test_identity_names_the_weights():
    """The SHA-256 is the file's, and jitter is part of what can change a vector."""
    identity = DlibMatcher().identity()
    assert identity["weights"] == hashlib.sha256(model_file(RECOGNITION).read_bytes()).hexdigest()
    assert identity != DlibMatcher(jitter=1).identity()


def test_children_end_with_a_killed_parent():
    """SIGKILL of the parent leaves no process behind."""
    code = (
        "import numpy as np, time\n"
        "from frbench.matchers.dlib_resnet import DlibMatcher\n"
        "m = DlibMatcher(workers=2); m.embed(np.zeros((4, 150, 150, 3), np.uint8))\n"
        "print(*[c.pid for c in m._workers._children], flush=True); time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    children = [int(pid) for pid in parent.stdout.readline().split()]
    assert len(children) == 2
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 20
    while any(_alive(pid) for pid in children) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(_alive(pid) for pid in children)


def _alive(pid):
    """Whether the process still runs; one that waits to be reaped does not."""
    try:
        with open(f"/proc/{pid}/stat") as stream:
            return stream.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_killed_child_is_an_error_and_the_next_call_works(chips):
    """No half-read answer is taken for the next face's vector."""
    matcher = DlibMatcher(workers=2)
    expected = DlibMatcher(workers=1).embed(chips[:1])
    matcher.embed(chips)
    for child in matcher._workers._children:
        os.kill(child.pid, 9)
    with pytest.raises((RuntimeError, BrokenPipeError)):
        matcher.embed(chips)
    np.testing.assert_array_equal(matcher.embed(chips)[:1], expected)


def test_without_the_extra(monkeypatch, chips):
    """The sentence says what to install."""
    monkeypatch.setitem(sys.modules, "dlib", None)
    for call in (DlibMatcher().identity, lambda: DlibMatcher().embed(chips)):
        with pytest.raises(InputError) as caught:
            call()
        assert 'pip install "frbench[dlib]"' in str(caught.value)


def test_without_the_model_files(monkeypatch):
    """dlib alone is not enough."""
    real = importlib.util.find_spec
    monkeypatch.setattr(
        "frbench.dlib_files.find_spec",
        lambda name: None if name == "face_recognition_models" else real(name),
    )
    with pytest.raises(InputError, match="resnet_model_v1"):
        model_file(RECOGNITION)


def test_wrong_settings():
    """Refused on construction, or on the first face of another size."""
    with pytest.raises(InputError, match=r"matcher\.jitter=-1"):
        DlibMatcher(jitter=-1)
    with pytest.raises(InputError, match=r"matcher\.workers=0"):
        DlibMatcher(workers=0)
    with pytest.raises(InputError, match="150 x 150"):
        DlibMatcher().embed(np.zeros((1, 160, 160, 3), np.uint8))


@needs("frll")
def test_it_recognises_people():
    """Six people, two photographs each: every mated comparison beats every non-mated one."""
    detector, matcher = DlibHogDetector(), DlibMatcher()
    people = [f"{number:03}" for number in (1, 3, 4, 5, 6, 7)]
    vectors = []
    for view in ("neutral_front/{}_03.jpg", "smiling_front/{}_08.jpg"):
        chips = []
        for person in people:
            path = SHARED / "frll" / view.format(person)
            if not path.is_file():
                pytest.fail(f"{view} has no photograph of {person}")
            image = decode(path.read_bytes())
            face = detector.detect([image])[0][0]
            chips.append(align(image, face, matcher.preprocess))
        found = matcher.embed(np.stack(chips))
        vectors.append(found / np.linalg.norm(found, axis=1, keepdims=True))
    scores = vectors[0] @ vectors[1].T
    mated = np.diag(scores)
    non_mated = scores[~np.eye(len(people), dtype=bool)]
    assert mated.min() > non_mated.max()
