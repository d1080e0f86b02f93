"""What is stated about people and police in the loop; every number is checked where it enters."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from importlib import resources
from pathlib import Path

import numpy as np
import pandas as pd
from omegaconf import OmegaConf

from frbench.auditing.manifest import WITHOUT_CHARGE
from frbench.errors import InputError
from frbench.table_files import read_strings
from frbench.values import Float64s

SHARES = (
    *("tpir", "stop_false", "stop_true", "arrest_false", "arrest_true", "released_false"),
    *("pull", "custody", "expiry"),
)
"""Settings of the world that lie between 0 and 1."""


@dataclass(frozen=True)
class World:
    """People and police; arrays in the order of ``groups``, counts and rates a round.

    Attributes:
        groups: names.
        population: float64 [G], shares of the residents, sum 1.
        arrests: float64 [G], arrests a resident and round that have nothing to do with the matcher.
        released: float64 [G], share of arrested people who are released without charge.
        residents: persons.
        visits: persons seen by the cameras who are not on the watchlist.
        wanted: persons on the watchlist who pass the cameras.
        tpir: share of those recognised, at the threshold of the start.
        stop_false, stop_true: share of false and of true alerts that lead to a stop.
        arrest_false, arrest_true: share of those stops that end in an arrest.
        released_false: share of people arrested after a false alert who are released.
        pull: how far alerts decide where officers go, 0 to 1: arrests of a group are multiplied by
            1 + pull × (its share of the alerts / its share of the residents − 1).
        watchlist: persons on the watchlist.
        custody: share of the watchlist taken from the retained images; the rest mirrors the
            residents.
        expiry: share of the retained images that expire in a round.
    """

    groups: tuple[str, ...]
    population: Float64s
    arrests: Float64s
    released: Float64s
    residents: float
    visits: float
    wanted: float
    tpir: float
    stop_false: float
    stop_true: float
    arrest_false: float
    arrest_true: float
    released_false: float
    pull: float
    watchlist: float
    custody: float
    expiry: float


def world_of(plain: Mapping[str, object], groups: Sequence[str], population: Float64s) -> World:
    """The world from the node ``world`` of a configuration.

    Args:
        plain: ``arrests_per_1000`` and ``disposals`` per group (or one for all), and the other
            settings of ``World`` by name.
        groups: names.
        population: float64 [G], shares.

    Raises:
        InputError: a group without a number, or a number outside its range.
    """
    known = {each.name for each in fields(World)} - {"groups", "population", "arrests", "released"}
    known |= {"arrests_per_1000", "disposals", "table"}
    if strange := sorted(known ^ {*plain}):
        raise InputError(f"world takes {', '.join(sorted(known))}; mend {', '.join(strange)}.")
    for name in ("arrests_per_1000", "disposals"):
        if plain[name] is None:
            raise InputError(f"world=stated needs world.{name}, for everybody or for each group.")
    given = dict(plain)
    given.pop("table")
    arrests = _per_group(given.pop("arrests_per_1000"), groups, "world.arrests_per_1000") / 1000
    released = released_shares(given.pop("disposals"), groups)
    numbers = {name: _number(value, f"world.{name}") for name, value in given.items()}
    wrong = [f"world.{name}={numbers[name]:g}" for name in SHARES if numbers[name] > 1]
    if wrong:
        raise InputError(f"{', '.join(wrong)}: shares must lie between 0 and 1.")
    if numbers["expiry"] == 0:
        raise InputError("world.expiry=0: no image would ever expire; state a share above 0.")
    return World(
        groups=tuple(groups), population=population, arrests=arrests, released=released, **numbers
    )


def per_group_table(path: Path) -> pd.DataFrame:
    """Columns ``population`` and ``arrests_per_1000`` float64, indexed by group.

    Raises:
        InputError: no such file or columns, a group named twice, or a cell that is no number.
    """
    frame = read_strings(path, what="world.table").frame
    wanted = ["population", "arrests_per_1000"]
    absent = [name for name in ("group", *wanted) if name not in frame]
    if absent:
        raise InputError(f"world.table={path} has no column {', '.join(absent)}.")
    twice = frame.loc[frame["group"].duplicated(), "group"]
    if len(twice):
        raise InputError(f"world.table={path} names “{twice.iloc[0]}” twice; keep one row.")
    table: pd.DataFrame = frame.set_index("group")[wanted].apply(pd.to_numeric, errors="coerce")
    wrong = np.argwhere(table.isna().to_numpy())
    if len(wrong):
        row, column = wrong[0]
        raise InputError(f"world.table={path}, row {row + 1}: {wanted[column]} is no number.")
    return table


def released_shares(given: object, groups: Sequence[str]) -> Float64s:
    """float64 [G]: share of arrests that end without charge, from shares per disposal.

    Disposals are the words of the audit's data dictionary; those of ``WITHOUT_CHARGE`` are added.

    Raises:
        InputError: an unknown disposal, or shares that do not add up to 1.
    """
    if not isinstance(given, Mapping):
        raise InputError("world.disposals must name shares by disposal, as {charged: 0.4, …}.")
    nested = all(isinstance(each, Mapping) for each in given.values())
    if nested and (absent := [name for name in groups if name not in given]):
        raise InputError(f"world.disposals lacks {', '.join(absent)}; name each group.")
    return np.array([_released(given[name] if nested else given) for name in groups])


def _released(shares: Mapping[str, object]) -> float:
    known = disposal_words()
    unknown = [str(word) for word in shares if word not in known]
    if unknown:
        raise InputError(
            f"world.disposals names {', '.join(unknown)}; the words are {', '.join(known)}"
        )
    numbers = {
        str(word): _number(share, f"world.disposals.{word}") for word, share in shares.items()
    }
    if not math.isclose(sum(numbers.values()), 1.0, abs_tol=1e-6):
        raise InputError(
            f"world.disposals add up to {sum(numbers.values()):g}; shares must add up to 1."
        )
    return sum(share for word, share in numbers.items() if word in WITHOUT_CHARGE)


def disposal_words() -> tuple[str, ...]:
    """The words of the data dictionary, in its order."""
    text = resources.files("frbench").joinpath("auditing/disposals.yaml").read_text("utf-8")
    return tuple(str(word) for word in OmegaConf.create(text))


def _per_group(given: object, groups: Sequence[str], what: str) -> Float64s:
    if not isinstance(given, Mapping):
        return np.full(len(groups), _number(given, what))
    absent = [name for name in groups if name not in given]
    if absent:
        raise InputError(f"{what} lacks {', '.join(absent)}; name a number for each group.")
    return np.array([_number(given[name], f"{what}.{name}") for name in groups])


def _number(value: object, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"{what}={value} is not a number.")
    if not (math.isfinite(value) and value >= 0):
        raise InputError(f"{what}={value:g} must be a number of at least 0.")
    return float(value)
