"""SHA-256 fingerprints of bytes, files and settings: what caches and run records are keyed by."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def digest_bytes(data: bytes) -> str:
    """SHA-256 of the bytes, 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def digest_file(path: Path) -> str:
    """SHA-256 of the file's bytes. Raises OSError when it cannot be read."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def digest_of(settings: Mapping[str, Any] | Sequence[Any]) -> str:
    """SHA-256 of plain data, whatever the order of keys.

    Raises TypeError for anything that JSON cannot say exactly, since a fingerprint that leaned on
    an object's address or repr would change from run to run.

    >>> digest_of({"a": 1, "b": (2, 3)}) == digest_of({"b": [2, 3], "a": 1})
    True
    """
    text = json.dumps(settings, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return digest_bytes(text.encode())
