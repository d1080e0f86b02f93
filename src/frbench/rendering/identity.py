"""Who a synthetic person is: traits drawn from distributions that demographic factors shift."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor

from frbench.rendering.columns import Columns, generator

FACTORS: dict[str, tuple[str, str]] = {
    "skin_tone": ("lighter", "darker"),
    "sex": ("female", "male"),
    "age_band": ("younger", "older"),
}
"""Each factor with its level at -1/2 and its level at +1/2."""

Factors = tuple[str, str, str]
"""Skin tone, sex and age band of one person."""

GROUPS: tuple[Factors, ...] = tuple(
    (tone, sex, age) for tone, sex, age in product(*FACTORS.values())
)


@dataclass(frozen=True)
class Trait:
    """One trait: base + spread * (normal draw + shifts), in the trait's own unit.

    Attributes:
        base: mean over the whole population.
        spread: standard deviation within a group.
        tone, sex, age: difference of the two levels of the factor, in units of ``spread``.
    """

    base: float
    spread: float
    tone: float = 0.0
    sex: float = 0.0
    age: float = 0.0


# Lengths are in half picture widths, heights towards the camera likewise, angles in radians.
SHAPE: dict[str, Trait] = {
    "face_width": Trait(0.555, 0.030, tone=0.5, sex=0.7),
    "face_height": Trait(0.745, 0.026, tone=-0.3, sex=0.4, age=0.3),
    "jaw_squareness": Trait(2.55, 0.28, tone=-0.4, sex=1.0, age=0.3),
    "jaw_taper": Trait(0.17, 0.055, tone=0.4, sex=-0.9, age=-0.4),
    "chin_boss": Trait(0.050, 0.018, sex=0.7),
    "chin_cleft": Trait(0.010, 0.012, sex=0.5),
    "cheekbone": Trait(0.060, 0.022, tone=0.5, sex=-0.4, age=-0.3),
    "cheek_fullness": Trait(0.020, 0.025, tone=0.2, sex=-0.3, age=-0.7),
    "forehead_bulge": Trait(0.030, 0.018, tone=0.4, sex=-0.3),
    "eye_spacing": Trait(0.232, 0.014, tone=0.6),
    "eye_height": Trait(-0.105, 0.018, tone=-0.3, age=0.3),
    "eye_width": Trait(0.120, 0.0090, sex=-0.5, age=-0.4),
    "eye_opening": Trait(0.050, 0.0070, sex=-0.6, age=-0.9),
    "eye_tilt": Trait(-0.05, 0.075, tone=-0.5, age=0.7),
    "socket_depth": Trait(0.075, 0.018, tone=-0.5, sex=0.4, age=0.6),
    "crease_height": Trait(0.026, 0.008, age=-0.6),
    "brow_height": Trait(0.108, 0.014, tone=0.3, sex=-0.9, age=-0.4),
    "brow_thickness": Trait(0.0235, 0.0055, tone=0.3, sex=0.9, age=-0.2),
    "brow_arch": Trait(0.028, 0.012, sex=-0.7),
    "brow_tilt": Trait(0.05, 0.07, tone=0.3, age=-0.3),
    "brow_ridge": Trait(0.028, 0.014, tone=-0.3, sex=1.0),
    "nose_length": Trait(0.175, 0.020, tone=-0.3, sex=0.3, age=0.6),
    "nose_width": Trait(0.086, 0.011, tone=0.8, sex=0.5, age=0.3),
    "bridge_height": Trait(0.105, 0.024, tone=-0.7, sex=0.3),
    "bridge_width": Trait(0.047, 0.008, tone=0.5, sex=0.2),
    "nose_tip": Trait(0.115, 0.022, tone=-0.2, age=0.4),
    "nose_skew": Trait(0.0, 0.012),
    "mouth_height": Trait(0.395, 0.018, sex=0.2, age=0.3),
    "mouth_width": Trait(0.172, 0.014, tone=0.4, sex=0.4),
    "upper_lip": Trait(0.034, 0.0070, tone=0.8, sex=-0.5, age=-0.8),
    "lower_lip": Trait(0.046, 0.0080, tone=0.8, sex=-0.4, age=-0.6),
    "cupid_bow": Trait(0.010, 0.0045, sex=-0.4, age=-0.3),
    "lip_relief": Trait(0.040, 0.010, tone=0.6, sex=-0.3, age=-0.5),
    "philtrum": Trait(0.014, 0.006, age=-0.3),
    "nasolabial": Trait(0.012, 0.008, age=1.3),
    "ear_size": Trait(0.105, 0.014, sex=0.5, age=0.5),
}

# Concentrations and fractions without unit.
COLOUR: dict[str, Trait] = {
    "melanin": Trait(0.405, 0.085, tone=5.0),
    "haemoglobin": Trait(0.50, 0.16),
    "iris_melanin": Trait(0.62, 0.22, tone=1.3),
    "hair_melanin": Trait(0.78, 0.17, tone=1.0),
    "hair_warmth": Trait(0.45, 0.25, tone=-0.3),
    "grey": Trait(0.13, 0.16, age=3.0),
    "wrinkles": Trait(0.32, 0.13, age=3.2),
    "brow_density": Trait(0.80, 0.10, sex=0.6, age=-0.3),
    "lip_redness": Trait(0.55, 0.18, sex=-0.8, age=-0.4),
    "beard": Trait(-0.40, 0.50, sex=2.2),
    "moustache_share": Trait(0.6, 0.35),
    "hairline": Trait(-0.50, 0.040, sex=-0.5, age=-0.6),
    "temple_recession": Trait(0.32, 0.16, sex=1.0, age=0.6),
    "hair_volume": Trait(0.105, 0.035, tone=0.3, sex=-0.8, age=-0.5),
    "hair_length": Trait(0.20, 0.33, sex=-2.2, age=-0.3),
    "parting": Trait(0.0, 0.35),
}

TRAITS: dict[str, Trait] = SHAPE | COLOUR

MARKS = 5
"""Moles and scars per person; each has a place (2), a size and a strength."""

TRAIT_NAMES: tuple[str, ...] = (
    *TRAITS,
    *(f"mark{k}_{part}" for k in range(MARKS) for part in ("x", "y", "size", "strength")),
    "texture",
)

_REACH = 2.4
"""Draws are bent softly into (-2.4, 2.4) spreads, so that no face is a monster."""


def draw_person(*, seed: int, stream: str, index: int, factors: Factors) -> Tensor:
    """The traits of one person: float32 [len(TRAIT_NAMES)].

    Args:
        seed: of the whole set.
        stream: name of a population; people of two streams are drawn independently, so a
            training set and a benchmark set share nobody.
        index: number of the person within the stream.
        factors: skin tone, sex, age band; they shift the distributions, never the random draw,
            so person ``index`` of two groups is the same draw around two means.
    """
    rng = generator(seed, stream, "person", index)
    normal = torch.randn(len(TRAITS), generator=rng)
    bent = _REACH * torch.tanh(normal / _REACH)
    tone, sex, age = (
        levels.index(value) - 0.5 for levels, value in zip(FACTORS.values(), factors, strict=True)
    )
    table = torch.tensor([[t.base, t.spread, t.tone, t.sex, t.age] for t in TRAITS.values()])
    shift = table[:, 2] * tone + table[:, 3] * sex + table[:, 4] * age
    traits = table[:, 0] + table[:, 1] * (bent + shift)
    return torch.cat([traits, _marks(rng), torch.rand(1, generator=rng)])


def _marks(rng: torch.Generator) -> Tensor:
    """Moles, most of them faint: x, y in [-0.42, 0.42] x [-0.35, 0.6], size, strength 0 to 1."""
    draw = torch.rand(MARKS, 4, generator=rng)
    x = (draw[:, 0] - 0.5) * 0.84
    y = draw[:, 1] * 0.95 - 0.35
    size = 0.012 + 0.010 * draw[:, 2]
    strength = draw[:, 3] ** 2 * 0.4
    return torch.stack([x, y, size, strength], dim=1).flatten()


def persons(rows: list[Tensor]) -> Columns:
    """A batch of people, by trait name."""
    return Columns(TRAIT_NAMES, torch.stack(rows))
