"""Shading: one distant lamp, the sky around it, and a little gloss."""

from __future__ import annotations

import torch
import torch.nn.functional as functional
from torch import Tensor

from frbench.rendering.columns import Columns

# Red light travels furthest under skin, so its shadows end latest.
_WRAP = (0.30, 0.20, 0.16)


def rotation(how: Columns) -> Tensor:
    """Head to camera by yaw and pitch: float32 [B, 3, 3]; roll is left to the picture plane."""
    yaw, pitch = how["yaw"].flatten(), how["pitch"].flatten()
    zero, one = torch.zeros_like(yaw), torch.ones_like(yaw)
    cy, sy, cp, sp = yaw.cos(), yaw.sin(), pitch.cos(), pitch.sin()
    turn = torch.stack([cy, zero, sy, zero, one, zero, -sy, zero, cy], dim=1).view(-1, 3, 3)
    nod = torch.stack([one, zero, zero, zero, cp, sp, zero, -sp, cp], dim=1).view(-1, 3, 3)
    return (nod[:, :, :, None] * turn[:, None, :, :]).sum(2)


def _in_head_frame(how: Columns, direction: Tensor) -> Tensor:
    """A camera-frame direction [B, 3] as the head sees it: [B, 3, 1, 1]."""
    return (rotation(how) * direction[:, :, None]).sum(1)[:, :, None, None]


def lamp(how: Columns) -> Tensor:
    """Unit direction towards the lamp in the camera frame: float32 [B, 3]."""
    azimuth, elevation = how["light_azimuth"].flatten(), how["light_elevation"].flatten()
    across = azimuth.sin() * elevation.cos()
    return torch.stack([across, -elevation.sin(), azimuth.cos() * elevation.cos()], dim=1)


def hollow(z: Tensor) -> Tensor:
    """Share of the sky that a point sees, from how far it lies under its surroundings."""
    # Two box means of odd width approximate a Gaussian; pooling keeps every picture independent.
    wide = functional.pad(z[:, None], (8, 8, 8, 8), mode="replicate")
    for window in ((9, 1), (9, 1), (1, 9), (1, 9)):
        wide = functional.avg_pool2d(wide, window, stride=1)
    return (1 - 9.0 * (wide[:, 0] - z).clamp(-0.015, 0.05)).clamp(0.45, 1.15)


def shade(albedo: Tensor, normal: Tensor, z: Tensor, how: Columns) -> Tensor:
    """Light that leaves the head: linear RGB float32 [B, 3, N, N], before the camera."""
    towards = _in_head_frame(how, lamp(how))
    facing = (normal * towards).sum(1)
    wrap = torch.tensor(_WRAP)[None, :, None, None]
    diffuse = ((facing[:, None] + wrap) / (1 + wrap)).clamp(min=0)
    view = torch.zeros(len(how), 3)
    view[:, 2] = 1
    eye = _in_head_frame(how, view)
    between = functional.normalize(towards + eye, dim=1)
    gloss = how["gloss"][:, None] * (normal * between).sum(1, keepdim=True).clamp(min=0) ** 24
    sky = how["ambient"] * (0.80 - 0.20 * normal[:, 1]) * hollow(z)
    lamp_power = (1.45 - how["ambient"])[:, None] * hollow(z)[:, None].clamp(max=1)
    return albedo * (sky[:, None] + lamp_power * diffuse) + gloss * lamp_power
