"""ONNX files: read once with everything they refer to, described, and a convention proposed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from frbench.contained_paths import path_faults
from frbench.conventions.proposal import Seen
from frbench.digests import digest_bytes
from frbench.errors import InputError
from frbench.network_input import CHANNELS

DTYPES = {"FLOAT": "float32", "FLOAT16": "float16", "DOUBLE": "float64", "UINT8": "uint8"}
"""ONNX element types that faces can be handed in as, and numpy's names for them."""

_NORMALISING = {"Sub", "Mul", "Div", "Add", "BatchNormalization", "Cast", "Identity", "Transpose"}
_LARGEST = 2**31 - 1


@dataclass(frozen=True)
class OnnxFile:
    """An ONNX file in memory, complete.

    Attributes:
        model: the serialized network with all weights inside.
        digests: SHA-256 of the file and of each external data file, by name.
        input_name, dtype: of the one input; dtype is numpy's name.
        shape: of the input; an int per fixed axis, a name or "?" per free one.
        outputs: shape by name.
        normalises: whether the first nodes shift and scale the input.
        words: names and metadata in the file that may give its family away, lower case.
    """

    model: bytes
    digests: Mapping[str, str]
    input_name: str
    dtype: str
    shape: tuple[int | str, ...]
    outputs: Mapping[str, tuple[int | str, ...]]
    normalises: bool
    words: str

    @property
    def seen(self) -> Seen:
        """What the file shows of itself, for proposing a convention."""
        axes = [axis for axis in self.shape[1:] if isinstance(axis, int)]
        return Seen(
            description=f"{self.input_name} {self.dtype} [{', '.join(map(str, self.shape))}]",
            sides=frozenset(axis for axis in axes if axis != CHANNELS),
            normalises=self.normalises or self.dtype == "uint8",
            words=self.words,
        )


def read_onnx(path: Path) -> OnnxFile:
    """The file and its external data, read once, so that what is hashed is what is computed.

    Raises:
        InputError: a file that is absent, no ONNX, damaged, leads out of its folder, or does not
            take one image of a known type.
    """
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # no stubs

    data = _read(path, "the ONNX file")
    try:
        model = onnx.load_model_from_string(data)
    except DecodeError:
        raise InputError(f"{path} is no ONNX file, or a damaged one") from None
    if not model.graph.node:
        raise InputError(f"{path} is no ONNX file: it holds no network")
    digests = {path.name: digest_bytes(data)}
    digests |= _take_in(model, path)
    if model.ByteSize() > _LARGEST:
        raise InputError(f"{path} is larger than 2 GiB with its weights, which is not supported")
    weights = {each.name for each in model.graph.initializer}
    inputs = [each for each in model.graph.input if each.name not in weights]
    if len(inputs) != 1:
        named = ", ".join(each.name for each in inputs) or "none"
        raise InputError(f"{path} takes {len(inputs)} inputs ({named}); a matcher takes one image")
    kind = onnx.TensorProto.DataType.Name(inputs[0].type.tensor_type.elem_type)
    if kind not in DTYPES:
        known = ", ".join(DTYPES)
        raise InputError(f"{path}: the input {inputs[0].name} is {kind}; it must be one of {known}")
    return OnnxFile(
        model=model.SerializeToString(),
        digests=digests,
        input_name=inputs[0].name,
        dtype=DTYPES[kind],
        shape=_shape(inputs[0]),
        outputs={each.name: _shape(each) for each in model.graph.output},
        normalises=_normalises(model.graph, inputs[0].name),
        words=_words(model, path),
    )


def output_of(file: OnnxFile, given: str | None, path: Path) -> str:
    """Name of the output that is the vector.

    Raises:
        InputError: several outputs and none ``given``, or one that is not there.
    """
    listed = "; ".join(f"{name} {list(shape)}" for name, shape in file.outputs.items())
    if given is not None and given not in file.outputs:
        raise InputError(f"{path} has no output {given}; it has {listed}")
    if given is None and len(file.outputs) != 1:
        raise InputError(
            f"{path} has {len(file.outputs)} outputs ({listed}); say which one is the vector with "
            "matcher.output=NAME"
        )
    return given or next(iter(file.outputs))


def _read(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{what} {path} cannot be read ({error.strerror})") from None


def _take_in(model: Any, path: Path) -> dict[str, str]:
    """Puts external data into the network itself; SHA-256 per file."""
    contents: dict[str, bytes] = {}
    for tensor in _tensors(model):
        if tensor.data_location != tensor.EXTERNAL:
            continue
        told = {each.key: each.value for each in tensor.external_data}
        name = told.get("location", "")
        fault = "has no name" if not name else path_faults(path.parent, [name])[0]
        if fault:
            raise InputError(f"{path}: its external data file '{name}' {fault}")
        if name not in contents:
            what = f"{path} keeps its weights in a file beside it;"
            contents[name] = _read(path.parent / name, what)
        tensor.raw_data = _piece(contents[name], told, path.parent / name, tensor.name)
        tensor.data_location = tensor.DEFAULT
        del tensor.external_data[:]
    return {name: digest_bytes(content) for name, content in sorted(contents.items())}


def _piece(content: bytes, told: Mapping[str, str], file: Path, tensor: str) -> bytes:
    try:
        start = int(told.get("offset", 0))
        length = int(told.get("length", len(content) - start))
    except ValueError:
        raise InputError(f"{file}: the place of the tensor {tensor} in it is no number") from None
    if start < 0 or length < 0 or start + length > len(content):
        raise InputError(
            f"{file} is too short: the tensor {tensor} should be at bytes {start} to "
            f"{start + length} of {len(content)}; copy it again"
        )
    return content[start : start + length]


def _tensors(model: Any) -> Iterator[Any]:
    """Every tensor of the network: weights, constants, those in branches and functions."""
    yield from _of_graph(model.graph)
    for function in model.functions:
        yield from _of_nodes(function.node)


def _of_graph(graph: Any) -> Iterator[Any]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    yield from _of_nodes(graph.node)


def _of_nodes(nodes: Any) -> Iterator[Any]:
    for node in nodes:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            if attribute.HasField("g"):
                yield from _of_graph(attribute.g)
            for graph in attribute.graphs:
                yield from _of_graph(graph)


def _shape(value: Any) -> tuple[int | str, ...]:
    return tuple(
        axis.dim_value if axis.HasField("dim_value") else axis.dim_param or "?"
        for axis in value.type.tensor_type.shape.dim
    )


def _normalises(graph: Any, name: str) -> bool:
    """Whether the input is shifted and scaled before any other thing is done to it."""
    seen = []
    for node in graph.node:
        if node.op_type == "Constant":
            continue
        if name not in node.input or node.op_type not in _NORMALISING:
            break
        seen.append(node.op_type)
        name = node.output[0]
    return bool({"Sub", "Add", "BatchNormalization"} & {*seen}) or {"Div", "Mul"} <= {*seen}


def _words(model: Any, path: Path) -> str:
    entries = [f"{each.key} {each.value}" for each in model.metadata_props]
    return " ".join([path.stem, model.graph.name, model.doc_string, *entries]).lower()
