"""Systems of demographic codes and the documented, lossy maps between them.

Each YAML file here is a system; ``maps.yaml`` holds the maps. docs/label-systems.md has them as
tables.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from omegaconf import OmegaConf

from frbench.errors import InputError

UNMAPPED = "unmapped"
"""Name of the group of images whose label a map has no answer for; never dropped."""
PROVENANCES = ("self-defined", "officer-defined", "annotated", "inferred", "unknown")


@dataclass(frozen=True)
class LabelSystem:
    """A list of codes with their meaning.

    Attributes:
        name: short name, as maps refer to it.
        title: in words.
        provenance: who says so, one of ``PROVENANCES``.
        source: where the list stands.
        codes: code -> meaning, in the order of tables.
        spellings: every accepted spelling, folded -> code.
    """

    name: str
    title: str
    provenance: str
    source: str
    codes: Mapping[str, str]
    spellings: Mapping[str, str]

    def code_of(self, value: str) -> str | None:
        """The code that a value stands for, by code, meaning or alias, whatever its case.

        >>> system("ic").code_of(" ic3 "), system("ic").code_of("Martian")
        ('IC3', None)
        """
        return self.spellings.get(_folded(value))


@dataclass(frozen=True)
class LabelMap:
    """How one system's codes are said in another.

    Attributes:
        name: as ``groups.map.<label>`` names it.
        source, target: the two systems.
        codes: every code of the source -> a code of the target, or None.
        lost: what the map merges or cannot say, in words.
    """

    name: str
    source: LabelSystem
    target: LabelSystem
    codes: Mapping[str, str | None]
    lost: str

    @property
    def reachable(self) -> tuple[str, ...]:
        """The target's codes that something maps to, in the target's order."""
        reached = set(self.codes.values())
        return tuple(code for code in self.target.codes if code in reached)

    def of(self, value: str) -> str:
        """The target's code for a value, or ``UNMAPPED``.

        >>> label_map("ic_to_census5").of("IC5"), label_map("ic_to_census5").of("IC9")
        ('asian', 'unmapped')
        """
        code = self.source.code_of(value)
        return (self.codes[code] if code is not None else None) or UNMAPPED


@functools.cache
def systems() -> Mapping[str, LabelSystem]:
    """Every system by name."""
    files = (each for each in resources.files(__package__).iterdir() if each.name.endswith(".yaml"))
    return {
        each.name.removesuffix(".yaml"): _system(each.name.removesuffix(".yaml"))
        for each in sorted(files, key=lambda each: each.name)
        if each.name != "maps.yaml"
    }


@functools.cache
def maps() -> Mapping[str, LabelMap]:
    """Every map by name."""
    return {
        name: LabelMap(
            name,
            system(node["from"]),
            system(node["to"]),
            {str(code): target for code, target in node["codes"].items()},
            " ".join(str(node["lost"]).split()),
        )
        for name, node in _read("maps").items()
    }


def system(name: str) -> LabelSystem:
    """The system of that name. Raises InputError naming the others."""
    if name not in systems():
        raise InputError(f"label system {name} is unknown; there are {', '.join(systems())}")
    return systems()[name]


def label_map(name: str) -> LabelMap:
    """The map of that name. Raises InputError naming the others."""
    if name not in maps():
        raise InputError(f"label map {name} is unknown; there are {', '.join(maps())}")
    return maps()[name]


def _read(name: str) -> dict[str, Any]:
    text = (resources.files(__package__) / f"{name}.yaml").read_text(encoding="utf-8")
    node = OmegaConf.to_container(OmegaConf.create(text))
    assert isinstance(node, dict)
    return {str(key): value for key, value in node.items()}


def _system(name: str) -> LabelSystem:
    node = _read(name)
    codes = {str(code): str(meaning) for code, meaning in node["codes"].items()}
    spellings = {_folded(meaning): code for code, meaning in codes.items()}
    for code, aliases in (node.get("aliases") or {}).items():
        spellings |= {_folded(str(alias)): str(code) for alias in aliases}
    spellings |= {_folded(code): code for code in codes}
    return LabelSystem(
        name, str(node["title"]), str(node["provenance"]), str(node["source"]), codes, spellings
    )


def _folded(value: str) -> str:
    return " ".join(value.split()).casefold()
