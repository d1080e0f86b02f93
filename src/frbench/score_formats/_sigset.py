"""Signature sets: XML lists of who is on which image, the rows and columns of a BEE matrix."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from xml.sax.saxutils import quoteattr

import pandas as pd

from frbench.errors import InputError

_ROOT, _PERSON, _FILE = "biometric-signature-set", "biometric-signature", "presentation"
_NAME = "file-name"
_KEY = re.compile(r"[A-Za-z_][\w.-]*")
_IGNORED = frozenset({"modality", "file-format", "xmlns"})


def read_sigset(path: Path) -> pd.DataFrame:
    """Columns ``id``, ``subject`` and a column per other attribute, a row per presentation.

    Raises:
        InputError: absent, no such XML (with line and column), an entity definition, a
            presentation without a file name, or a name that occurs twice.
    """
    try:
        data = path.read_bytes()
    except OSError as cause:
        raise InputError(f"{path}: the signature set cannot be read ({cause.strerror})") from None
    if b"<!ENTITY" in data or b"<!DOCTYPE" in data:
        # a few nested entities can fill any memory
        raise InputError(f"{path}: a signature set must not define entities; remove the DOCTYPE")
    try:
        root = ElementTree.fromstring(data)
    except ElementTree.ParseError as cause:
        raise InputError(f"{path}: is not readable XML ({cause})") from None
    if _bare(root.tag) != _ROOT:
        raise InputError(f"{path}: the outer element is {_bare(root.tag)}, not {_ROOT}")
    rows = [
        _row(path, number, person, file) for number, person in enumerate(root, 1) for file in person
    ]
    if not rows:
        raise InputError(f"{path}: the signature set names no image")
    table = pd.DataFrame(rows).astype("str")
    twice = table.loc[table.duplicated("id"), "id"]
    if len(twice):
        raise InputError(f"{path}: {_NAME} {twice.iloc[0]!r} occurs twice; name each image once")
    return table


def _row(
    path: Path, number: int, person: ElementTree.Element, file: ElementTree.Element
) -> dict[str, str | None]:
    name, subject = file.get(_NAME, "").strip(), person.get("name", "").strip()
    if not name or not subject:
        raise InputError(
            f"{path}: {_PERSON} {number}: a {_PERSON} needs a name and a {_FILE} a {_NAME}"
        )
    others = {
        key: value
        for key, value in {**person.attrib, **file.attrib}.items()
        if key not in ("name", _NAME, *_IGNORED) and not key.startswith("{")
    }
    return {"id": name, "subject": subject, **others}


def write_sigset(table: pd.DataFrame, path: Path) -> None:
    """The rows of ``read_sigset`` as XML; a missing label is an absent attribute."""
    labels = [str(name) for name in table.columns if name not in ("id", "subject")]
    strange = [name for name in labels if not _KEY.fullmatch(name) or name in ("name", *_IGNORED)]
    if strange:
        raise InputError(f"{path}: a label cannot be called {strange[0]!r} in XML; rename it")
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f"<{_ROOT}>"]
    for row in table.to_dict(orient="records"):
        known = {name: row[name] for name in labels if not pd.isna(row[name])}
        words = "".join(f" {name}={quoteattr(str(value))}" for name, value in known.items())
        lines += [
            f"  <{_PERSON} name={quoteattr(str(row['subject']))}>",
            f"    <{_FILE} {_NAME}={quoteattr(str(row['id']))}{words}/>",
            f"  </{_PERSON}>",
        ]
    path.write_text("\n".join([*lines, f"</{_ROOT}>"]) + "\n", encoding="utf-8")


def _bare(tag: str) -> str:
    """The element's name without its namespace."""
    return tag.rpartition("}")[2]
