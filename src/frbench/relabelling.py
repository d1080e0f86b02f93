"""A label column said in another system of codes, with what that loses on record."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import pandas as pd

from frbench.label_systems import UNMAPPED, label_map


def said_in(values: pd.Series[str], name: str) -> tuple[pd.Series[str], str]:
    """The values through the map of that name, and what became of each, in words.

    A missing value stays missing; one that the map has no answer for becomes ``unmapped``.
    """
    chosen = label_map(name)
    counts = {str(value): int(count) for value, count in values.value_counts().items()}
    target = {value: chosen.of(value) for value in counts}
    words = ", ".join(
        f"{value} → {target[value]} ({count} images)" for value, count in counts.items()
    )
    unmapped = sum(count for value, count in counts.items() if target[value] == UNMAPPED)
    said = (
        f"{name}: {chosen.source.title} to {chosen.target.title}; {words or 'no value at all'}; "
        f"{unmapped} images unmapped; lost: {chosen.lost}"
    )
    return values.map(target, na_action="ignore").astype("str"), said


def levels_of(name: str, occurring: Collection[str]) -> list[str]:
    """All that the map can say, absent or not, and ``unmapped`` where something is."""
    reachable = list(label_map(name).reachable)
    return [*reachable, UNMAPPED] if UNMAPPED in occurring else reachable


def provenances(
    maps: Mapping[str, str], given: Mapping[str, str], about: Mapping[str, str]
) -> dict[str, str]:
    """What is known of the set, with who said what each label says: the user before the loader,
    the loader before what a map's source system is by definition.

    Args:
        maps: label -> name of its map.
        given: label -> provenance, as the user says.
        about: what the loader knows.
    """
    by_map = {label: label_map(name).source.provenance for label, name in maps.items()}
    return {
        **{f"provenance of {label}": said for label, said in by_map.items()},
        **about,
        **{f"provenance of {label}": said for label, said in given.items()},
    }
