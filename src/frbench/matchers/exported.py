"""``matcher=exported``: a face network as a torch.export archive or a TorchScript program."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from frbench import conventions
from frbench.conventions.proposal import Seen, check_sides, must_be_confirmed
from frbench.digests import digest_bytes
from frbench.errors import InputError
from frbench.matchers import Faces
from frbench.network_input import (
    CHANNELS,
    Layout,
    Pixels,
    as_input,
    check_faces,
    flip_of,
    in_batches,
    layout_of,
    with_mirror,
)
from frbench.torchscript_files import is_torchscript, load_torchscript
from frbench.values import Float32s
from frbench.weights_files import read_weights

if TYPE_CHECKING:
    from frbench.exported_graph import ExportedGraph

_UNKNOWN: tuple[int | str, ...] = ("batch", CHANNELS, "height", "width")
"""A TorchScript program does not say what it takes; by torch's custom it is this."""


class ExportedMatcher:
    """Vectors from a network that carries its own structure and weights, and no Python.

    A network whose batch is fixed at 1 sees each face by itself, so batches change nothing.
    """

    def __init__(
        self,
        *,
        path: str,
        convention: str | None = None,
        flip: str | None = None,
        output: str | int | None = None,
        layout: str | None = None,
        batch: int | None = None,
        name: str | None = None,
        device: str = "cpu",
    ) -> None:
        """Reads the file; a TorchScript program is loaded at first use.

        Args:
            path: a .pt2 file of torch.export.save, or a TorchScript .pt file.
            convention: how pixels are prepared (``frbench.conventions``), or a .yaml file.
            flip: ``none``, ``sum`` or ``concatenate`` the vector of the mirrored face; None: as
                the convention says.
            output: the output that is the vector, where there are several: its name in a .pt2
                file, or its position from 0.
            layout: ``NCHW`` or ``NHWC`` where the file does not tell.
            batch: faces at once, where the program takes one number only and does not say so.
            name: name in results; None: the file's name.
            device: ``cpu`` or ``cuda``.

        Raises:
            InputError: no convention (the sentence proposes one); a file that cannot be used or
                that does not fit the convention.
        """
        self._path = Path(path).expanduser()
        self._device = device
        self._data = read_weights(self._path, "matcher exported")
        self._scripted = is_torchscript(self._data)
        shape = _UNKNOWN if self._scripted else self._graph.shape
        seen = Seen(
            description="not stated" if self._scripted else f"{self._dtype} {list(shape)}",
            sides=frozenset(a for a in shape[1:] if isinstance(a, int) and a != CHANNELS),
            normalises=self._dtype == "uint8",
            words=self._path.stem.lower(),
        )
        if convention is None:
            raise must_be_confirmed(self._path, seen)
        chosen = conventions.convention(convention)
        known = layout or ("NCHW" if self._scripted else None)
        self._layout: Layout = layout_of(shape, self._path, known)
        check_sides(self._path, seen, chosen.input_size)
        if batch is not None and batch < 1:
            raise InputError(f"matcher.batch={batch} is out of range; use 1 or more")
        self._batch = shape[0] if isinstance(shape[0], int) else batch
        self.batch_invariant = self._batch == 1
        self.name = name or self._path.stem
        self.preprocess = chosen.preprocess
        self.default_detector = chosen.detector
        self._flip = flip_of(flip, chosen.flip)
        self._output = output

    def embed(self, faces: Faces) -> Float32s:
        """float32 (b, d), as the network returns them, from uint8 (b, S, S, 3) RGB.

        Raises:
            InputError: another shape of faces, or the network cannot be run.
        """
        check_faces(faces, self.preprocess.input_size, self.name)
        return with_mirror(self._straight, faces, self._flip)

    def identity(self) -> Mapping[str, Any]:
        """SHA-256 of the file, convention, flip, output, version of torch, kind of device."""
        import torch

        return {
            "matcher": "exported",
            "name": self.name,
            "weights": digest_bytes(self._data),
            "preprocess": self.preprocess.identity(),
            "flip": self._flip,
            "output": self._output,
            "layout": self._layout,
            "batch": self._batch,
            "torch": torch.__version__,
            "device": self._device.split(":")[0],
        }

    def _straight(self, faces: Faces) -> Float32s:
        pixels = as_input(faces, self.preprocess, layout=self._layout, dtype=self._dtype)
        return in_batches(self._forward, pixels, self._batch)

    def _forward(self, pixels: Pixels) -> Any:
        import torch

        given = torch.from_numpy(pixels).to(self._device)
        with (
            torch.inference_mode(),
            torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False),
        ):
            try:
                found = self._network(given)
            except (RuntimeError, TypeError, ValueError, IndexError) as error:
                lines = str(error).strip().splitlines() or [type(error).__name__]
                raise InputError(
                    f"matcher {self.name}: the network cannot be run on pixels of shape "
                    f"{list(pixels.shape)} ({lines[-1][:200]}); if it takes one face at a time, "
                    "set matcher.batch=1"
                ) from None
        return np.asarray(found.float().cpu().numpy())

    @cached_property
    def _graph(self) -> ExportedGraph:
        import torch

        from frbench.exported_archive import read_exported

        return read_exported(self._data, self._path, torch.device(self._device))

    @property
    def _dtype(self) -> str:
        return "float32" if self._scripted else str(self._graph.dtype).removeprefix("torch.")

    @cached_property
    def _network(self) -> Callable[[Any], Any]:
        if self._scripted:
            program = load_torchscript(self._data, self._path, self._device)
            return lambda pixels: self._chosen(program(pixels))
        names = self._graph.outputs
        place = names.index(self._output) if self._output in names else self._place(len(names))
        return lambda pixels: self._graph.run(pixels, names[place])

    def _chosen(self, found: Any) -> Any:
        """The vector among what a TorchScript program returns."""
        import torch

        if isinstance(found, torch.Tensor):
            found = (found,)
        if isinstance(found, Mapping):
            if self._output in found:
                return found[self._output]
            raise self._which(len(found), ", ".join(map(str, found)))
        return found[self._place(len(found))]

    def _place(self, outputs: int) -> int:
        if self._output is None and outputs == 1:
            return 0
        if isinstance(self._output, int) and 0 <= self._output < outputs:
            return self._output
        raise self._which(outputs, f"0 to {outputs - 1}")

    def _which(self, outputs: int, choices: str) -> InputError:
        given = "" if self._output is None else f", none of them {self._output}"
        return InputError(
            f"matcher {self.name}: the network has {outputs} outputs{given}; say which one is the "
            f"vector with matcher.output=OUTPUT ({choices})"
        )
