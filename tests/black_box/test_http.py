"""Vendors' servers that work, are busy, fail and lie; real processes on this machine."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest
import yaml
from black_box_worlds import as_dict, by_hand, counted, number_set

from frbench.errors import InputError
from frbench.matchers.http import HttpMatcher
from frbench.opaque.calling import Caller, Patience
from frbench.opaque.vendor import VendorFailed

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@contextmanager
def serving(mode: str):
    """The faulty server on a free port."""
    words = [sys.executable, "-I", "-S", str(HERE / "faulty_server.py"), mode]
    child = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        yield f"http://127.0.0.1:{int(child.stdout.readline())}"
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


@pytest.mark.parametrize("mode", ["good", "busy", "drops", "errors"])
def test_counts_are_those_of_a_double_loop(tmp_path, mode):
    """Whether the server works, refuses every tenth call, hangs up or fails in one of ten."""
    faces = number_set(tmp_path / "set", texts=["no face"])
    with serving(mode) as url:
        tally, record = counted(faces, HttpMatcher(url=url, references=8))
        seen = httpx.get(f"{url}/counters").json()
    mated, others = by_hand(faces)
    assert as_dict(tally.mated) == mated
    assert as_dict(tally.tail) == others
    assert np.flatnonzero(~tally.enrolled).tolist() == [27]
    assert record["stated"] == [{"fmr": 0.1, "score": -5.0}]
    assert seen["most"] <= 4
    # three calls may be on their way when the first of them is refused
    if mode == "busy":
        assert seen["too_early"] <= 3 * (seen["calls"] // 10)


def test_a_slow_server_is_asked_several_things_at_once(tmp_path):
    """Calls overlap, and never more of them than the server was promised."""
    faces = number_set(tmp_path / "set", persons=4)
    with serving("slow") as url:
        counted(faces, HttpMatcher(url=url, references=8))
        seen = httpx.get(f"{url}/counters").json()
    assert 1 < seen["most"] <= 4


def test_an_image_on_which_the_server_hangs_fails_alone(tmp_path):
    """Two time-outs, and it is a failure to enrol."""
    faces = number_set(tmp_path / "set", persons=3, texts=["666 1"])
    with serving("hang") as url:
        tally, _ = counted(faces, HttpMatcher(url=url, timeout=1.0))
    assert np.flatnonzero(~tally.enrolled).tolist() == [9]
    assert as_dict(tally.tail) == by_hand(faces, without=(9,))[1]


@pytest.mark.parametrize(
    ("mode", "words"),
    [("nan", "no finite number"), ("short", "scores for"), ("garbage", "no JSON")],
)
def test_an_answer_that_breaks_the_contract_is_one_sentence(tmp_path, mode, words):
    """What was answered to which call."""
    faces = number_set(tmp_path / "set", persons=3)
    with serving(mode) as url, pytest.raises(InputError, match=words) as caught:
        counted(faces, HttpMatcher(url=url))
    assert "\n" not in str(caught.value)


def test_a_server_that_is_not_there_is_one_sentence():
    """Without waiting long."""
    with pytest.raises(InputError, match="is the server running there"):
        HttpMatcher(url="http://127.0.0.1:9", attempts=1).info()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://192.0.2.7:80", "matcher.remote=true"),
        ("vendor", "is no address"),
        ("http://user:secret@localhost", "password"),
        ("http://localhost:9?key=secret", "behind"),
    ],
)
def test_photographs_stay_here_unless_the_user_says_so(url, words):
    """An address of another machine needs a second word; a password has no place in a record."""
    with pytest.raises(InputError, match=words):
        HttpMatcher(url=url)
    assert HttpMatcher(url="http://192.0.2.7:80", remote=True).effort.workers == 4


def test_pauses_double_with_jitter_and_follow_the_server():
    """Between half and all of 0.5, 1, 2 s; the draws come from the generator that was handed in."""
    pauses = []
    patience = Patience(attempts=4)
    for _ in range(2):
        rng = np.random.default_rng(5)
        caller = Caller(
            "http://127.0.0.1:9", connections=1, patience=patience, rng=rng, sleep=pauses.append
        )
        with pytest.raises(VendorFailed):
            caller.call("GET", "/info")
        caller.stop()
    first, again = pauses[:3], pauses[3:]
    assert first == again
    assert all(0.25 * 2**n <= each <= 0.5 * 2**n for n, each in enumerate(first))


def test_the_published_schema_is_the_example_servers(tmp_path):
    """docs/vendor-http.openapi.yaml and examples/vendor_http/server.py say the same."""
    pytest.importorskip("fastapi")
    place = ROOT / "examples" / "vendor_http" / "server.py"
    spec = importlib.util.spec_from_file_location("example_server", place)
    example = importlib.util.module_from_spec(spec)
    sys.modules["example_server"] = example
    spec.loader.exec_module(example)
    published = yaml.safe_load((ROOT / "docs" / "vendor-http.openapi.yaml").read_text())
    assert published == yaml.safe_load(example.schema())
    assert set(published["paths"]) == {"/info", "/enrol", "/compare"}
