"""The checked settings of an evaluation: every part is built before anything is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from omegaconf import DictConfig, OmegaConf

from frbench.comparison import ComparisonSpec
from frbench.config import Builder, config_dir, resolved
from frbench.errors import InputError
from frbench.groups import GroupSpec
from frbench.runtime import DeviceSpec

GATES = ("none", "note", "watch", "flag")
CHOICES = ("largest", "most_central", "most_confident", "only")
UNREADABLE = ("error", "fail_to_enrol")


@dataclass(frozen=True)
class OperatingPoint:
    """Where the global thresholds stand: target FMRs as fractions, or scores given as they are."""

    target_fmr: tuple[float, ...] = ()
    fixed: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        for name in ("target_fmr", "fixed"):
            numbers = tuple(float(each) for each in getattr(self, name))
            object.__setattr__(self, name, numbers)
        outside = [target for target in self.target_fmr if not 0 < target < 1]
        if outside:
            raise InputError(f"target_fmr {outside} must lie between 0 and 1, e.g. 1e-3")
        if not self.target_fmr and not self.fixed:
            raise InputError("give at least one target_fmr or one fixed threshold")


@dataclass(frozen=True)
class EmbeddingSpec:
    """How images become templates (config node ``embedding``).

    Attributes:
        choice: which face counts when several are found.
        unreadable: what an image that cannot be decoded is: ``error`` or ``fail_to_enrol``.
        batch: images per forward pass.
    """

    choice: Literal["largest", "most_central", "most_confident", "only"] = "largest"
    unreadable: Literal["error", "fail_to_enrol"] = "error"
    batch: int = 32

    def __post_init__(self) -> None:
        if self.choice not in CHOICES:
            raise InputError(f"choice={self.choice} is unknown; take one of {', '.join(CHOICES)}")
        if self.unreadable not in UNREADABLE:
            raise InputError(
                f"unreadable={self.unreadable} is unknown; take one of {', '.join(UNREADABLE)}"
            )
        if self.batch < 1:
            raise InputError(f"batch={self.batch} must be at least 1")


@dataclass(frozen=True)
class Arm:
    """One matcher under test and the detector that feeds it; ``name`` is "" when it is alone."""

    name: str
    matcher: Any
    detector: Any


@dataclass(frozen=True)
class EvaluateConfig:
    """What ``frbench evaluate`` works from.

    Attributes:
        arms: the matchers, in the order they are measured; none for a list of scores.
        resolved: the whole configuration as plain data, for the record.
    """

    benchmark: Any
    groups: GroupSpec
    arms: tuple[Arm, ...]
    comparison: ComparisonSpec
    operating_point: OperatingPoint
    embedding: EmbeddingSpec
    interval: Any
    measures: Mapping[str, Any]
    rules: Mapping[str, Any]
    device: str
    cache: Path
    seed: int
    gate: str
    resolved: Mapping[str, Any] = field(default_factory=dict)


def check(cfg: DictConfig) -> EvaluateConfig:
    """Binds and builds every part of a composed configuration; reads no data.

    Raises:
        InputError: with every problem of the configuration at once.
    """
    plain = resolved(cfg)
    device_spec = plain["device"] or {}
    device = DeviceSpec(kind=str(device_spec.get("kind", "auto"))).resolve()
    cache = Path(str(plain["cache"])).expanduser()
    builder = Builder(device=device, cache=cache)
    benchmark = builder.part(plain["benchmark"], "benchmark")
    if benchmark is None and not builder.problems:
        builder.problems.append("benchmark: name a set, e.g. benchmark=synthetic")
    arms = () if hasattr(benchmark, "tally") else _arms(plain, builder)
    groups = builder.settings(GroupSpec, plain["groups"], "groups")
    comparison = builder.settings(ComparisonSpec, plain["comparison"], "comparison")
    point = builder.settings(OperatingPoint, plain["operating_point"], "operating_point")
    embedding = builder.settings(EmbeddingSpec, plain["embedding"], "embedding")
    interval = builder.part(plain["interval"], "interval")
    measures = builder.parts(plain["measures"], "measures")
    rules = builder.parts(plain["rules"], "rules")
    gate = builder.choice(plain["gate"], GATES, "gate")
    if not isinstance(plain["seed"], int) or plain["seed"] < 0:
        builder.problems.append(f"seed={plain['seed']} must be a whole number, not negative")
    if interval is None and not builder.problems:
        builder.problems.append("interval: name a method, e.g. interval=wilson_effective")
    builder.done()
    assert groups is not None
    assert comparison is not None
    assert point is not None
    assert embedding is not None
    return EvaluateConfig(
        benchmark=benchmark,
        groups=groups,
        arms=arms,
        comparison=_reaching(comparison, point),
        operating_point=point,
        embedding=embedding,
        interval=interval,
        measures=measures,
        rules=rules,
        device=device,
        cache=cache,
        seed=int(plain["seed"]),
        gate=gate,
        resolved=plain,
    )


def _reaching(comparison: ComparisonSpec, point: OperatingPoint) -> ComparisonSpec:
    """The engine must keep as many scores as the largest target needs."""
    largest = max(point.target_fmr, default=0.0)
    return replace(comparison, keep_fmr=max(comparison.keep_fmr, largest))


def _arms(plain: Mapping[str, Any], builder: Builder) -> tuple[Arm, ...]:
    named = {"before": plain["before"], "after": plain["matcher"]}
    present = {name: node for name, node in named.items() if node}
    if "after" not in present:
        builder.problems.append("matcher: name one, e.g. matcher=dlib (only scores need none)")
        return ()
    arms = []
    for name, node in present.items():
        matcher = builder.part(node, "matcher" if name == "after" else "before")
        if matcher is None:
            continue
        detector = None
        if not hasattr(matcher, "lookup"):
            detector = builder.part(_detector(plain, matcher), "detector")
        arms.append(Arm(name if len(present) > 1 else "", matcher, detector))
    return tuple(arms)


def _detector(plain: Mapping[str, Any], matcher: Any) -> dict[str, Any]:
    if plain["detector"]:
        return dict(plain["detector"])
    file = config_dir() / "detector" / f"{matcher.default_detector}.yaml"
    return {str(key): value for key, value in OmegaConf.load(file).items()}
