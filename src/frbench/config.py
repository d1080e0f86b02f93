"""From YAML to checked objects: every part is bound to its constructor before any work begins.

All problems of a configuration are listed at once, so that nobody mends them one run at a time.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, TypeVar

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from frbench.errors import InputError

T = TypeVar("T")


def config_dir() -> Path:
    """The folder of YAML choices: inside the installed package, or beside ``src`` in a checkout."""
    package = Path(__file__).resolve().parent
    inside = package / "configs"
    return inside if inside.is_dir() else package.parents[1] / "configs"


def resolved(cfg: DictConfig) -> dict[str, Any]:
    """The configuration as plain data with every reference filled in.

    Raises:
        InputError: a value marked ``???`` was not given, or a reference leads nowhere.
    """
    try:
        missing = sorted(OmegaConf.missing_keys(cfg))
        container = OmegaConf.to_container(cfg, resolve=True)
    except OmegaConfBaseException as cause:
        reason = str(cause).splitlines()[0]
        where = f"{cause.full_key}: " if cause.full_key else ""
        raise InputError(f"the configuration cannot be resolved: {where}{reason}.") from cause
    if missing:
        raise InputError(
            f"the setting{'s' * (len(missing) > 1)} {', '.join(missing)} must be given: "
            + " ".join(f"{key}=VALUE" for key in missing)
        )
    assert isinstance(container, dict)
    return {str(key): value for key, value in container.items()}


class Builder:
    """Builds parts and settings, collecting every problem; ``done`` raises them all at once."""

    def __init__(self, **injected: Any) -> None:
        self.injected = injected
        self.problems: list[str] = []

    def part(self, node: Mapping[str, Any], where: str) -> Any:
        """The object that ``_target_`` names, or None when the node holds none or a problem.

        Constructor arguments that the run knows better than the YAML (device, cache) are filled in
        where the constructor takes them and the node does not set them.
        """
        if "_target_" not in node:
            return None
        bound = self.bind(node, where)
        if bound is None:
            return None
        factory, arguments = bound
        try:
            return factory(**arguments)
        except (InputError, TypeError, ValueError) as cause:
            self.problems.append(f"{where}: {cause}")
            return None

    def bind(
        self, node: Mapping[str, Any], where: str
    ) -> tuple[Callable[..., Any], dict[str, Any]] | None:
        """The constructor that ``_target_`` names and its arguments, fitted but not yet called."""
        arguments = {key: value for key, value in node.items() if key != "_target_"}
        factory = self._factory(str(node["_target_"]), where)
        if factory is None:
            return None
        signature = inspect.signature(factory)
        for name, value in self.injected.items():
            if name in signature.parameters and arguments.get(name) is None:
                arguments[name] = value
        unknown = [name for name in arguments if name not in signature.parameters]
        if unknown:
            known = ", ".join(signature.parameters) or "nothing"
            self.problems.append(f"{where}: {', '.join(unknown)} unknown; it takes {known}")
            return None
        try:
            signature.bind(**arguments)
        except TypeError as cause:
            self.problems.append(f"{where}: {cause}")
            return None
        return factory, arguments

    def parts(self, node: Mapping[str, Any] | None, where: str) -> dict[str, Any]:
        """One part per named entry; entries set to null are switched off."""
        built = {
            name: self.part(each, f"{where}.{name}")
            for name, each in (node or {}).items()
            if isinstance(each, Mapping)
        }
        return {name: part for name, part in built.items() if part is not None}

    def settings(self, kind: type[T], node: Mapping[str, Any], where: str) -> T | None:
        """A frozen dataclass of settings from a node of the same keys.

        Lists become tuples, and one value where several may stand is a tuple of one.
        """
        known = {each.name: each for each in fields(kind)}  # type: ignore[arg-type]
        unknown = [key for key in node if key not in known]
        if unknown:
            self.problems.append(
                f"{where}: {', '.join(unknown)} unknown; it takes {', '.join(known)}"
            )
            return None
        absent = [
            name
            for name, each in known.items()
            if each.default is MISSING and each.default_factory is MISSING and name not in node
        ]
        if absent:
            self.problems.append(f"{where}: {', '.join(absent)} must be given")
            return None
        try:
            return kind(**{key: _fitted(value, known[key].type) for key, value in node.items()})
        except (InputError, TypeError, ValueError) as cause:
            self.problems.append(f"{where}: {cause}")
            return None

    def choice(self, value: Any, allowed: tuple[str, ...], where: str) -> str:
        """``value`` if it is one of ``allowed``; otherwise a problem is noted."""
        if value not in allowed:
            self.problems.append(f"{where}={value} is unknown; take one of {', '.join(allowed)}")
        return str(value)

    def done(self) -> None:
        """Raises InputError with every problem found."""
        if len(self.problems) == 1:
            raise InputError(f"the configuration cannot be used: {self.problems[0]}.")
        if self.problems:
            raise InputError.listing("the configuration cannot be used:", self.problems)

    def _factory(self, target: str, where: str) -> Callable[..., Any] | None:
        if not target.startswith("frbench."):
            self.problems.append(f"{where}: _target_ {target} is outside frbench, which is refused")
            return None
        module_name, _, name = target.rpartition(".")
        try:
            factory = getattr(importlib.import_module(module_name), name)
        except (ImportError, AttributeError) as cause:
            self.problems.append(f"{where}: _target_ {target} cannot be loaded ({cause})")
            return None
        if not inspect.isclass(factory) or not factory.__module__.startswith("frbench."):
            self.problems.append(f"{where}: _target_ {target} is not a part")
            return None
        return factory


def _fitted(value: Any, annotation: Any) -> Any:
    if isinstance(value, list):
        return tuple(value)
    if value is not None and str(annotation).startswith("tuple["):
        return (value,)
    return value
