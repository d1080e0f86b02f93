"""Tiles on a CUDA device by one kernel: product, sieve and histogram in one pass.

The product never leaves the registers. Each program of the kernel takes a block of the tile,
multiplies int8 digits into int32 sums (exact in any order), and then looks at every sum once:
what reaches its row's limit is appended to a list through one counter, and with a histogram
every value is added to its bin. The order of the list differs from run to run, its content does
not; bins are integers. So the result is that of every other path.

The counter goes on counting when the list is full. Then the list is enlarged and the sieve
repeated, so nothing is ever lost.
"""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import triton
import triton.language as tl
from torch import Tensor

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


# every number is passed as a number: no kernel is compiled anew for a special value of one;
# its arguments carry no types, since the compiler looks annotations up among its own names
@triton.jit(
    do_not_specialize=[
        "r0",
        "r1",
        "c0",
        "c1",
        "origin_row",
        "origin_column",
        "room",
        "shift",
        "middle",
        "copies",
        "copy_size",
    ]
)
def search_tile(  # type: ignore[no-untyped-def]
    high,
    low,
    add,
    fine_add,
    need,
    counter,
    places,
    counts,
    r0,
    r1,
    c0,
    c1,
    origin_row,
    origin_column,
    room,
    shift,
    middle,
    copies,
    copy_size,
    WIDTH: tl.constexpr,
    TRIANGLE: tl.constexpr,
    COUNT: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    STEP: tl.constexpr,
):
    """One block of rows [r0, r1) and columns [c0, c1).

    Args:
        high, low: int8 [n, WIDTH], first and second digits; low is read with COUNT only.
        add, fine_add, need: int32 [n].
        counter: int32 [1], places taken or refused so far.
        places: int32 [2, room], rows and columns within the tile that starts at the origin.
        counts: int32, copies of bins, copy_size apart.
    """
    # eight rows of blocks at a time, so that their templates stay in the near memory
    number = tl.program_id(0)
    deep = tl.cdiv(r1 - r0, ROWS)
    per_band = 8 * tl.cdiv(c1 - c0, COLUMNS)
    band = number // per_band
    tall = min(deep - 8 * band, 8)
    top = r0 + (8 * band + number % per_band % tall) * ROWS
    left = c0 + (number % per_band // tall) * COLUMNS
    row = top + tl.arange(0, ROWS)
    column = left + tl.arange(0, COLUMNS)
    if TRIANGLE and left + COLUMNS <= top + 1:
        return
    k = tl.arange(0, STEP)
    # beyond the edge the last template is read again; its results are left out below
    row_at = tl.minimum(row, r1 - 1).to(tl.int64)[:, None] * WIDTH
    column_at = tl.minimum(column, c1 - 1).to(tl.int64)[:, None] * WIDTH
    coarse = tl.zeros((ROWS, COLUMNS), tl.int32)
    fine = tl.zeros((ROWS, COLUMNS), tl.int32)
    for start in range(0, WIDTH, STEP):
        h = tl.load(high + row_at + (start + k)[None, :])
        other = tl.trans(tl.load(high + column_at + (start + k)[None, :]))
        coarse = tl.dot(h, other, coarse, out_dtype=tl.int32)
        if COUNT:
            l = tl.load(low + row_at + (start + k)[None, :])  # noqa: E741
            fine = tl.dot(l, other, fine, out_dtype=tl.int32)
            other_low = tl.trans(tl.load(low + column_at + (start + k)[None, :]))
            fine = tl.dot(h, other_low, fine, out_dtype=tl.int32)
    inside = (row < r1)[:, None] & (column < c1)[None, :]
    if TRIANGLE:
        inside = inside & (column[None, :] > row[:, None])
    more = tl.load(add + column, mask=column < c1, other=0)
    least = tl.load(need + row, mask=row < r1, other=0)
    hit = inside & (coarse + more[None, :] >= least[:, None])
    if tl.max(tl.max(hit.to(tl.int32), axis=1), axis=0) > 0:
        nothing = tl.zeros((ROWS, COLUMNS), tl.int32)
        slot = tl.atomic_add(counter + nothing, nothing + 1, mask=hit, sem="relaxed")
        stored = hit & (slot < room)
        tl.store(places + slot, (row - origin_row)[:, None] + nothing, mask=stored)
        tl.store(places + room + slot, (column - origin_column)[None, :] + nothing, mask=stored)
    if COUNT:
        own = tl.load(fine_add + row, mask=row < r1, other=0)
        theirs = tl.load(fine_add + column, mask=column < c1, other=0)
        value = (coarse << 8) + fine + theirs[None, :] + own[:, None]
        place = (value >> shift) + middle + number % copies * copy_size
        tl.atomic_add(counts + place, 1, mask=inside, sem="relaxed")
