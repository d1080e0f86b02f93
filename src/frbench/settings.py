"""The checked settings of an evaluation: every part is built before anything is read."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from omegaconf import DictConfig, OmegaConf

from frbench.comparison import ComparisonSpec
from frbench.config import Builder, config_dir, resolved
from frbench.errors import InputError
from frbench.explaining import ExplainSpec
from frbench.frontier import FrontierSpec
from frbench.groups import GroupSpec
from frbench.opaque.vendor import is_vendor
from frbench.runtime import DeviceSpec
from frbench.trackers import Tracker

KEYS = {
    *("benchmark", "groups", "matcher", "before", "detector", "comparison", "operating_point"),
    *("interval", "measures", "rules", "device", "seed", "output", "cache", "gate", "embedding"),
    *("frontier", "explain", "tracking"),
}
"""Everything at the top of an evaluation's configuration."""

GATES = ("none", "note", "watch", "flag")
CHOICES = ("largest", "most_central", "most_confident", "only", "skip")
UNREADABLE = ("error", "fail_to_enrol")


@dataclass(frozen=True)
class OperatingPoint:
    """Where the global thresholds stand, and where they come from.

    Attributes:
        target_fmr: false-match rates, fractions, for which the threshold is chosen.
        fixed: thresholds in score units, taken as they are.
        stated: false-match rate -> the score that is said to give it.
        stated_by: who states ``fixed`` or ``stated``, for the record and the report.
        calibration: ``share`` of the persons of every group on whom the targets' thresholds are
            chosen and who are then left out of the rates; 0 or null chooses them on all persons.
        from_run: run folder whose thresholds are taken over; the matcher must be the same.
    """

    target_fmr: tuple[float, ...] = ()
    fixed: tuple[float, ...] = ()
    stated: Mapping[str | float, float] = field(default_factory=dict)
    stated_by: str = ""
    calibration: Mapping[str, Any] = field(default_factory=dict)
    from_run: str | None = None

    @property
    def calibration_share(self) -> float:
        """Share of the persons on whom thresholds are chosen; 0 for all of them."""
        return float((self.calibration or {}).get("share") or 0.0)

    def __post_init__(self) -> None:
        self._check_provenance()
        for name in ("target_fmr", "fixed"):
            numbers = tuple(_number(each, name) for each in getattr(self, name))
            repeated = sorted({each for each in numbers if numbers.count(each) > 1})
            if repeated:
                raise InputError(f"{name} names {repeated[0]:g} more than once; name it once")
            object.__setattr__(self, name, numbers)
        outside = [target for target in self.target_fmr if not 0 < target < 1]
        if outside:
            raise InputError(f"target_fmr {outside} must lie between 0 and 1, e.g. 1e-3")
        if not (self.target_fmr or self.fixed or self.stated or self.from_run):
            raise InputError("give at least one target_fmr or one fixed threshold")

    def _check_provenance(self) -> None:
        for name in ("stated", "calibration"):
            if not isinstance(getattr(self, name) or {}, Mapping):
                example = "{1e-3: 0.62}" if name == "stated" else "{share: 0.5}"
                raise InputError(f"{name}={getattr(self, name)} must be like {example}")
        stated = {
            _number(rate, "stated"): _number(value, f"stated.{rate}")
            for rate, value in (self.stated or {}).items()
        }
        if len(stated) < len(self.stated or {}):
            raise InputError(f"stated {list(self.stated)} names one rate twice; name it once")
        if any(not 0 < rate < 1 for rate in stated):
            raise InputError(
                f"stated {sorted(stated)} must be false-match rates between 0 and 1, e.g. "
                "{1e-3: 0.62}"
            )
        object.__setattr__(self, "stated", stated)
        unknown = [key for key in self.calibration or {} if key != "share"]
        if unknown:
            raise InputError(f"calibration.{unknown[0]} is unknown; it takes share")
        share = _number((self.calibration or {}).get("share") or 0.0, "calibration.share")
        if not 0 <= share < 1:
            raise InputError(f"calibration.share={share:g} must lie in [0, 1), e.g. 0.5")
        if share and not self.target_fmr:
            raise InputError("calibration.share chooses thresholds for target_fmr; name a target")
        if self.from_run and self.target_fmr:
            raise InputError(
                "from_run takes the thresholds of that run; leave target_fmr empty, as "
                "operating_point=from_run does"
            )


def _number(value: Any, name: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise InputError(f"{name}: {value!r} is not a number") from None
    if not math.isfinite(number):
        raise InputError(f"{name}: {number} is not a finite number")
    return number


@dataclass(frozen=True)
class EmbeddingSpec:
    """How images become templates (config node ``embedding``).

    Attributes:
        choice: which face counts when several are found.
        unreadable: what an image that cannot be decoded is: ``error`` or ``fail_to_enrol``.
        batch: images per forward pass.
        workers: processes that prepare images: ``auto``, or how many; 0 stays in threads.
    """

    choice: Literal["largest", "most_central", "most_confident", "only", "skip"] = "most_central"
    unreadable: Literal["error", "fail_to_enrol"] = "error"
    batch: int = 32
    workers: int | Literal["auto"] = "auto"

    def __post_init__(self) -> None:
        if self.choice not in CHOICES:
            raise InputError(f"choice={self.choice} is unknown; take one of {', '.join(CHOICES)}")
        if self.unreadable not in UNREADABLE:
            raise InputError(
                f"unreadable={self.unreadable} is unknown; take one of {', '.join(UNREADABLE)}"
            )
        if not isinstance(self.batch, int) or self.batch < 1:
            raise InputError(f"batch={self.batch} must be a whole number, at least 1")
        number = self.workers
        if number != "auto" and (isinstance(number, bool) or not isinstance(number, int)):
            raise InputError(f"workers={number} must be auto or a whole number, e.g. 0 or 2")
        if isinstance(number, int) and number < 0:
            raise InputError(f"workers={number} must not be negative; 0 stays in threads")


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
        tracking: where the finished run is also told, or None.
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
    frontier: FrontierSpec = field(default_factory=FrontierSpec)
    explain: ExplainSpec = field(default_factory=ExplainSpec)
    tracking: Tracker | None = None


def check(cfg: DictConfig) -> EvaluateConfig:
    """Binds and builds every part of a composed configuration; reads no data.

    Raises:
        InputError: with every problem of the configuration at once.
    """
    plain = resolved(cfg)
    device_spec = dict(plain["device"] or {})
    device = DeviceSpec(kind=str(device_spec.pop("kind", "auto"))).resolve()
    cache = Path(str(plain["cache"])).expanduser()
    builder = Builder(device=device, cache=cache)
    builder.problems += [
        f"{key} is no setting of frbench evaluate" for key in sorted({*plain} - KEYS)
    ]
    builder.problems += [f"device: {key} unknown; it takes kind" for key in device_spec]
    benchmark = builder.part(plain["benchmark"], "benchmark")
    if benchmark is None and not builder.problems:
        builder.problems.append("benchmark: name a set, e.g. benchmark=synthetic")
    arms = () if hasattr(benchmark, "tally") else _arms(plain, builder)
    groups = builder.settings(GroupSpec, plain["groups"], "groups")
    comparison = builder.settings(ComparisonSpec, plain["comparison"], "comparison")
    point = builder.settings(OperatingPoint, plain["operating_point"], "operating_point")
    embedding = builder.settings(EmbeddingSpec, plain["embedding"], "embedding")
    frontier = builder.settings(FrontierSpec, plain.get("frontier") or {}, "frontier")
    explain = builder.settings(ExplainSpec, plain.get("explain") or {}, "explain")
    if hasattr(benchmark, "tally"):
        builder.problems += _without_effect_on_scores(plain, benchmark, comparison, point)
    interval = builder.part(plain["interval"], "interval")
    measures = builder.parts(plain["measures"], "measures")
    rules = builder.parts(plain["rules"], "rules")
    tracking = builder.part(plain.get("tracking") or {}, "tracking")
    builder.problems += _out_of_range({"interval": interval, **_named("rules", rules)})
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
        frontier=frontier or FrontierSpec(),
        explain=explain or ExplainSpec(),
        tracking=tracking,
    )


def _named(group: str, parts: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{group}.{name}": part for name, part in parts.items()}


def _out_of_range(parts: Mapping[str, Any]) -> list[str]:
    """Confidence levels that are no fraction, and severities that no gate would ever see."""
    problems = []
    for where, part in parts.items():
        level = getattr(part, "level", 0.95)
        if not isinstance(level, int | float) or not 0 < level < 1:
            problems.append(f"{where}.level={level} must lie between 0 and 1, as 0.95 does")
        severity = getattr(part, "severity", "flag")
        if severity not in GATES[1:]:
            problems.append(
                f"{where}.severity={severity} is unknown; take one of {', '.join(GATES[1:])}"
            )
    return problems


def _without_effect_on_scores(
    plain: Mapping[str, Any],
    benchmark: Any,
    comparison: ComparisonSpec | None,
    point: OperatingPoint | None,
) -> list[str]:
    """Settings that a list of scores cannot follow, rather than leave them out in silence."""
    problems = []
    if comparison is not None and comparison.same:
        problems.append(
            "comparison.same: a list of scores is counted as it stands; take comparison=all_pairs "
            "and list only the comparisons wanted"
        )
    if plain["before"]:
        problems.append("before: a list of scores holds one matcher; compare two runs instead")
    above = [value for value in (point.fixed if point else ()) if value > 0]
    if above and benchmark.kind == "distance":
        problems.append(
            f"operating_point.fixed={above[0]:g}: distances are negated, so a limit of "
            f"{above[0]:g} is written {-above[0]:g}"
        )
    return problems


def _reaching(comparison: ComparisonSpec, point: OperatingPoint) -> ComparisonSpec:
    """The engine must keep as many scores as the largest target needs.

    A threshold that was chosen on other persons may give a higher rate on these.
    """
    own = max(point.target_fmr, default=0.0) * (4 if point.calibration_share else 1)
    largest = max(own, 4 * max((float(rate) for rate in point.stated), default=0.0))
    return replace(comparison, keep_fmr=max(comparison.keep_fmr, min(largest, 1.0)))


def _arms(plain: Mapping[str, Any], builder: Builder) -> tuple[Arm, ...]:
    named = {"before": plain["before"], "after": plain["matcher"]}
    present = {name: node for name, node in named.items() if node}
    if "after" not in present:
        builder.problems.append("matcher: name one, e.g. matcher=dlib (only scores need none)")
        return ()
    arms = []
    for name, node in present.items():
        if not isinstance(node, Mapping):
            where = "matcher" if name == "after" else "matcher@before"
            builder.problems.append(f"{name}={node} is no choice; write {where}={node}")
            continue
        matcher = builder.part(node, "matcher" if name == "after" else "before")
        if matcher is None:
            continue
        detector = None
        if is_vendor(matcher):
            if plain["detector"]:
                builder.problems.append(
                    "detector: a black box finds the faces itself; leave it out"
                )
            if (plain["embedding"] or {}).get("choice") == "skip":
                builder.problems.append(
                    "embedding.choice=skip: a black box does not say how many faces it found; "
                    "leave it out"
                )
        elif not hasattr(matcher, "lookup"):
            detector = builder.part(detector_node(plain["detector"], matcher), "detector")
        arms.append(Arm(name if len(present) > 1 else "", matcher, detector))
    return tuple(arms)


def detector_node(given: Any, matcher: Any) -> dict[str, Any]:
    """The detector's configuration: as given, or the one that the matcher was made for."""
    if given:
        return dict(given)
    file = config_dir() / "detector" / f"{matcher.default_detector}.yaml"
    return {str(key): value for key, value in OmegaConf.load(file).items()}
