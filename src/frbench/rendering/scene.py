"""What surrounds the face: scalp hair, ears, neck, clothes; and the stack of layers."""

from __future__ import annotations

import torch
from torch import Tensor

from frbench.rendering import light, skin, surface
from frbench.rendering.columns import Columns
from frbench.rendering.skin import mix
from frbench.rendering.surface import Features, Grid, bell, soft


def paint(who: Columns, how: Columns, grid: Grid) -> tuple[Tensor, Tensor, Tensor]:
    """The head seen from its own front, lit as the camera will see it.

    Returns:
        Linear RGB [B, 3, N, N], cover [B, N, N] (0 where the backdrop shows), height [B, N, N].
    """
    f = surface.lay_out(who, how, grid)
    z = surface.height(who, f, grid)
    face = light.shade(skin.face_albedo(who, how, f, grid), surface.normals(z, grid), z, how)
    front, behind = _hair(who, how, f, grid)
    strands = _strands(who, how, f, grid)
    neck, neck_cover, clothes, clothes_cover = _body(who, how, f, grid)
    ear, ear_cover = _ears(who, how, f, grid)
    oval = soft(1 - f.outline, 0.10)
    picture = strands * 0.55
    for layer, cover in (
        (neck, neck_cover),
        (clothes, clothes_cover),
        (ear, ear_cover),
        (face, oval),
        (strands, front),
    ):
        picture = mix(picture, layer, cover)
    cover = torch.stack([behind, neck_cover, clothes_cover, ear_cover, oval, front]).amax(0)
    return picture, cover, z


def _hair(who: Columns, how: Columns, f: Features, grid: Grid) -> tuple[Tensor, Tensor]:
    """Cover of the hair in front of the face and of the hair behind it, each [B, N, N]."""
    volume = (who["hair_volume"] + how["hair_change"]).clamp(0.02, 0.25)
    bottom = 0.05 + 0.85 * (who["hair_length"] + how["length_change"]).clamp(-0.25, 0.95)
    up = (-grid.y / (who["face_height"] + 0.75 * volume)).clamp(min=0)
    widening = 1 + 0.10 * grid.y.clamp(0, 0.8)
    across = f.side / ((who["face_width"] + 0.80 * volume) * widening)
    outer = soft(1 - across**2 - up**2.4, 0.10)
    behind = outer * soft(bottom - grid.y, 0.14)
    parted = grid.x - 0.25 * who["parting"]
    recess = who["temple_recession"].clamp(0, 0.9) * 0.30 * bell(f.side - 0.30, 0.10)
    line = who["hairline"] + 0.85 * parted**2 - recess + 0.012 * torch.cos(23 * grid.x)
    fringe = soft(line - grid.y, 0.05)
    temple = soft(f.side - 0.93 * who["face_width"], 0.06) * soft(bottom - grid.y, 0.14)
    return outer * torch.maximum(fringe, temple), behind


def _strands(who: Columns, how: Columns, f: Features, grid: Grid) -> Tensor:
    """Lit hair: dark and light strands falling from the parting, and a band of sheen."""
    fall = (grid.x - 0.25 * who["parting"]) / (1.15 + 0.9 * (grid.y + 0.7).clamp(0, 0.9))
    wave = fall * 85 + 2.5 * torch.sin(fall * 23 + 5)
    wave = wave + 1.3 * torch.sin(9 * grid.y + 12 * who["texture"])
    grain = 0.15 * torch.cos(wave) + 0.11 * torch.cos(2.3 * wave + 1.7)
    lamp_x = torch.sin(how["light_azimuth"])
    round_light = 0.72 + 0.35 * lamp_x * grid.x + 0.30 * bell(grid.y + 0.66 - 0.35 * f.side, 0.12)
    depth = 0.55 + 0.45 * soft(who["face_height"] + 0.1 - f.side * 0.5 - grid.y, 0.8)
    return skin.hair_colour(who) * (round_light * depth * (1 + grain))[:, None] + 0.004


def _body(
    who: Columns, how: Columns, f: Features, grid: Grid
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Neck in the shadow of the chin, and clothes: two colours with their cover."""
    half = 0.66 * who["face_width"] + 0.35 * (grid.y - 0.80).clamp(min=0)
    neck_cover = soft(half - f.side, 0.04) * soft(grid.y - 0.30, 0.10)
    chin = grid.y - who["face_height"] + 0.55 * f.side**2
    lit = 0.90 - 0.55 * bell(chin - 0.03, 0.075)
    rounding = 1 - 0.45 * (f.side / half).clamp(max=1) ** 2
    tone = skin.pigment(who["melanin"].clamp(0.05, 1.0) + 0.03, who["haemoglobin"].clamp(0.05, 1))
    neck = tone * (lit * rounding * (1 + 0.25 * torch.sin(how["light_azimuth"]) * grid.x))[:, None]
    collar = 0.90 + 0.06 * how["neckline"] - (0.30 + 0.25 * how["neckline"]) * f.side
    clothes_cover = soft(grid.y - collar.clamp(min=0.80), 0.04)
    weave = 0.85 + 0.1 * torch.cos(14 * grid.x + 3 * grid.y) - 0.2 * f.side
    colour = torch.cat([how[f"clothes_{c}"] for c in "rgb"], dim=1)[..., None]
    colour = 0.5 * colour + 0.5 * colour.mean(1, keepdim=True)
    return neck, neck_cover, colour * weave[:, None], clothes_cover


def _ears(who: Columns, how: Columns, f: Features, grid: Grid) -> tuple[Tensor, Tensor]:
    x = (f.side - 0.99 * who["face_width"]) / (0.50 * who["ear_size"])
    y = (grid.y - who["eye_height"] - 0.12) / (1.35 * who["ear_size"])
    radius = x**2 + y**2
    tone = skin.pigment(who["melanin"].clamp(0.05, 1.0), who["haemoglobin"].clamp(0.05, 1) + 0.3)
    bowl = 0.80 - 0.35 * bell(radius - 0.35, 0.22) + 0.2 * torch.sin(how["light_azimuth"]) * grid.x
    return tone * bowl[:, None], soft(1 - radius, 0.20)
