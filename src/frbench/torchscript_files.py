"""TorchScript files: a program in torch's own small language, looked through before it is loaded.

Loading one runs no Python: names in its pickles stand for the file's own types. But the language
has operators that write files, and a type may call them while it is loaded. A network that embeds
a face needs none of them, so a file that names one is refused unread.
"""

from __future__ import annotations

import ast
import io
import warnings
import zipfile
from pathlib import Path
from typing import Any

from frbench.errors import InputError
from frbench.exported_archive import WRITING


def is_torchscript(data: bytes) -> bool:
    """Whether the bytes are an archive with TorchScript code, rather than a pickled object."""
    try:
        names = zipfile.ZipFile(io.BytesIO(data)).namelist()
    except (zipfile.BadZipFile, OSError):
        return False
    ends = {name.partition("/")[2] for name in names}
    return "constants.pkl" in ends and any(end.startswith("code/") for end in ends)


def load_torchscript(data: bytes, path: Path, device: str) -> Any:
    """The program, ready for inference.

    Raises:
        InputError: the file is none, is damaged, or calls an operator that opens files.
    """
    import torch

    if not is_torchscript(data):
        raise InputError(
            f"{path} is no TorchScript program; a checkpoint (state dict) goes with "
            "matcher=torchvision, which knows the network that it belongs to"
        )
    _refuse_writing(data, path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # torch would rather have .pt2
            load: Any = torch.jit.load  # untyped in torch
            program = load(io.BytesIO(data), map_location=device)
    except (RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0][:120]
        raise InputError(f"{path} is a damaged TorchScript program ({reason})") from None
    return program.eval()


def _refuse_writing(data: bytes, path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for entry in archive.namelist():
            if not entry.endswith(".py"):
                continue
            try:
                code = ast.parse(archive.read(entry).decode())
            except (SyntaxError, ValueError, zipfile.BadZipFile) as error:
                raise InputError(f"{path}: the code in {entry} cannot be read ({error})") from None
            for node in ast.walk(code):
                if isinstance(node, ast.Attribute) and node.attr in WRITING:
                    raise InputError(
                        f"{path}: the code in {entry} calls {node.attr}, which opens files by "
                        "name; a face matcher needs none, and frbench does not load this program"
                    )
