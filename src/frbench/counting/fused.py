"""Tiles on a CUDA device by one kernel: product, sieve and histogram in one pass.

The order of the kernel's list of candidates differs from run to run, its content does not, and
bins are integers: so the result is that of every other path. The kernel's counter goes on
counting when the list is full. Then the list is enlarged and the sieve repeated, so nothing is
ever lost.
"""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import triton
from torch import Tensor

from frbench.counting.fused_kernel import search_tile
from frbench.counting.layout import Tile
from frbench.counting.uploaded import DEPTH, Found, Uploaded
from frbench.values import Int64s

MOST = 2**25
"""Candidates of a tile, beyond which it is to be searched in parts."""

COPIES = 32
"""Copies of small histograms: additions to one bin wait for each other."""


@dataclass(frozen=True)
class Shape:
    """How the kernel cuts a tile; bears on speed only.

    Attributes:
        rows, columns: of a block.
        warps: of a program.
        stages: most loads on their way at once; fewer where the shared memory is small.
    """

    rows: int = 128
    columns: int = 256
    warps: int = 8
    stages: int = 4


PLAIN = Shape()
BINNED = Shape(columns=128, stages=3)

INTERPRETER = threading.Lock()
"""Triton's interpreter, which stands in for the compiler, runs one kernel at a time."""


class FusedTiles:
    """A lane that takes its tiles by the kernel.

    Args:
        uploaded: templates on a CUDA device, or on the CPU under Triton's interpreter.
        shape: of the blocks; None for the usual one.
        room: places of the list of candidates at the start.
        most: candidates of a tile, beyond which ``find`` gives None.
    """

    name = "fused"

    def __init__(
        self,
        uploaded: Uploaded,
        *,
        shape: Shape | None = None,
        room: int = 2**20,
        most: int = MOST,
    ) -> None:
        self._up = uploaded
        self._shape = shape or (BINNED if uploaded.bins else PLAIN)
        self._most = most
        self._cuda = uploaded.device.type == "cuda"
        self._stream: Any = None
        if self._cuda:
            self._stream = torch.cuda.Stream(uploaded.device)  # type: ignore[no-untyped-call]
        self._stages = _stages(self._shape, uploaded) if self._cuda else 1
        self._counter = torch.zeros(1, dtype=torch.int32, device=uploaded.device)
        self._pinned = torch.empty(0, dtype=torch.int32)
        self._places = torch.empty(0, dtype=torch.int32)
        self._enlarge(room)

    def find(self, tile: Tile, floor: float) -> Found | None:
        """Candidates and histograms of a tile; None if it holds more candidates than fit."""
        with self._on_device():
            # held until the device has done with it
            need = self._up.need(floor)
            pieces = list(self._up.pieces(tile, 2**30))
            cells = list(dict.fromkeys((a, b) for a, b, _ in pieces))
            bins = self._up.bins
            copies = max(COPIES // max(len(cells), 1), 1) if bins else 1
            size = (copies, len(cells), max(bins, 1))
            counts = torch.zeros(size, dtype=torch.int32, device=self._up.device)
            found = self._search(tile, pieces, need, counts, cells, count=bins > 0)
            if found > self._most:
                return None
            if found > self._places.shape[1]:
                self._enlarge(1 << (found - 1).bit_length())
                found = self._search(tile, pieces, need, counts, cells, count=False)
            rows, columns = self._fetch(found)
            totals: Int64s = counts.sum(dim=0, dtype=torch.int64).cpu().numpy()
        marked = tuple((a, b, totals[cell]) for cell, (a, b) in enumerate(cells)) if bins else ()
        return Found(rows, columns, marked)

    def _search(
        self,
        tile: Tile,
        pieces: list[tuple[int, int, Tile]],
        need: Tensor,
        counts: Tensor,
        cells: list[tuple[int, int]],
        *,
        count: bool,
    ) -> int:
        """Run the kernel on all pieces; the number of candidates, stored or not."""
        self._counter.zero_()
        number = {cell: place for place, cell in enumerate(cells)}
        for a, b, piece in pieces:
            self._launch(tile, piece, need, counts, number[a, b], count)
        return int(self._counter.cpu().item())

    def _launch(
        self, tile: Tile, piece: Tile, need: Tensor, counts: Tensor, cell: int, count: bool
    ) -> None:
        templates, shape = self._up.templates, self._shape
        blocks = triton.cdiv(piece.r1 - piece.r0, shape.rows)
        blocks *= triton.cdiv(piece.c1 - piece.c0, shape.columns)
        low = templates[1] if count else templates[0]
        kernel: Any = search_tile
        kernel[(blocks,)](
            templates[0],
            low,
            self._up.add,
            self._up.fine_add,
            need,
            self._counter,
            self._places,
            counts[:, cell],
            piece.r0,
            piece.r1,
            piece.c0,
            piece.c1,
            tile.r0,
            tile.c0,
            self._places.shape[1],
            self._up.shift,
            self._up.bins // 2,
            counts.shape[0],
            counts.stride(0),
            WIDTH=templates.shape[2],
            TRIANGLE=piece.triangle and piece.c0 < piece.r1,
            COUNT=count,
            ROWS=shape.rows,
            COLUMNS=shape.columns,
            STEP=_depth(templates.shape[2]),
            num_warps=shape.warps,
            num_stages=self._stages,
        )

    def _fetch(self, found: int) -> tuple[Any, Any]:
        if not self._cuda:
            rows, columns = self._places[:, :found].numpy().copy()
            return rows, columns
        # through memory that the device can write by itself, then into the result's own
        held = self._pinned[:, :found]
        held.copy_(self._places[:, :found], non_blocking=True)
        torch.cuda.current_stream(self._up.device).synchronize()
        rows, columns = np.array(held.numpy())
        return rows, columns

    def _enlarge(self, room: int) -> None:
        self._places = torch.empty((2, room), dtype=torch.int32, device=self._up.device)
        if self._cuda:
            self._pinned = torch.empty((2, room), dtype=torch.int32, pin_memory=True)

    def _on_device(self) -> AbstractContextManager[object]:
        return torch.cuda.stream(self._stream) if self._cuda else INTERPRETER


def _depth(width: int) -> int:
    return 2 * DEPTH if width % (2 * DEPTH) == 0 else DEPTH


def _stages(shape: Shape, uploaded: Uploaded) -> int:
    from triton.runtime import driver

    index = uploaded.device.index or 0
    memory = driver.active.utils.get_device_properties(index)["max_shared_mem"]
    each = (shape.rows + shape.columns) * _depth(uploaded.templates.shape[2])
    return int(max(min(memory // (each * len(uploaded.templates)), shape.stages), 1))
