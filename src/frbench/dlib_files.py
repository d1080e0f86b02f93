"""Where dlib and its model files are, without importing what ships them.

``face_recognition_models`` imports ``pkg_resources`` only to answer with these four paths, and
newer installations no longer have that module; its folder is all that is needed.
"""

from __future__ import annotations

import importlib
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from frbench.digests import digest_file
from frbench.errors import InputError

FIVE_POINTS = "shape_predictor_5_face_landmarks.dat"
SIXTY_EIGHT_POINTS = "shape_predictor_68_face_landmarks.dat"
RECOGNITION = "dlib_face_recognition_resnet_model_v1.dat"

_REMEDY = 'install them with: pip install "frbench[dlib]"'


def import_dlib() -> Any:
    """The dlib module. Raises InputError naming the extra to install where it is absent."""
    try:
        return importlib.import_module("dlib")
    except ImportError:
        raise InputError(f"dlib and its models are not installed; {_REMEDY}") from None


def model_file(name: str) -> Path:
    """Path of one of the model files. Raises InputError where the package is absent."""
    spec = find_spec("face_recognition_models")
    folders = list(spec.submodule_search_locations or []) if spec else []
    for folder in folders:
        path = Path(folder) / "models" / name
        if path.is_file():
            return path
    raise InputError(f"dlib's model file {name} is not installed; {_REMEDY}")


@lru_cache(maxsize=8)
def model_digest(name: str) -> str:
    """SHA-256 of a model file's bytes, read once a process."""
    return digest_file(model_file(name))
