"""From traits and circumstances to pixels: pose, backdrop, exposure, sensor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as functional
from torch import Tensor

from frbench.rendering import skin
from frbench.rendering.capture import captures, draw_capture, draw_noise
from frbench.rendering.columns import Columns
from frbench.rendering.identity import Factors, draw_person, persons
from frbench.rendering.scene import paint
from frbench.rendering.surface import HEAD_DEPTH, Grid

SIZE = 112
"""Side of the finished pictures, pixels."""

_CANVAS = 128
_PIVOT = 0.25 * HEAD_DEPTH


@dataclass(frozen=True)
class Shot:
    """One picture to take: which person of the stream, with which factors, which try."""

    person: int
    factors: Factors
    shot: int


@torch.no_grad()
def render(
    shots: Sequence[Shot], *, seed: int, stream: str, batch: int = 4
) -> npt.NDArray[np.uint8]:
    """The pictures: uint8 [len(shots), 112, 112, 3] RGB.

    Each picture follows from (seed, stream, its own shot) alone; the batch changes only the
    speed. ``stream`` names a population: people of different streams are unrelated draws.
    """
    grid = Grid.of(_CANVAS)
    parts = []
    for start in range(0, len(shots), batch):
        part = shots[start : start + batch]
        who = persons(
            [draw_person(seed=seed, stream=stream, index=s.person, factors=s.factors) for s in part]
        )
        key = [{"seed": seed, "stream": stream, "person": s.person, "shot": s.shot} for s in part]
        how = captures([draw_capture(**k) for k in key])  # type: ignore[arg-type]
        noise = torch.stack([draw_noise(**k, size=SIZE) for k in key])  # type: ignore[arg-type]
        parts.append(_photograph(who, how, noise, grid))
    empty = np.zeros((0, SIZE, SIZE, 3), dtype=np.uint8)
    return np.concatenate([empty, *parts])


def _photograph(who: Columns, how: Columns, noise: Tensor, grid: Grid) -> npt.NDArray[np.uint8]:
    picture, cover, z = paint(who, how, grid)
    posed = _pose(torch.cat([picture, cover[:, None]], dim=1), z, how)
    linear = skin.mix(_backdrop(how), posed[:, :3], posed[:, 3].clamp(0, 1))
    return _develop(linear, noise, who, how)


def _pose(layers: Tensor, z: Tensor, how: Columns) -> Tensor:
    """The layers [B, C, N, N] as seen after roll, zoom, shift, yaw and pitch: [B, C, 112, 112].

    For each pixel the point of the surface that projects there is found by fixed-point steps:
    camera x = u cos(yaw) + z(u, v) sin(yaw), and likewise for pitch.
    """
    pixel = torch.linspace(-1, 1, SIZE)
    x = (pixel[None, None, :] - how["shift_x"]) / how["zoom"]
    y = (pixel[None, :, None] - how["shift_y"]) / how["zoom"] - 0.02
    c, s = how["roll"].cos(), how["roll"].sin()
    x, y = c * x + s * y, c * y - s * x
    cy, sy, cp, sp = how["yaw"].cos(), how["yaw"].sin(), how["pitch"].cos(), how["pitch"].sin()
    u, v = x, y
    for _ in range(4):
        depth = _sample(z[:, None], u, v)[:, 0] - _PIVOT
        u = (x - depth * sy) / cy
        v = (y - depth * sp) / cp
    return _sample(layers, u, v)


def _sample(layers: Tensor, u: Tensor, v: Tensor) -> Tensor:
    where = torch.stack([u, v], dim=-1)
    return functional.grid_sample(
        layers, where, mode="bilinear", padding_mode="border", align_corners=True
    )


def _backdrop(how: Columns) -> Tensor:
    """A wall with a gradient: linear RGB [B, 3, 112, 112]."""
    line = torch.linspace(-1, 1, SIZE)
    fade = 1 + how["backdrop_tilt"] * line[None, None, :] - 0.15 * line[None, :, None]
    colour = torch.cat([how[f"backdrop_{c}"] for c in "rgb"], dim=1)[..., None]
    grey = colour.mean(1, keepdim=True)
    return (0.6 * grey + 0.4 * colour) * fade[:, None]


def _develop(linear: Tensor, noise: Tensor, who: Columns, how: Columns) -> npt.NDArray[np.uint8]:
    """Exposure, colour of the light, blur, tone curve, noise, quantisation."""
    # A camera meters the face, but not fully: darker skin stays darker.
    melanin, blood = who["melanin"].clamp(0.05, 1.0), who["haemoglobin"].clamp(0.05, 1.0)
    bright = skin.pigment(melanin, blood).mean(1, keepdim=True)
    gain = 0.92 * (0.40 / bright) ** 0.34 * torch.exp(how["exposure"])[:, None]
    tint = torch.cat([1 + how["warmth"], 1 + 0 * how["warmth"], 1 - how["warmth"]], 1)[..., None]
    exposed = _blur(linear * gain * tint, how["blur"][:, None])
    shoulder = exposed / (1 + 0.18 * exposed**2).sqrt()
    tone = shoulder.clamp(min=1e-5) ** (how["contrast"][:, None] / 2.2)
    seen = tone + how["noise"][:, None] * noise
    return (seen.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()


def _blur(picture: Tensor, share: Tensor) -> Tensor:
    """Three-tap blur along each axis; share 0 leaves the picture, 2/3 is a box of three."""
    side = share / 2
    padded = functional.pad(picture, (1, 1, 0, 0), mode="replicate")
    picture = (1 - share) * picture + side * (padded[..., :-2] + padded[..., 2:])
    padded = functional.pad(picture, (0, 0, 1, 1), mode="replicate")
    return (1 - share) * picture + side * (padded[..., :-2, :] + padded[..., 2:, :])
