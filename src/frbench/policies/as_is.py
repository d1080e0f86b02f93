"""Nothing is done: every image is kept, and the matcher is retrained on all of them."""

from __future__ import annotations

import numpy as np

from frbench.policies import Setting
from frbench.values import Float64s


class AsIs:
    """The force goes on as it does."""

    name = "as is"

    def deployed(self, at: int) -> bool:
        """Always."""
        return True

    def threshold(self, at: int) -> Setting:
        """That of the start."""
        return Setting()

    def keeps_released(self, at: int) -> bool:
        """They are kept."""
        return True

    def trains_on(
        self, at: int, held: Float64s, population: Float64s, rng: np.random.Generator
    ) -> Float64s:
        """On everything held."""
        return held
