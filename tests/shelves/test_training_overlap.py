"""Shared people between training data and benchmark sets, as a finding."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from frbench.matchers.dlib_resnet import DlibMatcher
from frbench.matchers.facenet import FacenetMatcher
from frbench.rules.training_overlap import TrainingOverlap, known, overlaps
from frbench.values import FaceSet
from worlds import evidence_of, population


def evidence(name: str, training: dict[str, tuple[str, ...]], sources: tuple[str, ...] = ()):
    """A small world under another name, whose matchers say what they were trained on."""
    tally = population(np.random.default_rng(0), fmr=[0.02, 0.02], persons=[10, 10])
    made = evidence_of(dict.fromkeys(training or {"": ()}, tally), 0.0, target=0.01)
    table = pd.DataFrame({"group": []})
    return replace(
        made, faces=FaceSet(name, "1", Path(), table, sources=sources), training=training
    )


@pytest.mark.parametrize(
    ("training", "name", "found"),
    [
        ("vggface2", "bfw", True),
        ("VGGFace2", "demogpairs", True),
        ("casia-webface", "demogpairs", True),
        ("casia-webface", "bfw", False),
        ("ms-celeb-1m", "rfw", True),
        ("dlib-2017", "lfw", False),
        ("lfw", "lfw", True),
        ("vggface2", "morph2", False),
    ],
)
def test_known_overlaps(training, name, found):
    """Published weights against the sets made from their training data, either way round."""
    answers = TrainingOverlap().findings(evidence(name, {"": (training,)}))
    assert bool(answers) is found
    if found:
        assert answers[0].level == "watch"
        assert training.casefold() in answers[0].statement
        assert bool(overlaps([name], [training])) is True


def test_sources_of_a_set_count_like_its_name():
    """Somebody's own selection of VGGFace2 overlaps with weights that were trained on it."""
    found = TrainingOverlap().findings(evidence("mine", {"": ("vggface2",)}, ("vggface2",)))
    assert [each.keys["training"] for each in found] == ["vggface2"]


def test_each_arm_is_asked_and_the_user_may_tell():
    """Before and after have their own training data; what the user adds holds for both."""
    both = evidence("bfw", {"before": ("casia-webface",), "after": ("vggface2",)})
    found = TrainingOverlap().findings(both)
    assert [each.keys["arm"] for each in found] == ["after"]
    told = TrainingOverlap(trained_on=["vggface2"], severity="note").findings(both)
    assert [(each.keys["arm"], each.level) for each in told] == [
        ("before", "note"),
        ("after", "note"),
    ]


def test_nothing_is_said_of_the_unknown():
    """A matcher that says nothing cannot be told of; a set that is nobody's gives no finding."""
    silent = TrainingOverlap().findings(evidence("bfw", {"": ()}))
    assert [each.level for each in silent] == ["undecided"]
    assert "trained_on" in silent[0].statement
    assert TrainingOverlap().findings(evidence("mine", {"": ("vggface2",)})) == []


def test_the_table_is_well_formed():
    """Every line has a known extent, a reason and a source, and no pair stands twice."""
    lines = known()
    assert {line.extent for line in lines} <= {"all", "some", "none"}
    assert all(line.how and line.source for line in lines)
    pairs = [frozenset((line.one, line.other)) for line in lines]
    assert len(set(pairs)) == len(pairs)


def test_what_our_matchers_say_of_themselves():
    """The names that matchers use are names that the table knows."""
    names = {line.one for line in known()} | {line.other for line in known()}
    for matcher in (DlibMatcher(), FacenetMatcher(weights="vggface2"),
                    FacenetMatcher(weights="casia-webface")):  # fmt: skip
        assert set(matcher.training_data) <= names
