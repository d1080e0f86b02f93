"""The tables inside the page, for download: JSON that cannot leave its ``<script>``."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup


def embedded(tables: Mapping[str, pd.DataFrame]) -> Markup:
    """The tables as JSON that is safe inside ``<script>``, repeated values stored once.

    Per table a list of columns: ``name`` and ``values``; with ``codes``, the entry of row r is
    ``values[codes[r]]``. Undefined numbers are null. Text is kept as it is; the page guards
    against formulas when it writes CSV.
    """
    packed = {
        name: [_packed(str(column), table[column]) for column in table.columns]
        for name, table in tables.items()
    }
    text = json.dumps(packed, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def _packed(name: str, column: pd.Series[Any]) -> dict[str, Any]:
    entries = [_plain(entry) for entry in column.tolist()]
    kinds: dict[Any, int] = {}
    codes = [kinds.setdefault((type(entry), entry), len(kinds)) for entry in entries]
    if len(kinds) * 2 > len(entries):
        return {"name": name, "values": entries}
    return {"name": name, "values": [entry for _, entry in kinds], "codes": codes}


def _plain(entry: object) -> object:
    if entry is None or entry is pd.NA:
        return None
    if isinstance(entry, bool | np.bool_):
        return bool(entry)
    if isinstance(entry, int | np.integer):
        return int(entry)
    if isinstance(entry, float | np.floating):
        return float(f"{float(entry):.7g}") if math.isfinite(entry) else None
    return str(entry)
