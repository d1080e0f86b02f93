"""``matcher=torchvision``: an architecture of torchvision with weights that the user brings."""

from __future__ import annotations

import difflib
from collections import OrderedDict
from collections.abc import Mapping
from copy import copy, deepcopy
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from frbench import conventions
from frbench.conventions.proposal import Seen, must_be_confirmed
from frbench.digests import digest_bytes
from frbench.errors import InputError
from frbench.matchers import Faces
from frbench.network_input import Pixels, as_input, check_faces, flip_of, rows, with_mirror
from frbench.values import Float32s
from frbench.weights_files import read_weights, tensors_of

EMBEDDINGS = ("head", "penultimate")
_PREFIXES = ("module.", "model.", "backbone.")
_AUXILIARY = ("AuxLogits.", "aux1.", "aux2.")


class TorchvisionMatcher:
    """Vectors from any classification architecture of torchvision, with trained weights only."""

    def __init__(
        self,
        *,
        architecture: str,
        weights: str,
        convention: str | None = None,
        embedding: str = "head",
        dimension: int | None = None,
        flip: str | None = None,
        name: str | None = None,
        device: str = "cpu",
    ) -> None:
        """Settings; the weights are read at first use.

        Args:
            architecture: as torchvision calls it, such as ``resnet50``.
            weights: a state dict, .pt or .safetensors, of that architecture.
            convention: how pixels are prepared (``frbench.conventions``), or a .yaml file.
            embedding: ``head``: what the last layer returns, for networks whose last layer makes
                the vector; ``penultimate``: what goes into it, for networks that end in a
                classifier. A checkpoint without a last layer has the latter only.
            dimension: length that the vector must have; None: as the checkpoint has it.
            flip: ``none``, ``sum`` or ``concatenate`` the vector of the mirrored face; None: as
                the convention says.
            name: name in results; None: the architecture and the file's name.
            device: ``cpu`` or ``cuda``.

        Raises:
            InputError: an unknown setting, or no convention (the sentence proposes one).
        """
        _check_architecture(architecture)
        if embedding not in EMBEDDINGS:
            raise InputError(
                f"matcher.embedding={embedding} is unknown; use one of {', '.join(EMBEDDINGS)}"
            )
        self._path = Path(weights).expanduser()
        if convention is None:
            raise must_be_confirmed(self._path, Seen("not stated", words="imagenet"))
        chosen = conventions.convention(convention)
        self.name = name or f"{architecture}_{self._path.stem}"
        self.preprocess = chosen.preprocess
        self.default_detector = chosen.detector
        self._architecture = architecture
        self._embedding = embedding
        self._dimension = dimension
        self._flip = flip_of(flip, chosen.flip)
        self._device = device

    def embed(self, faces: Faces) -> Float32s:
        """float32 (b, d), as the network returns them, from uint8 (b, S, S, 3) RGB.

        Raises:
            InputError: the weights are absent or of another network, or another shape of faces.
        """
        check_faces(faces, self.preprocess.input_size, self.name)
        return with_mirror(self._straight, faces, self._flip)

    def identity(self) -> Mapping[str, Any]:
        """SHA-256 of the weights file, architecture, convention, flip, versions, device."""
        import torch
        import torchvision

        return {
            "matcher": "torchvision",
            "name": self.name,
            "architecture": self._architecture,
            "embedding": self._embedding,
            "weights": digest_bytes(self._bytes),
            "preprocess": self.preprocess.identity(),
            "flip": self._flip,
            "torch": torch.__version__,
            "torchvision": torchvision.__version__,
            "device": self._device.split(":")[0],
        }

    def trainable(self) -> Any:
        """A copy of the network to be trained further, on the CPU."""
        return deepcopy(self._network).cpu()

    def retrained(self, weights: Path) -> TorchvisionMatcher:
        """The same matcher with other weights."""
        again = copy(self)
        again._path = weights
        for kept in ("_bytes", "_network"):
            again.__dict__.pop(kept, None)
        return again

    def _straight(self, faces: Faces) -> Float32s:
        return rows(self._forward(as_input(faces, self.preprocess)), len(faces))

    def _forward(self, pixels: Pixels) -> Any:
        import torch

        given = torch.from_numpy(pixels).to(self._device)
        with (
            torch.inference_mode(),
            torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False),
        ):
            try:
                found = self._network(given)
            except (RuntimeError, ValueError, AssertionError) as error:
                lines = str(error).strip().splitlines() or [type(error).__name__]
                raise InputError(
                    f"matcher {self.name}: {self._architecture} cannot be run on faces of "
                    f"{self.preprocess.input_size} pixels ({lines[-1][:200]})"
                ) from None
        if self._dimension is not None and found.shape[-1] != self._dimension:
            raise InputError(
                f"matcher {self.name}: the checkpoint gives vectors of {found.shape[-1]} numbers, "
                f"not of {self._dimension} as matcher.dimension says"
            )
        return np.asarray(found.float().cpu().numpy())

    @cached_property
    def _bytes(self) -> bytes:
        return read_weights(self._path, f"matcher {self.name}")

    @cached_property
    def _network(self) -> Any:
        import torch

        given = _without_prefix(tensors_of(self._bytes, f"matcher {self.name}"))
        with torch.random.fork_rng(devices=[]):
            network, last = self._unfilled(given)
        state = network.state_dict()
        self._refuse_other_tensors(state, given)
        # the versions of the layers go with the names and shapes that were just compared
        filled: Any = OrderedDict(given)
        filled._metadata = state._metadata
        network.load_state_dict(filled, strict=False)
        if self._embedding == "penultimate":
            network.set_submodule(last, torch.nn.Identity())
        return network.eval().to(torch.device(self._device))

    def _unfilled(self, given: Mapping[str, Any]) -> tuple[Any, str]:
        """The network with a last layer like the checkpoint's, and that layer's name."""
        import torch

        network = _empty(self._architecture, self.preprocess.input_size)
        last = _last_layer(network)
        if f"{last}.weight" in given:
            _resize(network, last, given[f"{last}.weight"], bias=f"{last}.bias" in given)
        elif self._embedding == "head":
            raise InputError(
                f"matcher {self.name}: the checkpoint has no last layer ({last}.weight); take what "
                "goes into it with matcher.embedding=penultimate"
            )
        else:
            network.set_submodule(last, torch.nn.Identity())
        return network, last

    def _refuse_other_tensors(self, wanted: Mapping[str, Any], given: Mapping[str, Any]) -> None:
        # batches seen in training are counted in newer files only, and change no vector
        needed = {key for key in wanted if not key.endswith("num_batches_tracked")}
        problems = [f"{key}: absent" for key in wanted if key in needed and key not in given]
        problems += [f"{key}: not part of this network" for key in given if key not in wanted]
        problems += [
            f"{key}: shape {tuple(given[key].shape)}, wanted {tuple(value.shape)}"
            for key, value in wanted.items()
            if key in given and given[key].shape != value.shape
        ]
        if problems:
            raise InputError.listing(
                f"matcher {self.name}: {self._path} is no state dict of torchvision's "
                f"{self._architecture}:",
                problems,
                shown=5,
            )


def _check_architecture(name: str) -> None:
    import torchvision

    known = torchvision.models.list_models(module=torchvision.models)
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3)
        hint = f"did you mean {', '.join(near)}?" if near else f"it has {', '.join(known)}"
        raise InputError(
            f"matcher.architecture={name} is no classification network of torchvision; {hint}"
        )


def _empty(architecture: str, size: int) -> Any:
    """The network before its weights: whatever it is filled with is overwritten or refused."""
    import torchvision

    settings: dict[str, Any] = {"num_classes": 1}
    if architecture in ("googlenet", "inception_v3"):
        settings |= {"aux_logits": False, "init_weights": False}
    if architecture.startswith("vit_"):
        settings["image_size"] = size
    if architecture.startswith("maxvit"):
        settings["input_size"] = (size, size)
    try:
        return torchvision.models.get_model(architecture, weights=None, **settings)
    except (ValueError, RuntimeError, AssertionError) as error:
        raise InputError(
            f"matcher.architecture={architecture} cannot take faces of {size} pixels "
            f"({str(error).splitlines()[0][:120]}); name a convention of another size"
        ) from None


def _last_layer(network: Any) -> str:
    """Name of the layer that classifies: the last with weights in every one of torchvision's."""
    import torch

    kinds = (torch.nn.Linear, torch.nn.Conv2d)
    names = [str(name) for name, layer in network.named_modules() if isinstance(layer, kinds)]
    return names[-1]


def _resize(network: Any, name: str, weight: Any, *, bias: bool) -> None:
    """A last layer of as many outputs as the checkpoint's."""
    import torch

    layer = network.get_submodule(name)
    if isinstance(layer, torch.nn.Linear):
        network.set_submodule(name, torch.nn.Linear(layer.in_features, len(weight), bias=bias))
    else:
        made = torch.nn.Conv2d(layer.in_channels, len(weight), layer.kernel_size, bias=bias)
        network.set_submodule(name, made)


def _without_prefix(given: Mapping[str, Any]) -> dict[str, Any]:
    """The tensors under the names of the bare network, as training wrappers put one in front;
    without the classifiers beside the trunk that only training uses."""
    names = dict(given)
    for prefix in _PREFIXES:
        if names and all(name.startswith(prefix) for name in names):
            names = {name.removeprefix(prefix): value for name, value in names.items()}
    return {name: value for name, value in names.items() if not name.startswith(_AUXILIARY)}
