"""The colour of the head: linear RGB albedo from pigments, and what lies on the skin."""

from __future__ import annotations

import torch
from torch import Tensor

from frbench.rendering.columns import Columns
from frbench.rendering.identity import MARKS
from frbench.rendering.surface import Features, Grid, bell, soft

# Linear RGB. Absorbances were set by eye so that melanin 0.1 to 0.9 spans plausible skin tones.
_PALE = (0.93, 0.76, 0.64)
_MELANIN = (2.05, 2.70, 3.15)
_HAEMOGLOBIN = (0.12, 0.54, 0.48)
_HAIR_PALE = (0.50, 0.34, 0.17)
_HAIR_MELANIN = (3.9, 4.1, 3.7)


def rgb(values: tuple[float, float, float]) -> Tensor:
    """A colour as float32 [1, 3, 1, 1]."""
    return torch.tensor(values)[None, :, None, None]


def mix(under: Tensor, over: Tensor, cover: Tensor) -> Tensor:
    """``over`` laid on ``under``; cover [B, N, N] is 0 to 1."""
    return under + (over - under) * cover[:, None]


def pigment(melanin: Tensor, haemoglobin: Tensor) -> Tensor:
    """Albedo of skin, linear RGB [B, 3, ...]: light absorbed along the way (Beer and Lambert)."""
    absorbed = melanin[:, None] * rgb(_MELANIN) + haemoglobin[:, None] * rgb(_HAEMOGLOBIN)
    return rgb(_PALE) * torch.exp(-absorbed)


def hair_colour(who: Columns) -> Tensor:
    """Linear RGB [B, 3, 1, 1], greyed with age."""
    melanin = who["hair_melanin"].clamp(0.05, 1.1)
    warm = torch.cat([who["hair_warmth"] * s for s in (0.35, 0.0, -0.25)], dim=1)[..., None]
    colour = rgb(_HAIR_PALE) * torch.exp(-melanin[:, None] * (rgb(_HAIR_MELANIN) - warm))
    grey = who["grey"].clamp(0, 0.9)[:, None]
    return colour * (1 - grey) + grey * rgb((0.34, 0.34, 0.35))


def face_albedo(who: Columns, how: Columns, f: Features, grid: Grid) -> Tensor:
    """Linear RGB albedo of the face without scalp hair: float32 [B, 3, N, N]."""
    hair = hair_colour(who)
    colour = _bare_skin(who, f, grid)
    colour = mix(colour, hair * 0.9, _beard(who, how, f, grid))
    colour = mix(colour, hair * 0.8, _brows(who, how, f, grid))
    colour = _lips(who, f, colour)
    nostril_x = bell(f.nose_x.abs() - 0.46 * who["nose_width"], 0.020)
    nostril = 0.72 * nostril_x * bell(grid.y - f.tip_y - 0.046, 0.0125)
    colour = mix(colour, colour * 0.15, nostril)
    return _eyes(who, how, f, grid, colour)


def _bare_skin(who: Columns, f: Features, grid: Grid) -> Tensor:
    """Flushed nose and cheeks, shade under the eyes, blotches, moles."""
    phase = 40.0 * who["texture"]
    waves = torch.cos(9 * grid.x + 5 * grid.y + phase) * torch.cos(7 * grid.y - 4 * grid.x + phase)
    flush = 0.35 * bell(f.side - 0.27, 0.12) * bell(grid.y - 0.16, 0.10)
    flush = flush + 0.35 * bell(grid.x, 0.06) * bell(grid.y - f.tip_y, 0.06)
    under_eye = bell(f.eye_u, 0.8) * bell(f.eye_v - 0.055, 0.028)
    melanin = who["melanin"].clamp(0.05, 1.0) + 0.012 * waves + 0.055 * under_eye
    for k in range(MARKS):
        across = bell(grid.x - who[f"mark{k}_x"], who[f"mark{k}_size"])
        spot = across * bell(grid.y - who[f"mark{k}_y"], who[f"mark{k}_size"])
        melanin = melanin + who[f"mark{k}_strength"] * 0.7 * spot
    haemoglobin = who["haemoglobin"].clamp(0.05, 1.0) * (1 + flush) + 0.25 * under_eye
    return pigment(melanin, haemoglobin + 0.05 * waves)


def _beard(who: Columns, how: Columns, f: Features, grid: Grid) -> Tensor:
    """Cover of beard and moustache, 0 to 0.9: from a shadow to a full beard."""
    density = (who["beard"] + how["beard_change"]).clamp(0, 1.1)
    corner = who["mouth_width"] + 0.03
    slope = ((who["face_width"] - f.side) / (who["face_width"] - corner)).clamp(0, 1.15)
    cheek_line = who["mouth_height"] * slope - 0.02
    jaw = soft(grid.y - cheek_line, 0.10) * soft(grid.y - 0.02, 0.15)
    clear = bell(f.mouth_v, 0.075) * bell(f.mouth_u, 0.75)
    lip_top = who["mouth_height"] - who["upper_lip"]
    moustache = bell(grid.y - lip_top + 0.028, 0.026) * soft(corner - f.side, 0.06)
    share = who["moustache_share"].clamp(0, 1)
    cover = jaw * (1 - clear) * (1 - 0.4 * share) + moustache * (0.4 + 0.6 * share)
    grain = 0.88 + 0.12 * torch.cos(70 * grid.x + 9 * torch.sin(31 * grid.y))
    return 0.9 * density * cover.clamp(0, 1) * grain


def _brows(who: Columns, how: Columns, f: Features, grid: Grid) -> Tensor:
    u = f.eye_u
    lift = who["brow_height"] + how["brow_raise"] + who["brow_arch"] * (1 - (u - 0.25) ** 2)
    line = f.eye_v + lift - who["brow_tilt"] * 0.5 * (u * who["eye_width"])
    thickness = who["brow_thickness"] * (1.05 - 0.30 * u.clamp(-1, 1.5)) * 0.5
    ends = soft(u + 1.22, 0.30) * soft(1.38 - u, 0.45)
    grain = 0.9 + 0.1 * torch.cos(120 * grid.x + 60 * grid.y)
    return who["brow_density"].clamp(0, 1) * ends * soft(thickness - line.abs(), 0.018) * grain


def _lips(who: Columns, f: Features, colour: Tensor) -> Tensor:
    body = (1 - f.mouth_u**2).clamp(min=0)
    bow = who["cupid_bow"].clamp(min=0) * (
        bell(f.mouth_u.abs() - 0.22, 0.16) - bell(f.mouth_u, 0.1)
    )
    top = (who["upper_lip"] * body.sqrt() + bow) * (1 - 0.25 * f.smile)
    bottom = f.gap + who["lower_lip"] * body.sqrt() * (1 - 0.15 * f.smile)
    inside = soft(1.02 - f.mouth_u.abs(), 0.10)
    lips = soft(f.mouth_v + top, 0.022) * soft(bottom - f.mouth_v, 0.022) * inside
    red = who["lip_redness"].clamp(0, 1)
    tint = torch.cat([0.98 - 0.04 * red, 0.72 - 0.26 * red, 0.76 - 0.20 * red], dim=1)[..., None]
    colour = mix(colour, colour * tint, lips)
    open_mouth = soft(f.mouth_v + 0.004, 0.016) * soft(f.gap - f.mouth_v, 0.016)
    open_mouth = open_mouth * inside * (f.gap * 60).clamp(0, 1)
    teeth = open_mouth * soft(0.024 - f.mouth_v, 0.02) * (0.35 + 0.65 * f.smile)
    colour = mix(colour, rgb((0.10, 0.02, 0.02)).expand_as(colour), open_mouth)
    colour = mix(colour, rgb((0.68, 0.64, 0.56)).expand_as(colour), 0.9 * teeth)
    line = bell(f.mouth_v, 0.008) * soft(1.08 - f.mouth_u.abs(), 0.10)
    return mix(colour, colour * 0.30, 0.85 * line * (1 - 0.9 * open_mouth))


def _eyes(who: Columns, how: Columns, f: Features, grid: Grid, colour: Tensor) -> Tensor:
    inside = soft(1 - f.eye_u.abs(), 0.12)
    opening = soft(f.eye_v - f.upper_lid, 0.016) * soft(f.lower_lid - f.eye_v, 0.016) * inside
    # The gaze is the one thing in an eye that is not mirrored.
    across = f.side - who["eye_spacing"] - torch.sign(grid.x) * how["gaze"]
    centre = f.eye_v + 0.18 * who["eye_opening"]
    radius = (across**2 + centre**2).sqrt()
    brown = who["iris_melanin"].clamp(0, 1.15)
    iris_colour = rgb((0.19, 0.29, 0.37)) * torch.exp(-brown[:, None] * rgb((1.2, 2.2, 3.3)))
    sclera = rgb((0.44, 0.41, 0.39)) * (1 - 0.35 * bell(f.eye_v - f.upper_lid, 0.016))[:, None]
    eye = mix(sclera, iris_colour.expand_as(sclera), soft(0.0450 - radius, 0.014))
    eye = mix(eye, eye * 0.35, bell(radius - 0.0440, 0.006) * 0.7)
    eye = mix(eye, torch.full_like(eye, 0.006), soft(0.0185 - radius, 0.010))
    glint = bell(across - 0.013, 0.0075) * bell(centre + 0.014, 0.0075)
    eye = mix(eye, torch.full_like(eye, 0.75), 0.8 * glint)
    lash = bell(f.eye_v - f.upper_lid + 0.004, 0.009) * soft(1.08 - f.eye_u.abs(), 0.12)
    low_lash = 0.35 * bell(f.eye_v - f.lower_lid, 0.007) * inside
    crease_u = bell(f.eye_u - 0.05, 0.8)
    crease = bell(f.eye_v - 1.12 * f.upper_lid + who["crease_height"], 0.0085) * crease_u
    colour = mix(colour, colour * 0.55, 0.8 * crease)
    colour = mix(colour, eye, opening)
    return mix(colour, torch.full_like(colour, 0.012), (0.85 * lash + low_lash).clamp(0, 1))
