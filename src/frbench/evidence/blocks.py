"""What a paper is made of, and the paper as Markdown; the same blocks become HTML in ``paper``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from frbench.formatting import label_text


@dataclass(frozen=True)
class Heading:
    """A heading of level 2 or 3."""

    text: str
    level: int = 2


@dataclass(frozen=True)
class Paragraph:
    """Plain words."""

    text: str


@dataclass(frozen=True)
class Bullets:
    """A list, one item a line."""

    items: Sequence[str]


@dataclass(frozen=True)
class Rows:
    """A table of words."""

    caption: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Field:
    """A question that only people can answer; the pack leaves its answer empty."""

    question: str


Block = Heading | Paragraph | Bullets | Rows | Field


@dataclass(frozen=True)
class Paper:
    """One document of the pack.

    Attributes:
        name: file name without ending.
        kind: what it is, beside the name frbench.
        title: its heading.
        lead: what it is about, in a line.
        caution: what it does not claim; printed before everything else.
        blocks: the text.
        front: machine-readable facts before the Markdown text, as YAML keys; may be empty.
    """

    name: str
    kind: str
    title: str
    lead: str
    caution: str
    blocks: Sequence[Block]
    front: Sequence[tuple[str, str]] = ()


EMPTY = "(to be filled in by the organisation)"
"""What stands where a person writes in the Markdown form."""


def markdown(paper: Paper) -> str:
    """The paper as Markdown in which no label can become markup."""
    lines: list[str] = []
    if paper.front:
        lines += ["---", *(f"{key}: {_quoted(value)}" for key, value in paper.front), "---", ""]
    lines += [
        f"# {plain(paper.title)}",
        "",
        starting(paper.lead),
        "",
        f"> {starting(paper.caution)}",
    ]
    for block in paper.blocks:
        lines += ["", *_lines(block)]
    return "\n".join(lines) + "\n"


def plain(text: str) -> str:
    """Text whose signs Markdown and HTML would read are escaped; it stays on one line."""
    told = " ".join(label_text(text).split())
    told = told.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    told = re.sub(r"([\\`*_\[\]{}|~$!])", r"\\\1", told)
    return told.replace("://", ":\u2060//")  # a bare address would become a link


def starting(text: str) -> str:
    """The same for the start of a line, where some signs begin a list or a heading."""
    told = re.sub(r"^([-+#=])", r"\\\1", plain(text))
    return re.sub(r"^(\d+)([.)])", r"\1\\\2", told)


def _lines(block: Block) -> list[str]:
    match block:
        case Heading(text, level):
            return [f"{'#' * level} {plain(text)}"]
        case Paragraph(text):
            return [starting(text)]
        case Bullets(items):
            return [f"- {starting(item)}" for item in items]
        case Field(question):
            return [f"**{plain(question)}**", "", EMPTY]
        case Rows(caption, heads, rows):
            table = [_row(heads), _row(["---"] * len(heads), escape=False), *map(_row, rows)]
            return [f"{plain(caption)}:", "", *table]


def _row(cells: Sequence[str], *, escape: bool = True) -> str:
    return "| " + " | ".join(plain(cell) if escape else cell for cell in cells) + " |"


def _quoted(value: str) -> str:
    told = label_text(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{told}"'
