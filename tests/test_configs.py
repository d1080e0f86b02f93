"""Every YAML choice composes with the rest and fits the constructor that it names."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from frbench.config import Builder, config_dir, resolved
from frbench.errors import InputError
from frbench.settings import check

CONFIGS = config_dir()
CHOICES = sorted(
    f"{file.parent.relative_to(CONFIGS)}={file.stem}"
    for file in CONFIGS.glob("*/*.yaml")
    if file.parent.name not in ("local", "hydra")
)
GIVEN = {"path": "given.csv", "root": "given", "fixed": "[0.5]", "from_run": "run"}
GIVEN |= {"architecture": "resnet18", "weights": "given.pt"}
GIVEN |= {"attributes": "given.csv"}
GIVEN |= {"stated": {"1e-3": 0.5}, "stated_by": "a vendor"}
GIVEN |= {"program": "vendor", "url": "http://127.0.0.1:8000"}


def verbs_by_group() -> dict[str, str]:
    """Group of choices -> the verb that takes them; ``evaluate`` where it does."""
    found: dict[str, str] = {}
    for file in sorted(CONFIGS.glob("*.yaml"), key=lambda each: each.stem == "evaluate"):
        for entry in OmegaConf.load(file).get("defaults", []):
            names = entry.keys() if hasattr(entry, "keys") else ()
            found |= {str(name).removeprefix("optional "): file.stem for name in names}
    return found


VERBS = verbs_by_group()


def composed(*overrides: str, verb: str = "evaluate") -> DictConfig:
    """The configuration of a verb with these overrides, as the command line makes it."""
    OmegaConf.register_new_resolver("frbench.partial", lambda final: final, replace=True)
    with initialize_config_dir(version_base="1.3", config_dir=str(CONFIGS)):
        return compose(verb, ["output=out", *overrides])


@pytest.mark.parametrize("choice", CHOICES)
def test_every_choice_composes_and_its_settings_fit(choice: str) -> None:
    """A choice's keys are those of its constructor, checked without building anything."""
    group, _, name = choice.partition("=")
    cfg = composed(choice, verb=VERBS[group])
    for key in sorted(OmegaConf.missing_keys(cfg)):
        OmegaConf.update(cfg, key, GIVEN[key.rpartition(".")[2]])
    plain = resolved(cfg)
    node = plain.get(group) or {}
    builder = Builder()
    if "_target_" in node:
        builder.bind(node, group)
    for each, part in node.items() if isinstance(node, dict) else ():
        if isinstance(part, dict) and "_target_" in part:
            builder.bind(part, f"{group}.{each}")
    assert builder.problems == []
    assert name


def test_every_choice_says_what_it_is() -> None:
    """The first line of every YAML file is a comment in plain words."""
    silent = [
        str(file.relative_to(CONFIGS))
        for file in CONFIGS.rglob("*.yaml")
        if not file.read_text(encoding="utf-8").startswith("# ")
    ]
    assert silent == []


@pytest.mark.parametrize(
    ("node", "words"),
    [
        ({"_target_": "os.getcwd"}, "outside frbench"),
        ({"_target_": "frbench.runs.Path"}, "not a part"),
        ({"_target_": "frbench.runs.hash_file"}, "not a part"),
        ({"_target_": "frbench.nowhere.Part"}, "cannot be loaded"),
        ({"_target_": "frbench.benchmarks.scores.ScoreBenchmark", "paht": "x"}, "paht unknown"),
        ({"_target_": "frbench.benchmarks.scores.ScoreBenchmark"}, "path"),
    ],
)
def test_a_part_that_does_not_fit_is_refused(node: dict[str, str], words: str) -> None:
    """Foreign targets, misspelt settings and missing ones are problems, not crashes."""
    builder = Builder()
    assert builder.part(node, "benchmark") is None
    assert words in builder.problems[0]


def test_all_problems_are_told_at_once() -> None:
    """Nobody mends a configuration one run at a time."""
    builder = Builder()
    builder.part({"_target_": "os.getcwd"}, "benchmark")
    builder.choice("red", ("none", "flag"), "gate")
    with pytest.raises(InputError) as caught:
        builder.done()
    assert "benchmark" in str(caught.value)
    assert "gate=red" in str(caught.value)


def test_a_setting_that_must_be_given_is_named(tmp_path: Path) -> None:
    """``???`` in YAML becomes a sentence that says what to type."""
    with pytest.raises(InputError, match=r"benchmark\.path=VALUE"):
        resolved(composed("benchmark=manifest"))


def nodes_of(file: Path) -> dict[str, dict[str, Any]]:
    """The parts that a file of choices describes, by name."""
    node = OmegaConf.to_container(OmegaConf.load(file))
    assert isinstance(node, dict)
    if "_target_" in node:
        return {file.stem: node}
    return {
        str(name): part
        for name, part in node.items()
        if isinstance(part, dict) and "_target_" in part
    }


INJECTED = {"device", "cache"}


@pytest.mark.parametrize("file", sorted(CONFIGS.glob("*/*.yaml")), ids=lambda file: file.stem)
def test_every_setting_of_a_part_can_be_typed(file: Path) -> None:
    """What the YAML leaves out the command line refuses, so each setting stands in it, with the
    constructor's own default wherever the file is named after the part's standard form."""
    for name, node in nodes_of(file).items():
        bound = Builder().bind({**node}, name)
        if bound is None:
            continue
        takes = set(inspect.signature(bound[0]).parameters) - INJECTED
        assert takes == set(node) - {"_target_"} - INJECTED, name


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("rules.gap_exceeds.severity=flga", "severity=flga is unknown"),
        ("interval.level=95", "level=95 must lie between 0 and 1"),
        ("+device.kid=cpu", "device: kid unknown"),
        ("operating_point.target_fmr=[1e-3,0.001]", "more than once"),
        ("operating_point.target_fmr=[low]", "'low' is not a number"),
        ("embedding.batch=many", "must be a whole number"),
        ("benchmark=scores benchmark.path=s.csv comparison=same_sex", "counted as it stands"),
        (
            "matcher=http matcher.url=http://127.0.0.1:1 embedding.choice=skip",
            "does not say how many faces",
        ),
        ("benchmark=scores benchmark.path=s.csv matcher@before=tiny", "holds one matcher"),
        (
            "benchmark=scores benchmark.path=s.csv benchmark.kind=distance"
            " operating_point=fixed operating_point.fixed=[0.6]",
            "is written -0.6",
        ),
        ("before=tiny", "write matcher@before=tiny"),
        ("output=${nowhere}", "'nowhere' not found"),
    ],
)
def test_a_setting_without_effect_is_a_problem(override: str, words: str) -> None:
    """Nothing that somebody typed is passed over in silence."""
    with pytest.raises(InputError, match=re.escape(words)):
        check(composed(*override.split()))


def test_one_value_stands_for_a_list_of_one() -> None:
    """groups.by=sex is the label sex, not the letters s, e and x."""
    config = check(
        composed("groups.by=sex", "operating_point.target_fmr=1e-3", "comparison.same=sex")
    )
    assert config.groups.by == ("sex",)
    assert config.operating_point.target_fmr == (1e-3,)
    assert config.comparison.same == ("sex",)
