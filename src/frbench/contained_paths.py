"""Paths in a label file that must stay inside the set's root folder."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath, PureWindowsPath


def path_faults(root: Path, paths: Iterable[str]) -> list[str]:
    """Per path, what is wrong with it, or "" where it stays inside the root.

    Links are followed as far as they exist, since a manifest from elsewhere must not make frbench
    open files outside the folder that the user named. Whether a file exists is not asked here.

    >>> path_faults(Path("."), ["a/b.jpg", "../b.jpg"])
    ['', "leads out of the root ('..')"]
    """
    top = os.path.realpath(root)
    folders: dict[Path, str] = {}
    return [_fault(root, top, path, folders) for path in paths]


def _fault(root: Path, top: str, path: str, folders: dict[Path, str]) -> str:
    if "\0" in path:
        return "holds a NUL character"
    windows = PureWindowsPath(path)
    if PurePosixPath(path).is_absolute() or windows.drive or windows.root:
        return "is absolute; it must be relative to the root"
    if ".." in PurePosixPath(path).parts or ".." in windows.parts:
        return "leads out of the root ('..')"
    full = root / path
    if full.parent not in folders:
        folders[full.parent] = os.path.realpath(full.parent)
    resolved = os.path.join(folders[full.parent], full.name)
    if os.path.islink(resolved):
        resolved = os.path.realpath(resolved)
    if os.path.commonpath([top, resolved]) != top:
        return f"leads out of the root (it is a link to {resolved})"
    return ""
