"""Images prepared ahead: the same templates however many work on them, and no worker left over."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from embedding_worlds import (
    KilledDetector,
    RowByRow,
    SlowDetector,
    SmallMatcher,
    face_set,
    faces_of,
    picture,
    weights_file,
)
from frbench import prefetching
from frbench.detectors.precropped import PrecroppedDetector
from frbench.embedding import embed
from frbench.errors import InputError
from frbench.matchers import Preprocess
from frbench.preparing import Preparation, Source
from frbench.template_cache import Template, TemplateCache

WHOLE = PrecroppedDetector()


@pytest.fixture
def root(tmp_path):
    """A folder for images."""
    folder = tmp_path / "images"
    folder.mkdir()
    return folder


def mixed(root):
    """Thirty images among which one is damaged, one is missing and two are the same."""
    face_set(root, 30)
    (root / "3.png").write_bytes(b"no image")
    (root / "9.png").write_bytes((root / "8.png").read_bytes())
    return faces_of(root, [*[f"{n}.png" for n in range(30)], "gone.png"])


def bytes_of(found):
    """All that a matcher's user sees of a set of templates."""
    return found.vectors.tobytes(), found.failure.tolist(), found.image_id.tolist()


def test_any_number_of_workers_and_any_batch_give_the_same_bytes(root, tmp_path):
    """Threads and processes; batches of 1, 4, 7 and 64: one answer, failures included."""
    faces, weights = mixed(root), weights_file(tmp_path)

    def run(workers, batch):
        matcher = RowByRow(weights)
        options = {"workers": workers, "batch": batch, "unreadable": "fail_to_enrol"}
        return embed(faces, WHOLE, matcher, **options)

    alone = run(0, 1)
    assert alone.failure[3] == "unreadable: not an image in a known format"
    assert alone.failure[30] == "unreadable: no such file or directory"
    assert alone.enrolled.sum() == 29
    others = [run(0, 4), run(2, 64), run(None, 7)]
    assert [bytes_of(each) == bytes_of(alone) for each in others] == [True] * 3
    assert {each.fingerprint for each in others} == {alone.fingerprint}


def test_processes_know_what_is_in_the_cache(tmp_path):
    """What is handed to them names the contents that need no crop."""
    cache = TemplateCache(tmp_path, {"any": 1})
    cache.add("seen", Template(None, "no face found"))
    sent = prefetching._portable(Preparation(WHOLE, "largest", Preprocess(16, "box"), cache))
    known = pickle.loads(pickle.dumps(sent)).known
    assert ("seen" in known, "unseen" in known) == (True, False)


def test_a_killed_worker_is_one_sentence(root, tmp_path):
    """It says what to do, and what was finished before is in the cache."""
    faces, cache = face_set(root, 60), tmp_path / "cache"
    Pillow.fromarray(picture(1, (31, 33))).save(root / "50.png")
    small = SmallMatcher(weights_file(tmp_path))
    with pytest.raises(InputError, match=r"embedding\.workers=1") as caught:
        embed(faces, KilledDetector((33, 31)), small, batch=4, cache=cache, workers=1)
    assert "\n" not in str(caught.value)
    assert small.calls >= 5
    before = small.calls
    (root / "50.png").unlink()
    left = faces_of(root, [f"{n}.png" for n in range(20)])
    embed(left, KilledDetector((33, 31)), small, batch=4, cache=cache, workers=0)
    assert small.calls == before


def test_a_setting_that_cannot_work_is_the_same_sentence_from_a_worker(root, tmp_path):
    """No talk of worker processes and no traceback in it."""
    small = SmallMatcher(weights_file(tmp_path))
    small.preprocess = Preprocess(input_size=16, alignment="dlib_chip")
    said = []
    for workers in (0, 1):
        with pytest.raises(InputError) as caught:
            embed(face_set(root, 3), SlowDetector(0), small, workers=workers)
        said.append(str(caught.value))
    assert said[0] == said[1]
    assert "dlib5" in said[0]


def test_a_detector_that_cannot_travel_is_named(root, tmp_path):
    """Asked for processes it is refused; left to itself the stage stays in threads."""
    small = SmallMatcher(weights_file(tmp_path))

    class Local(PrecroppedDetector):
        name = "local"

    with pytest.raises(InputError, match="detector local cannot be handed"):
        embed(face_set(root, 3), Local(), small, workers=2)
    assert embed(face_set(root, 3), Local(), small).enrolled.all()


def test_processes_are_started_where_they_pay(root, monkeypatch):
    """Short work stays in threads; long work goes over after the first segment."""
    started = []

    def instead(sources, preparation, ahead, workers):
        started.append((len(sources), workers))
        for source in sources:
            yield from preparation.of_files([source])

    monkeypatch.setattr(prefetching, "_in_processes", instead)
    faces = face_set(root, 100)
    sources = [Source(faces.root / path) for path in faces.faces["path"]]
    preparation = Preparation(WHOLE, "largest", Preprocess(16, "box"), ())
    short = list(prefetching.prepared_files(sources, preparation, ahead=8))
    assert started == []
    monkeypatch.setattr(prefetching, "WORTH_PROCESSES", 0.0)
    long = list(prefetching.prepared_files(sources, preparation, ahead=8))
    assert started == [(36, prefetching.cores())]
    assert [one.digest for one in short] == [one.digest for one in long]
    assert all(np.array_equal(a.crop, b.crop) for a, b in zip(short, long, strict=True))


CHILD = """
import sys
from pathlib import Path
sys.path[:0] = {paths!r}
from embedding_worlds import SlowDetector, SmallMatcher, face_set
from frbench.embedding import embed
folder = Path({folder!r})
matcher = SmallMatcher(folder / "weights0.npy")
print("begun", flush=True)
try:
    embed(face_set(folder / "images", 200), SlowDetector(0.05), matcher, batch=2, workers=2,
          cache=folder / "cache", progress=lambda done, total: print(done, flush=True))
except KeyboardInterrupt:
    print("interrupted", matcher.calls, flush=True)
"""


def test_ctrl_c_leaves_no_child_and_keeps_what_was_finished(root, tmp_path):
    """The whole group gets the signal, as from a terminal; only the parent speaks, then all end."""
    weights_file(tmp_path)
    script = tmp_path / "unguarded.py"  # a script without the guard that spawning asks for
    paths = [str(Path(__file__).parents[1])]
    script.write_text(textwrap.dedent(CHILD).format(paths=paths, folder=str(tmp_path)))
    process = subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    seen = [process.stdout.readline().strip()]
    while not seen[-1].isdigit() or int(seen[-1]) < 20:
        seen.append(process.stdout.readline().strip())
        assert seen[-1], "the process ended early"
    os.killpg(process.pid, signal.SIGINT)
    out, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert said == ""
    assert seen.count("begun") == 1
    calls = int(out.split("interrupted")[1])
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            break
        time.sleep(0.1)
    else:
        pytest.fail("a child is still running")
    resumed = SmallMatcher(tmp_path / "weights0.npy")
    done = faces_of(root, [f"{n}.png" for n in range(2 * calls)])
    embed(done, SlowDetector(0.05), resumed, batch=2, cache=tmp_path / "cache")
    assert resumed.calls <= 1  # the signal may have come within a call
