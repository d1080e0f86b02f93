"""Named columns of a batch of draws, shaped to be combined with images."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor


class Columns:
    """A float32 [B, P] tensor whose columns have names; ``c["x"]`` is [B, 1, 1]."""

    def __init__(self, names: Sequence[str], values: Tensor) -> None:
        self._place = {name: column for column, name in enumerate(names)}
        self.values = values

    def __getitem__(self, name: str) -> Tensor:
        return self.values[:, self._place[name], None, None]

    def __len__(self) -> int:
        return len(self.values)


def generator(*key: int | str) -> torch.Generator:
    """A CPU generator whose stream depends on every part of the key and on nothing else.

    Each person and each picture has its own, so a picture does not depend on which others are
    drawn, in which order, or in which batch.
    """
    digest = hashlib.sha256(repr(key).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
