"""A network as a list of tensor operators, and running it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Name:
    """A value computed before."""

    name: str


@dataclass(frozen=True)
class Call:
    """One operator: what is called with what, and the names of what comes out.

    A list of names stands where the operator returns a list.
    """

    target: Callable[..., Any]
    positional: tuple[Any, ...]
    named: Mapping[str, Any]
    outputs: tuple[Any, ...]


@dataclass(frozen=True)
class ExportedGraph:
    """A network as a list of operators; call ``run``.

    Attributes:
        tensors: weights, buffers and constants, by the name they have in the calls.
        calls: in order.
        last_use: for each call, the names that nothing needs after it.
        input_name: the one input that is not a weight.
        shape: of the input; an int per fixed axis, a name per free one.
        dtype: of the input.
        outputs: names of the outputs.
    """

    tensors: Mapping[str, Tensor]
    calls: tuple[Call, ...]
    last_use: tuple[tuple[str, ...], ...]
    input_name: str
    shape: tuple[int | str, ...]
    dtype: torch.dtype
    outputs: tuple[str, ...]

    def run(self, pixels: Tensor, output: str) -> Tensor:
        """The output of that name."""
        values: dict[str, Any] = {**self.tensors, self.input_name: pixels}
        for call, unneeded in zip(self.calls, self.last_use, strict=True):
            found = call.target(
                *(_value(each, values) for each in call.positional),
                **{key: _value(each, values) for key, each in call.named.items()},
            )
            _store(found, call.outputs, values)
            for name in unneeded:
                values.pop(name, None)
        result: Tensor = values[output]
        return result


def _store(found: Any, outputs: tuple[Any, ...], values: dict[str, Any]) -> None:
    several = found if len(outputs) > 1 else (found,)
    for name, value in zip(outputs, several, strict=False):
        if isinstance(name, list):
            values.update(zip(name, value, strict=True))
        elif name:
            values[name] = value


def _value(given: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(given, Name):
        return values[given.name]
    if isinstance(given, list):
        return [_value(each, values) for each in given]
    return given


def _names(given: Any) -> list[str]:
    if isinstance(given, Name):
        return [given.name]
    if isinstance(given, list):
        return [name for each in given for name in _names(each)]
    return []


def check_order(calls: Sequence[Call], given: set[str], outputs: Sequence[str]) -> None:
    """Raise ValueError where a call or an output needs what was not computed before."""
    known = set(given)
    for call in calls:
        for each in (*call.positional, *call.named.values()):
            for name in _names(each):
                if name not in known:
                    raise ValueError(f"{name} is used before it is computed")
        for output in call.outputs:
            known.update(output if isinstance(output, list) else [output])
    for name in outputs:
        if name not in known:
            raise ValueError(f"the output {name} is never computed")


def last_uses(calls: Sequence[Call], kept: set[str]) -> tuple[tuple[str, ...], ...]:
    """For each call the names to forget after it, so that memory does not hold every layer."""
    last: dict[str, int] = {}
    for place, call in enumerate(calls):
        for given in (*call.positional, *call.named.values()):
            last |= dict.fromkeys(_names(given), place)
    ends: list[list[str]] = [[] for _ in calls]
    for name, place in last.items():
        if name not in kept:
            ends[place].append(name)
    return tuple(map(tuple, ends))
