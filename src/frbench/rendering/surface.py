"""The shape of the head: where its features lie, and its height towards the camera."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from frbench.rendering.columns import Columns

HEAD_DEPTH = 0.52
"""Height of the ellipsoid under the features, half picture widths."""


@dataclass(frozen=True)
class Grid:
    """Coordinates of the canonical picture, half widths: x right, y down, both -1 to 1.

    Attributes:
        x: float32 [1, 1, N].
        y: float32 [1, N, 1].
        step: distance of two samples.
    """

    x: Tensor
    y: Tensor
    step: float

    @classmethod
    def of(cls, samples: int) -> Grid:
        line = torch.linspace(-1, 1, samples)
        return cls(line[None, None, :], line[None, :, None], 2 / (samples - 1))


@dataclass(frozen=True)
class Features:
    """Places that shape and colour share, all in the coordinates of ``Grid``.

    Attributes:
        side: float32 [B, 1, N], distance from the midline (the face is mirrored).
        outline: [B, N, N], below 1 inside the face's outline.
        eye_u: [B, 1, N], -1 inner to 1 outer corner; eye_v: [B, N, N], below the eye's axis.
        upper_lid, lower_lid: [B, 1, N], the lids in the unit of eye_v.
        nose_x: [B, N, N], distance from the nose's ridge; tip_y, root_y: [B, 1, 1].
        mouth_u: [B, 1, N], 1 at the corner; mouth_v: [B, N, N], below the line of the mouth.
        gap: [B, 1, N], opening of the mouth.
        smile: [B, 1, 1], 0 to 1.
    """

    side: Tensor
    outline: Tensor
    eye_u: Tensor
    eye_v: Tensor
    upper_lid: Tensor
    lower_lid: Tensor
    nose_x: Tensor
    tip_y: Tensor
    root_y: Tensor
    mouth_u: Tensor
    mouth_v: Tensor
    gap: Tensor
    smile: Tensor


def bell(distance: Tensor, width: Tensor | float) -> Tensor:
    """Gaussian bump of height 1."""
    return torch.exp(-0.5 * (distance / width) ** 2)


def soft(distance: Tensor, width: Tensor | float) -> Tensor:
    """0 to 1 across an edge at 0, rising with the distance; width of the transition."""
    return torch.sigmoid(distance * (4.0 / width))


def lay_out(who: Columns, how: Columns, grid: Grid) -> Features:
    """Where the features of these faces lie under these expressions."""
    side = grid.x.abs()
    smile = how["smile"].clamp(min=0)
    eye_u = (side - who["eye_spacing"]) / who["eye_width"]
    eye_v = grid.y - who["eye_height"] + who["eye_tilt"] * (side - who["eye_spacing"])
    arc = (1 - eye_u**2).clamp(min=0)
    opening = who["eye_opening"] * (1 - how["eye_closing"].clamp(min=0) - 0.18 * smile)
    root_y = who["eye_height"] + 0.005
    tip_y = who["eye_height"] + 0.118 + who["nose_length"]
    along = ((grid.y - root_y) / (tip_y - root_y)).clamp(0, 1.3)
    mouth_u = grid.x / (who["mouth_width"] * (1 + 0.16 * smile))
    bend = torch.minimum(mouth_u**2, 1.6 - 0 * mouth_u)
    return Features(
        side=side,
        outline=_outline(who, grid),
        eye_u=eye_u,
        eye_v=eye_v,
        upper_lid=-0.95 * opening * arc.sqrt() * (1 - 0.15 * eye_u),
        lower_lid=0.62 * opening * arc,
        nose_x=grid.x - who["nose_skew"] * along,
        tip_y=tip_y,
        root_y=root_y,
        mouth_u=mouth_u,
        mouth_v=grid.y - who["mouth_height"] + smile * 0.040 * (bend - 0.35),
        gap=0.055 * how["mouth_open"].clamp(min=0) * (1 - mouth_u**2).clamp(min=0),
        smile=smile,
    )


def _outline(who: Columns, grid: Grid) -> Tensor:
    """Implicit outline: an ellipse above, a tapering superellipse towards the jaw."""
    t = grid.y / who["face_height"]
    down = t.clamp(0, 1.25)
    taper = who["jaw_taper"] * down * down * (3 - 2 * down)
    across = grid.x / (who["face_width"] * (1 - taper))
    above = (-t).clamp(min=0) ** 2.3
    below = (down + 1e-4) ** who["jaw_squareness"]
    return across**2 + above + torch.where(t > 0, below, 0.0)


def height(who: Columns, f: Features, grid: Grid) -> Tensor:
    """Height towards the camera: float32 [B, N, N], half widths."""
    z = HEAD_DEPTH * ((1 - f.outline).clamp(min=0) + 0.015).sqrt()
    z = z + _nose(who, f, grid) + _eyes_and_brow(who, f, grid)
    return z + _mouth_and_chin(who, f, grid) + _cheeks(who, f, grid) + _folds(who, f, grid)


def _nose(who: Columns, f: Features, grid: Grid) -> Tensor:
    along = ((grid.y - f.root_y) / (f.tip_y - f.root_y)).clamp(0, 1)
    window = soft(grid.y - f.root_y + 0.03, 0.12) * soft(f.tip_y + 0.025 - grid.y, 0.06)
    ridge_width = who["bridge_width"] * (0.75 + 0.45 * along)
    ridge = who["bridge_height"] * (0.40 + 0.60 * along) * bell(f.nose_x, ridge_width) * window
    below = grid.y - f.tip_y
    tip = 0.62 * who["nose_tip"] * bell(f.nose_x, 0.052) * bell(below, 0.046)
    wing_x = f.nose_x.abs() - 0.74 * who["nose_width"]
    wings = 0.058 * bell(wing_x, 0.028) * bell(below - 0.018, 0.030)
    return ridge + tip + wings


def _eyes_and_brow(who: Columns, f: Features, grid: Grid) -> Tensor:
    below_eye = grid.y - who["eye_height"]
    socket_x = bell(f.side - who["eye_spacing"] + 0.035, 0.085)
    socket = -0.62 * who["socket_depth"] * socket_x * bell(below_eye, 0.062)
    ball = 0.036 * bell(f.side - who["eye_spacing"], 0.075) * bell(below_eye, 0.045)
    ridge = who["brow_ridge"] * bell(f.side - 0.20, 0.15) * bell(below_eye + 0.125, 0.045)
    forehead = who["forehead_bulge"] * bell(grid.x, 0.28) * bell(grid.y + 0.42, 0.15)
    return socket + ball + ridge + forehead


def _mouth_and_chin(who: Columns, f: Features, grid: Grid) -> Tensor:
    body = (1 - f.mouth_u**2).clamp(min=0)
    upper = bell(f.mouth_v + 0.5 * who["upper_lip"], 0.65 * who["upper_lip"])
    lower = bell(f.mouth_v - f.gap - 0.5 * who["lower_lip"], 0.60 * who["lower_lip"])
    lips = who["lip_relief"] * body.sqrt() * (0.8 * upper + lower)
    muzzle = 0.045 * bell(grid.x, 0.15) * bell(grid.y - who["mouth_height"], 0.11)
    below_lip = -0.022 * bell(grid.x, 0.09) * bell(f.mouth_v - 0.105, 0.026)
    chin_y = grid.y - who["face_height"] + 0.115
    chin = who["chin_boss"] * bell(grid.x, 0.105) * bell(chin_y, 0.062)
    cleft = -who["chin_cleft"].clamp(min=0) * bell(grid.x, 0.016) * bell(chin_y, 0.045)
    groove_y = 0.5 * (f.tip_y + 0.05 + who["mouth_height"] - who["upper_lip"])
    groove = -who["philtrum"].clamp(min=0) * bell(grid.x, 0.017) * bell(grid.y - groove_y, 0.030)
    return lips + muzzle + below_lip + chin + cleft + groove


def _cheeks(who: Columns, f: Features, grid: Grid) -> Tensor:
    bone = who["cheekbone"] * bell(f.side - 0.34, 0.105) * bell(grid.y - 0.07, 0.085)
    fullness = who["cheek_fullness"] + 0.030 * f.smile
    flesh = fullness * bell(f.side - 0.27, 0.11) * bell(grid.y - 0.25 + 0.05 * f.smile, 0.11)
    return bone + flesh


def _folds(who: Columns, f: Features, grid: Grid) -> Tensor:
    """Nose-to-mouth fold, forehead lines and the bag under the eye, deeper with age and smile."""
    age = who["wrinkles"].clamp(0, 1)
    top = f.tip_y + 0.01
    run = ((grid.y - top) / (who["mouth_height"] + 0.02 - top)).clamp(0, 1.2)
    fold_x = who["nose_width"] + 0.025 + (who["mouth_width"] * 0.48 + 0.02 * f.smile) * run
    window = soft(grid.y - top, 0.08) * soft(who["mouth_height"] + 0.05 - grid.y, 0.10)
    depth = who["nasolabial"].clamp(min=0) * (0.75 + 0.5 * f.smile)
    fold = -depth * bell(f.side - fold_x, 0.017) * window
    lines = torch.cos((grid.y + 0.05 * grid.x**2) * 95.0 + 6.0 * who["texture"])
    forehead = 0.0042 * age * lines * bell(grid.y + 0.36, 0.075) * bell(grid.x, 0.20)
    bag = bell(f.eye_v - 0.070 - 0.02 * f.eye_u**2, 0.016) * bell(f.eye_u, 0.75)
    feet_u = bell(f.eye_u - 1.65, 0.35)
    feet = 0.0045 * age * feet_u * torch.cos(f.eye_v * 150) * bell(f.eye_v, 0.05)
    return fold + forehead + feet - 0.014 * age * bag


def normals(z: Tensor, grid: Grid) -> Tensor:
    """Unit normals of the height field: float32 [B, 3, N, N], third component to the camera."""
    padded = torch.nn.functional.pad(z[:, None], (1, 1, 1, 1), mode="replicate")[:, 0]
    along_x = (padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]) / (2 * grid.step)
    along_y = (padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]) / (2 * grid.step)
    length = (along_x**2 + along_y**2 + 1).rsqrt()
    return torch.stack([-along_x * length, -along_y * length, length], dim=1)
