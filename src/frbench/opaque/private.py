"""Folders for biometric data."""

from __future__ import annotations

from pathlib import Path


def private_folder(folder: Path) -> Path:
    """The folder, made with whatever is missing above it, readable by its owner only.

    ``Path.mkdir(parents=True)`` would give the parents the usual rights.
    """
    for made in (*reversed(folder.parents), folder):
        made.mkdir(mode=0o700, exist_ok=True)
    return folder
