"""``matcher=onnx``: any face network as an ONNX file, through onnxruntime."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from frbench import conventions
from frbench.conventions.proposal import check_sides, must_be_confirmed
from frbench.errors import InputError
from frbench.matchers import Faces
from frbench.network_input import (
    Layout,
    Pixels,
    as_input,
    check_faces,
    flip_of,
    in_batches,
    layout_of,
    with_mirror,
)
from frbench.onnx_files import output_of, read_onnx
from frbench.values import Float32s

_DISTRIBUTIONS = ("onnxruntime-gpu", "onnxruntime")


class OnnxMatcher:
    """Vectors from a network whose preprocessing the user names, since the file does not say it.

    A network whose batch is fixed at 1 sees each face by itself, so batches change nothing.
    """

    def __init__(
        self,
        *,
        path: str,
        convention: str | None = None,
        flip: str | None = None,
        output: str | None = None,
        layout: str | None = None,
        name: str | None = None,
        device: str = "cpu",
    ) -> None:
        """Reads the file and what it refers to; the network is built at first use.

        Args:
            path: the .onnx file; external data lies beside it, as the file says.
            convention: how pixels are prepared (``frbench.conventions``), or a .yaml file.
            flip: ``none``, ``sum`` or ``concatenate`` the vector of the mirrored face; None: as
                the convention says.
            output: name of the output that is the vector, where there are several.
            layout: ``NCHW`` or ``NHWC`` where the shape of the input does not tell.
            name: name in results; None: the file's name.
            device: ``cpu`` or ``cuda``.

        Raises:
            InputError: no convention (the sentence proposes one); a file that cannot be used or
                that does not fit the convention; onnxruntime absent, or without CUDA.
        """
        self._providers = _providers(device)
        self._device = device
        self._path = Path(path).expanduser()
        self._file = read_onnx(self._path)
        if convention is None:
            raise must_be_confirmed(self._path, self._file.seen)
        chosen = conventions.convention(convention)
        self._layout: Layout = layout_of(self._file.shape, self._path, layout)
        check_sides(self._path, self._file.seen, chosen.input_size)
        self.name = name or self._path.stem
        self.preprocess = chosen.preprocess
        self.default_detector = chosen.detector
        self._flip = flip_of(flip, chosen.flip)
        self._output = output_of(self._file, output, self._path)
        batch = self._file.shape[0]
        self._batch = batch if isinstance(batch, int) else None
        self.batch_invariant = self._batch == 1

    def embed(self, faces: Faces) -> Float32s:
        """float32 (b, d), as the network returns them, from uint8 (b, S, S, 3) RGB.

        Raises:
            InputError: another shape of faces, or the network cannot be run.
        """
        check_faces(faces, self.preprocess.input_size, self.name)
        return with_mirror(self._straight, faces, self._flip)

    def identity(self) -> Mapping[str, Any]:
        """SHA-256 of every file, convention, flip, output, versions, kind of device."""
        return {
            "matcher": "onnx",
            "name": self.name,
            "weights": dict(self._file.digests),
            "preprocess": self.preprocess.identity(),
            "flip": self._flip,
            "output": self._output,
            "layout": self._layout,
            "onnxruntime": _version(),
            "device": self._device.split(":")[0],
        }

    def _straight(self, faces: Faces) -> Float32s:
        pixels = as_input(faces, self.preprocess, layout=self._layout, dtype=self._file.dtype)
        return in_batches(self._forward, pixels, self._batch)

    def _forward(self, pixels: Pixels) -> Any:
        session = self._session
        try:
            return session.run([self._output], {self._file.input_name: pixels})[0]
        except Exception as error:  # onnxruntime's errors have no common type of their own
            raise InputError(
                f"matcher {self.name}: onnxruntime cannot run the network on pixels of shape "
                f"{list(pixels.shape)} ({_first_line(error)})"
            ) from None

    @cached_property
    def _session(self) -> Any:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = _threads()
        options.use_deterministic_compute = True
        options.log_severity_level = 3
        # threads that spin while they wait starve on a machine that others use too
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            return onnxruntime.InferenceSession(
                self._file.model, options, providers=self._providers
            )
        except Exception as error:  # as above
            raise InputError(
                f"{self._path}: onnxruntime {_version()} cannot load this network "
                f"({_first_line(error)})"
            ) from None


def _providers(device: str) -> list[Any]:
    """What onnxruntime computes with. Raises InputError where it is absent or lacks the device."""
    for package in ("onnx", "onnxruntime"):
        if find_spec(package) is None:
            raise InputError(
                f'matcher=onnx needs {package}, which is not installed; pip install "frbench[onnx]"'
            )
    if not device.startswith("cuda"):
        return ["CPUExecutionProvider"]
    import onnxruntime

    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        raise InputError(
            "this onnxruntime has no CUDA; install onnxruntime-gpu in its place, or compute this "
            "matcher on the processor with matcher.device=cpu"
        )
    _, _, number = device.partition(":")
    settings = {
        "device_id": number or "0",
        "use_tf32": "0",
        # the exhaustive search takes whichever algorithm was fastest that day
        "cudnn_conv_algo_search": "DEFAULT",
    }
    return [("CUDAExecutionProvider", settings), "CPUExecutionProvider"]


def _version() -> str:
    for distribution in _DISTRIBUTIONS:
        try:
            return f"{distribution} {version(distribution)}"
        except PackageNotFoundError:
            continue
    return "unknown"


def _threads() -> int:
    """As many as ``OMP_NUM_THREADS`` says, else one per core that this process may use."""
    said = os.environ.get("OMP_NUM_THREADS", "")
    if said.isdigit() and int(said) > 0:
        return int(said)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
