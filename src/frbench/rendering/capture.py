"""How one picture was taken: what changes between two photographs of the same person."""

from __future__ import annotations

import torch
from torch import Tensor

from frbench.rendering.columns import Columns, generator

# name: (low, high) of a uniform draw, or (mean, spread) of a normal draw bent into 2.5 spreads.
NORMAL: dict[str, tuple[float, float]] = {
    "yaw": (0.0, 0.21),
    "pitch": (0.02, 0.11),
    "roll": (0.0, 0.07),
    "shift_x": (0.0, 0.035),
    "shift_y": (0.0, 0.035),
    "zoom": (1.08, 0.045),
    "brow_raise": (0.0, 0.008),
    "gaze": (0.0, 0.012),
    "exposure": (0.0, 0.28),
    "warmth": (0.0, 0.07),
    "contrast": (1.0, 0.09),
    "hair_change": (0.0, 0.03),
    "length_change": (0.0, 0.16),
    "beard_change": (0.0, 0.22),
}
UNIFORM: dict[str, tuple[float, float]] = {
    "light_azimuth": (-1.2, 1.2),
    "light_elevation": (-0.05, 1.05),
    "ambient": (0.28, 0.55),
    "gloss": (0.04, 0.15),
    "smile": (-0.15, 1.0),
    "mouth_open": (-1.0, 0.9),
    "eye_closing": (-0.1, 0.4),
    "noise": (0.008, 0.045),
    "blur": (0.0, 0.66),
    "backdrop_r": (0.06, 0.50),
    "backdrop_g": (0.06, 0.50),
    "backdrop_b": (0.06, 0.50),
    "backdrop_tilt": (-0.4, 0.4),
    "clothes_r": (0.015, 0.40),
    "clothes_g": (0.015, 0.40),
    "clothes_b": (0.015, 0.40),
    "neckline": (0.0, 1.0),
}
CAPTURE_NAMES: tuple[str, ...] = (*NORMAL, *UNIFORM)


def draw_capture(*, seed: int, stream: str, person: int, shot: int) -> Tensor:
    """The circumstances of one picture: float32 [len(CAPTURE_NAMES)]."""
    rng = generator(seed, stream, "capture", person, shot)
    normal = 2.5 * torch.tanh(torch.randn(len(NORMAL), generator=rng) / 2.5)
    mean, spread = torch.tensor(list(NORMAL.values())).T
    low, high = torch.tensor(list(UNIFORM.values())).T
    flat = low + (high - low) * torch.rand(len(UNIFORM), generator=rng)
    return torch.cat([mean + spread * normal, flat])


def draw_noise(*, seed: int, stream: str, person: int, shot: int, size: int) -> Tensor:
    """Sensor noise of one picture: standard normal float32 [3, size, size]."""
    rng = generator(seed, stream, "noise", person, shot)
    return torch.randn(3, size, size, generator=rng)


def captures(rows: list[Tensor]) -> Columns:
    """A batch of circumstances, by name."""
    return Columns(CAPTURE_NAMES, torch.stack(rows))
