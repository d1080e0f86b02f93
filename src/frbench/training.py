"""Fine-tune a matcher on a mix of training images: one loop, the same budget for every mix.

Everything random follows from (seed, step) alone, and the state after a step is kept whole, so a
run that was killed goes on to the weights that it would have had. Products on a GPU may round
otherwise from run to run; on the CPU the same machine and number of threads repeat them.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import signal
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, Protocol

import lightning.pytorch as pl
import numpy as np
import torch
from pytorch_metric_learning.losses import (  # type: ignore[import-untyped]
    ArcFaceLoss,
    CosFaceLoss,
)
from torch import Tensor, nn
from torch.nn import functional

from frbench.digests import digest_bytes, digest_file, digest_of
from frbench.errors import InputError
from frbench.matchers import Faces, Preprocess
from frbench.network_input import as_input
from frbench.values import Float32s, Float64s, Int64s

VERSION = 1
"""Raised whenever the same settings would give other weights; part of the key of kept ones."""

CHECKPOINT, WEIGHTS, TOLD = "unfinished.ckpt", "weights.safetensors", "trained.json"
MARGINS = {"arcface": 28.6, "cosface": 0.35}
"""Degrees (Deng et al., CVPR 2019, 0.5 rad) and cosine (Wang et al., CVPR 2018)."""


class Trainable(Protocol):
    """A matcher whose network can be trained further."""

    name: str
    preprocess: Preprocess
    default_detector: str

    def trainable(self) -> nn.Module:
        """A copy of the network on the CPU: float32 [B, 3, S, S] as ``as_input``, to [B, d]."""
        ...

    def retrained(self, weights: Path) -> Any:
        """The same matcher with the weights of another .safetensors file."""
        ...

    def identity(self) -> Mapping[str, Any]:
        """Everything that can change the vectors."""
        ...


@dataclass(frozen=True)
class Budget:
    """What every retraining may spend; the same for all mixes.

    Attributes:
        steps: updates of the weights.
        batch: images per step, drawn with replacement in proportion to the mix's weights.
        rate: highest learning rate of AdamW; it warms up over a tenth of the steps and falls
            along a cosine.
        decay: weight decay.
        loss: ``arcface`` or ``cosface``.
        margin: degrees for arcface, cosine for cosface; None takes the published one.
        scale: by which cosines are multiplied.
        augment: whether pictures are shifted by up to 3 pixels and re-exposed.
        checkpoint_every: steps after which the state is kept.
    """

    steps: int = 200
    batch: int = 64
    rate: float = 1e-3
    decay: float = 1e-3
    loss: Literal["arcface", "cosface"] = "arcface"
    margin: float | None = None
    scale: float = 32.0
    augment: bool = True
    checkpoint_every: int = 50

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "checkpoint_every"):
            value = getattr(self, name)
            least = 2 if name == "batch" else 1
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise InputError(f"{name}={value} must be a whole number, at least {least}")
        for name in ("rate", "scale"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name}={getattr(self, name)} must be above zero")
        if self.loss not in MARGINS:
            raise InputError(f"loss={self.loss} is unknown; take one of {', '.join(MARGINS)}")


@dataclass(frozen=True)
class TrainingImages:
    """The images of one mix.

    Attributes:
        faces: uint8 [N, S, S, 3] RGB, may lie on disk.
        vectors: float32 [N, d], of the matcher before retraining; a person's mean is where the
            classifier's centre starts, so that a short training is one.
        rows: int64 [M], the images of the mix.
        person: int64 [M], who is on each.
        weights: float64 [M], in proportion to which images are drawn.
        digest: of the bytes of ``faces``.
    """

    faces: Faces
    vectors: Float32s
    rows: Int64s
    person: Int64s
    weights: Float64s
    digest: str


@dataclass(frozen=True)
class Trained:
    """One finished training.

    Attributes:
        path: the weights, .safetensors.
        sha256: of that file.
        steps, images_seen: what was spent, on this and earlier tries together.
        persons: of the mix.
        loss: of the last step.
        seconds: of the try that finished it.
        resumed_from: step at which that try took over, 0 if it began itself.
    """

    path: Path
    sha256: str
    steps: int
    images_seen: int
    persons: int
    loss: float
    seconds: float
    resumed_from: int


def fine_tune(
    base: Trainable,
    images: TrainingImages,
    budget: Budget,
    *,
    seed: int,
    folder: Path,
    device: str = "cpu",
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Trained:
    """The matcher's network after ``budget`` on these images; kept work is taken up or over.

    Args:
        base: where training starts.
        seed: of the order of the images, their changes and dropout.
        folder: keeps the state and the finished weights, below a name made of everything that
            they rest on.
        device: ``cpu`` or ``cuda``.

    Raises:
        InputError: fewer than two persons, a matcher that cannot be trained, or a kept state
            that cannot be read.
        KeyboardInterrupt: on Ctrl-C, with the last kept state in place.
    """
    _check(base, images)
    place = folder / training_key(base, images, budget, seed=seed, device=device)
    place.mkdir(parents=True, exist_ok=True)
    told = place / TOLD
    if told.is_file():
        return Trained(path=place / WEIGHTS, **json.loads(told.read_text(encoding="utf-8")))
    started = time.monotonic()
    tuning = _Tuning(base, images, budget, seed)
    state = place / CHECKPOINT
    before = _run(tuning, state, budget, device, progress)
    _save(tuning.network, place / WEIGHTS)
    result: dict[str, Any] = {
        "sha256": digest_file(place / WEIGHTS),
        "steps": budget.steps,
        "images_seen": budget.steps * budget.batch,
        "persons": len(np.unique(images.person)),
        "loss": tuning.last_loss,
        "seconds": round(time.monotonic() - started, 3),
        "resumed_from": before,
    }
    _write(told, json.dumps(result).encode())
    state.unlink(missing_ok=True)
    return Trained(path=place / WEIGHTS, **result)


def starting_vectors(base: Trainable, faces: Faces, *, device: str = "cpu") -> Float32s:
    """float32 [N, d]: what the network makes of each face before it is trained further."""
    network = base.trainable().eval().to(device)
    parts = []
    with torch.inference_mode():
        for start in range(0, len(faces), 64):
            part = as_input(np.asarray(faces[start : start + 64]), base.preprocess)
            parts.append(network(torch.from_numpy(part).to(device)).float().cpu().numpy())
    return np.concatenate(parts)


def training_key(
    base: Trainable, images: TrainingImages, budget: Budget, *, seed: int, device: str
) -> str:
    """Name of the folder of one training: changes with everything that can change the weights."""
    arrays = (images.rows, images.person, images.weights)
    return digest_of(
        {
            "version": VERSION,
            "base": json.loads(json.dumps(dict(base.identity()), default=str)),
            "images": images.digest,
            "mix": [digest_bytes(np.ascontiguousarray(each).tobytes()) for each in arrays],
            "budget": asdict(budget),
            "seed": seed,
            "device": device.split(":")[0],
            "threads": torch.get_num_threads() if device == "cpu" else 0,
            "versions": [torch.__version__, version("lightning")],
        }
    )[:24]


def _check(base: Trainable, images: TrainingImages) -> None:
    if not hasattr(base, "trainable"):
        raise InputError(
            f"matcher {base.name} cannot be retrained, since frbench has not its network; take "
            "matcher=tiny, matcher=facenet_casia or matcher=torchvision"
        )
    if len(np.unique(images.person)) < 2:
        raise InputError("a mix needs images of two persons at least; loosen the recipe")


class _Tuning(pl.LightningModule):
    """Network and classifier, and where step n's images come from."""

    def __init__(self, base: Trainable, images: TrainingImages, budget: Budget, seed: int) -> None:
        super().__init__()
        self.network = base.trainable()
        persons, self._label = np.unique(images.person, return_inverse=True)
        self.loss = _loss(budget, len(persons), images.vectors.shape[1])
        self.loss.W.data.copy_(_centres(images, self._label, len(persons)))
        self._preprocess, self._images = base.preprocess, images
        self._budget, self._seed = budget, seed
        self._reach = np.cumsum(images.weights) / images.weights.sum()
        self.last_loss = math.nan

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        """The loss of the images that belong to this step, whichever try it is."""
        step = self.global_step
        pixels, labels = self._drawn(step)
        cuda = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices=cuda):
            torch.manual_seed(_number(self._seed, step, "dropout"))
            vectors = self.network(pixels.to(self.device))
        loss: Tensor = self.loss(vectors.float(), labels.to(self.device))
        self.last_loss = float(loss.detach())
        return loss

    def configure_optimizers(self) -> Any:
        """AdamW with a warm-up and a cosine over the whole budget."""
        budget = self._budget
        optimizer = torch.optim.AdamW(self.parameters(), lr=budget.rate, weight_decay=budget.decay)
        warm = max(budget.steps // 10, 1)

        def share(step: int) -> float:
            turn = 0.5 * (1 + math.cos(math.pi * min(step / budget.steps, 1.0)))
            return min(1.0, (step + 1) / warm) * turn

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, share)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def _drawn(self, step: int) -> tuple[Tensor, Tensor]:
        rng = np.random.default_rng(_number(self._seed, step, "images"))
        chosen = np.searchsorted(self._reach, rng.random(self._budget.batch), side="right")
        chosen = np.minimum(chosen, len(self._reach) - 1)
        faces = np.asarray(self._images.faces[self._images.rows[chosen]])
        pixels = torch.from_numpy(as_input(faces, self._preprocess))
        if self._budget.augment:
            pixels = _varied(pixels, rng)
        return pixels, torch.from_numpy(self._label[chosen])


def _loss(budget: Budget, persons: int, size: int) -> Any:
    kind = {"arcface": ArcFaceLoss, "cosface": CosFaceLoss}[budget.loss]
    margin = MARGINS[budget.loss] if budget.margin is None else budget.margin
    with torch.random.fork_rng(devices=[]):
        return kind(num_classes=persons, embedding_size=size, margin=margin, scale=budget.scale)


def _centres(images: TrainingImages, label: Int64s, persons: int) -> Tensor:
    """Each person's mean unit vector before retraining: float32 [d, persons]."""
    unit = functional.normalize(torch.from_numpy(images.vectors[images.rows]), dim=1)
    total = torch.zeros(persons, unit.shape[1]).index_add_(0, torch.from_numpy(label), unit)
    return functional.normalize(total, dim=1).T


def _varied(pixels: Tensor, rng: np.random.Generator) -> Tensor:
    """Each picture shifted by up to 3 pixels, its contrast times exp of 0.08 normal draws."""
    count, _, high, wide = pixels.shape
    padded = functional.pad(pixels, (3, 3, 3, 3), mode="replicate")
    offsets = rng.integers(0, 7, (count, 2))
    moved = torch.stack(
        [one[:, y : y + high, x : x + wide] for one, (y, x) in zip(padded, offsets, strict=True)]
    )
    gain = np.exp(0.08 * rng.standard_normal((count, 3, 1, 1)))
    return moved * torch.from_numpy(gain).float()


def _number(*key: object) -> int:
    """A seed of its own for every use and step."""
    return int.from_bytes(hashlib.sha256(repr(key).encode()).digest()[:7], "big")


class _Keeper(pl.Callback):
    """Keeps the state of every so many steps, each file whole or not there."""

    def __init__(
        self, path: Path, every: int, steps: int, progress: Callable[[int, int], None]
    ) -> None:
        self._path, self._every, self._steps = path, every, steps
        self._progress = progress

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Write beside the file and put in its place."""
        step = trainer.global_step
        if step % self._every == 0 or step == self._steps:
            beside = self._path.with_suffix(".part")
            trainer.save_checkpoint(beside)
            _settle(beside, self._path)
        self._progress(step, self._steps)

    def state_dict(self) -> dict[str, Any]:
        """Nothing of its own."""
        return {}


def _run(
    tuning: _Tuning, state: Path, budget: Budget, device: str, progress: Callable[[int, int], None]
) -> int:
    """Train to the end of the budget; returns the step that was taken over."""
    before = _kept_step(state)
    interrupt = signal.getsignal(signal.SIGINT)
    with _quiet():
        trainer = pl.Trainer(
            accelerator="cuda" if device.startswith("cuda") else "cpu",
            devices=[int(device.partition(":")[2] or 0)] if device.startswith("cuda") else 1,
            max_steps=budget.steps,
            max_epochs=-1,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            callbacks=[_Keeper(state, budget.checkpoint_every, budget.steps, progress)],
            default_root_dir=state.parent,
        )
        try:
            tuning.train()
            steps = _Steps(budget.steps)
            trainer.fit(tuning, steps, ckpt_path=state if before else None, weights_only=True)
        except SystemExit:
            # the loop library answers Ctrl-C by leaving, and deaf to the next one
            signal.signal(signal.SIGINT, interrupt)
            raise KeyboardInterrupt from None
    tuning.cpu().eval()
    return before


class _Steps:
    """As many empty batches as there are steps: what is in them, the step's number decides."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[int]:
        return iter(range(self._count))


def _kept_step(state: Path) -> int:
    if not state.is_file():
        return 0
    try:
        kept = torch.load(state, map_location="cpu", weights_only=True)
        return int(kept["global_step"])
    except Exception as why:
        raise InputError(
            f"{state}: the kept state of a training cannot be read ({type(why).__name__}); remove "
            "it to train from the start"
        ) from why


@contextmanager
def _quiet() -> Iterator[None]:
    """The loop library's advice on hardware and loggers is none of the user's business."""
    log = logging.getLogger("lightning.pytorch")
    others = [logging.getLogger(name) for name in (f"{log.name}.utilities.rank_zero",)]
    levels = [(each, each.level) for each in (log, *others)]
    try:
        for each, _ in levels:
            each.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for each, level in levels:
            each.setLevel(level)


def _save(network: nn.Module, path: Path) -> None:
    from safetensors.torch import save

    state = {name: value.detach().contiguous() for name, value in network.state_dict().items()}
    _write(path, save(state))


def _write(path: Path, content: bytes) -> None:
    beside = path.with_suffix(".part")
    beside.write_bytes(content)
    _settle(beside, path)


def _settle(beside: Path, path: Path) -> None:
    """The finished file in its place, on the disk: a kill leaves the old one or the new one."""
    with beside.open("rb") as stream:
        os.fsync(stream.fileno())
    beside.replace(path)
