"""torch.export archives (.pt2) without torch's loader, which executes what a crafted one says.

``torch.export.load`` unpickles weights, constants and sample inputs, hands strings of the file to
sympy's parser and compiles guards and argument names as Python. None of that is needed to compute:
such an archive is a list of calls of tensor operators in JSON and tensors as raw bytes. Here the
list is read, every operator is looked up among torch's own (``aten``) and called in order.
"""

from __future__ import annotations

import io
import json
import math
import operator
import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from frbench.errors import InputError
from frbench.exported_graph import Call, ExportedGraph, Name, check_order, last_uses
from frbench.weights_files import tensors_of

_DTYPES = {
    1: torch.uint8,
    2: torch.int8,
    3: torch.int16,
    4: torch.int32,
    5: torch.int64,
    6: torch.float16,
    7: torch.float32,
    8: torch.float64,
    12: torch.bool,
    13: torch.bfloat16,
}
"""Codes of torch/_export/serde/schema.py, schema version 8."""

_FORMATS = {
    1: torch.contiguous_format,
    2: torch.channels_last,
    3: torch.channels_last_3d,
    4: torch.preserve_format,
}
_SCHEMA = 8
_ATEN = re.compile(r"torch\.ops\.aten\.([A-Za-z]\w*|_\w+)\.(\w+)")
_OPERATORS = "add sub mul floordiv truediv mod neg eq ne lt le gt ge"
_ARITHMETIC: Mapping[str, Callable[..., Any]] = {
    **{f"_operator.{name}": getattr(operator, name) for name in _OPERATORS.split()},
    "math.trunc": math.trunc,
    "math.floor": math.floor,
    "math.ceil": math.ceil,
}
"""What a free batch size goes through, as in ``batch * 7``."""

WRITING = ("from_file", "save")
"""Operators of torch that open files by name; a network that embeds a face needs none."""

_PLAIN = {"as_int", "as_float", "as_bool", "as_string", "as_ints", "as_floats", "as_bools"}


def read_exported(data: bytes, path: Path, device: torch.device) -> ExportedGraph:
    """The network in the bytes of a .pt2 file.

    Raises:
        InputError: no such archive, one of another version, or one that calls anything but
            torch's own tensor operators.
    """
    archive = _Archive.of(data, path)
    try:
        program = json.loads(archive.read("models/model.json"))
        version = program["schema_version"]["major"]
        if version != _SCHEMA:
            raise InputError(
                f"{path} has version {version} of torch's export format; frbench reads {_SCHEMA}, "
                "so export it anew with a recent torch"
            )
        return _Reader(archive, program["graph_module"], device).graph()
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RuntimeError) as error:
        reason = str(error).splitlines()[0][:120] if str(error) else ""
        raise InputError(
            f"{path} is a damaged or unusual export ({type(error).__name__}: {reason})"
        ) from None


@dataclass(frozen=True)
class _Archive:
    """The zip, whose entries lie in one folder."""

    entries: zipfile.ZipFile
    top: str
    path: Path

    @classmethod
    def of(cls, data: bytes, path: Path) -> _Archive:
        try:
            entries = zipfile.ZipFile(io.BytesIO(data))
        except (zipfile.BadZipFile, OSError):
            raise InputError(f"{path} is no torch.export archive: it is no zip") from None
        tops = {name.partition("/")[0] for name in entries.namelist()}
        marks = [top for top in tops if f"{top}/models/model.json" in entries.namelist()]
        if len(marks) != 1:
            raise InputError(
                f"{path} is no torch.export archive of one network: it has no single "
                "models/model.json; write it with torch.export.save of torch 2.8 or later"
            )
        return cls(entries, marks[0], path)

    def read(self, name: str) -> bytes:
        try:
            return self.entries.read(f"{self.top}/{name}")
        except (KeyError, zipfile.BadZipFile) as error:
            raise InputError(f"{self.path} is a damaged export: {name}: {error}") from None


class _Reader:
    """Turns the JSON into calls, refusing whatever is no plain arithmetic on tensors."""

    def __init__(self, archive: _Archive, module: Any, device: torch.device) -> None:
        self._archive = archive
        self._path = archive.path
        self._module = module
        self._device = device

    def graph(self) -> ExportedGraph:
        graph, signature = self._module["graph"], self._module["signature"]
        tensors, user = self._inputs(signature["input_specs"])
        outputs = self._outputs(signature["output_specs"])
        calls = tuple(self._call(node) for node in graph["nodes"])
        check_order(calls, {user, *tensors}, outputs)
        meta = graph["tensor_values"][user]
        return ExportedGraph(
            tensors=tensors,
            calls=calls,
            last_use=last_uses(calls, {*outputs, *tensors}),
            input_name=user,
            shape=tuple(_axis(size) for size in meta["sizes"]),
            dtype=_DTYPES[meta["dtype"]],
            outputs=outputs,
        )

    def _inputs(self, specs: Sequence[Mapping[str, Any]]) -> tuple[dict[str, Tensor], str]:
        stored = self._stored("weights") | self._stored("constants")
        keys = {
            "parameter": "parameter_name",
            "buffer": "buffer_name",
            "tensor_constant": "tensor_constant_name",
        }
        tensors, user = {}, []
        for spec in specs:
            kind, told = next(iter(spec.items()))
            if kind in keys:
                tensors[told["arg"]["name"]] = stored[told[keys[kind]]].to(self._device)
            elif kind == "user_input" and "as_tensor" in told["arg"]:
                user.append(told["arg"]["as_tensor"]["name"])
            else:
                raise InputError(f"{self._path}: an input of kind {kind} is not supported")
        if len(user) != 1:
            raise InputError(f"{self._path} takes {len(user)} inputs; a matcher takes one image")
        return tensors, user[0]

    def _outputs(self, specs: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
        names = []
        for spec in specs:
            kind, told = next(iter(spec.items()))
            if kind != "user_output":
                raise InputError(
                    f"{self._path} changes its own weights when it is run ({kind}); export the "
                    "network after network.eval()"
                )
            if "as_tensor" in told["arg"]:
                names.append(str(told["arg"]["as_tensor"]["name"]))
        return tuple(names)

    def _stored(self, kind: str) -> dict[str, Tensor]:
        config = json.loads(self._archive.read(f"data/{kind}/model_{kind}_config.json"))["config"]
        return {name: self._tensor(kind, name, told) for name, told in config.items()}

    def _tensor(self, kind: str, name: str, told: Mapping[str, Any]) -> Tensor:
        data = self._archive.read(f"data/{kind}/{told['path_name']}")
        meta = told["tensor_meta"]
        if told["use_pickle"] or meta is None:
            pickled: Tensor = tensors_of(data, f"{self._path}: {name}", lone=True)[""]
            return pickled
        size = [int(each["as_int"]) for each in meta["sizes"]]
        dtype = _DTYPES[meta["dtype"]]
        if not data:
            return torch.zeros(size, dtype=dtype)
        flat = torch.frombuffer(bytearray(data), dtype=dtype)
        stride = [int(each["as_int"]) for each in meta["strides"]]
        return flat.as_strided(size, stride, int(meta["storage_offset"]["as_int"]))

    def _call(self, node: Mapping[str, Any]) -> Call:
        target = self._target(node)
        positional, named = [], {}
        for given in node["inputs"]:
            value = self._argument(given["arg"])
            if given.get("kind") == 1:
                positional.append(value)
            else:
                named[str(given["name"])] = value
        outputs = tuple(_output(each) for each in node["outputs"])
        return Call(target, tuple(positional), named, outputs)

    def _target(self, node: Mapping[str, Any]) -> Callable[..., Any]:
        name = str(node["target"])
        if name in _ARITHMETIC:
            return _ARITHMETIC[name]
        found = _ATEN.fullmatch(name)
        packet = getattr(torch.ops.aten, found[1], None) if found else None
        overload = getattr(packet, found[2], None) if found else None
        if not isinstance(overload, torch._ops.OpOverload) or (found and found[1] in WRITING):
            raise InputError(
                f"{self._path} calls {name}, which is none of torch's own tensor operators; "
                "frbench runs nothing else from a file"
            )
        if _is_random(overload, node["inputs"]):
            raise InputError(
                f"{self._path} was exported for training: {name} would change the vectors from "
                "one time to the next or with the other faces of a batch; export the network "
                "after network.eval()"
            )
        return overload

    def _argument(self, arg: Mapping[str, Any]) -> Any:
        kind, value = next(iter(arg.items()))
        if kind in _PLAIN:
            return value
        if kind == "as_none":
            return None
        if kind == "as_tensor":
            return Name(value["name"])
        if kind in ("as_sym_int", "as_sym_float", "as_sym_bool"):
            return _symbol(value)
        if kind in ("as_sym_ints", "as_sym_floats", "as_sym_bools"):
            return [_symbol(each) for each in value]
        if kind == "as_tensors":
            return [Name(each["name"]) for each in value]
        if kind == "as_optional_tensors":
            return [self._argument(each) for each in value]
        if kind == "as_optional_tensor":
            return self._argument(value)
        if kind == "as_scalar_type":
            return _DTYPES[value]
        if kind == "as_memory_format":
            return _FORMATS[value]
        if kind == "as_layout" and value == 7:
            return torch.strided
        if kind == "as_device":
            return self._device
        raise InputError(f"{self._path}: an argument of kind {kind} is not supported")


def _is_random(overload: Any, inputs: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the operator draws numbers, or looks at the other faces of the batch."""
    given = {each["name"]: next(iter(each["arg"].values())) for each in inputs}
    if given.get("train") or given.get("training"):
        return True
    if torch.Tag.nondeterministic_seeded not in overload.tags:
        return False
    known = {each.name for each in overload._schema.arguments}
    if known & {"train", "training"}:
        return False
    return "dropout_p" not in known or bool(given.get("dropout_p"))


def _symbol(value: Mapping[str, Any]) -> Any:
    kind, content = next(iter(value.items()))
    return Name(str(content)) if kind == "as_name" else content


def _axis(size: Mapping[str, Any]) -> int | str:
    kind, content = next(iter(size.items()))
    return int(content) if kind == "as_int" else str(content["expr_str"])


def _output(arg: Mapping[str, Any]) -> Any:
    kind, value = next(iter(arg.items()))
    if kind == "as_tensor":
        return str(value["name"])
    if kind == "as_tensors":
        return [str(each["name"]) for each in value]
    if kind in ("as_sym_int", "as_sym_float", "as_sym_bool"):
        return str(value["as_name"])
    if kind == "as_none":
        return ""
    raise ValueError(f"an operator returns {kind}")
