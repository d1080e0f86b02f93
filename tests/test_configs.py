"""Every YAML choice composes with the rest and fits the constructor that it names."""

from __future__ import annotations

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from frbench.config import Builder, config_dir, resolved
from frbench.errors import InputError

CONFIGS = config_dir()
CHOICES = sorted(
    f"{file.parent.relative_to(CONFIGS)}={file.stem}"
    for file in CONFIGS.glob("*/*.yaml")
    if file.parent.name not in ("local", "hydra")
)
GIVEN = {"path": "given.csv", "root": "given", "fixed": "[0.5]"}


def composed(*overrides: str) -> DictConfig:
    """The configuration of ``evaluate`` with these overrides, as the command line makes it."""
    OmegaConf.register_new_resolver("frbench.partial", lambda final: final, replace=True)
    with initialize_config_dir(version_base="1.3", config_dir=str(CONFIGS)):
        return compose("evaluate", [*overrides, "output=out"])


@pytest.mark.parametrize("choice", CHOICES)
def test_every_choice_composes_and_its_settings_fit(choice: str) -> None:
    """A choice's keys are those of its constructor, checked without building anything."""
    group, _, name = choice.partition("=")
    cfg = composed(choice)
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
