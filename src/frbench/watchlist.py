"""Watchlists, and the binomial model of the false-positive identification rate of a search.

A search of a person of group p, who is not on the list, compares with n_g reference images of
each group g. If those comparisons are independent, each a false match with chance FMR_pg,

    FPIR_p = 1 - prod_g (1 - FMR_pg)^(n_g).

Comparisons of one person are not independent, so the model is not universal:
``watchlist_check.checked_against_direct`` holds it against searches
(docs/methodology/one-to-many.md).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from frbench.errors import InputError
from frbench.values import Float64s, Int64s

MODEL_CAUTION = (
    "FPIR is computed, not measured: the binomial model takes the comparisons of one search as "
    "independent, and where some people match strangers more often than others it is not right; "
    "read it beside a direct 1:N measurement"
)


@dataclass(frozen=True)
class Watchlist:
    """How many reference images of each group are on the list, one image per person.

    Attributes:
        per_group: group -> persons; a group not named has nobody on the list.
    """

    per_group: Mapping[str, int]

    def __post_init__(self) -> None:
        bad = [f"{name}: {n}" for name, n in self.per_group.items() if n < 0 or n != int(n)]
        if bad:
            raise InputError(
                f"a watchlist holds whole persons, none negative; it has {', '.join(bad)}"
            )
        if self.size == 0:
            raise InputError("the watchlist is empty; name at least one group with a person")

    @classmethod
    def of_shares(cls, size: int, shares: Mapping[str, float]) -> Watchlist:
        """``size`` persons in the given proportions, rounded by largest remainder."""
        if size < 1:
            raise InputError(f"a watchlist of {size} persons is empty; name at least 1")
        weights = np.array([float(share) for share in shares.values()])
        if not len(weights) or not np.all(np.isfinite(weights) & (weights >= 0)):
            raise InputError("shares of a watchlist must be numbers of at least 0, by group")
        if weights.sum() == 0:
            raise InputError("all shares of the watchlist are 0; name a group that is on it")
        exact = size * weights / weights.sum()
        whole = np.floor(exact).astype(np.int64)
        first = np.argsort(whole - exact, kind="stable")
        whole[first[: size - int(whole.sum())]] += 1
        return cls({name: int(n) for name, n in zip(shares, whole, strict=True)})

    @property
    def size(self) -> int:
        """Persons on the list."""
        return int(sum(self.per_group.values()))

    def scaled_to(self, size: int) -> Watchlist:
        """The same mix with another number of persons."""
        return Watchlist.of_shares(size, self.per_group)

    def counts(self, groups: tuple[str, ...]) -> Int64s:
        """int64 [G]: persons by position of the group. Raises InputError for an unknown group."""
        require_known(self.per_group, groups, "the watchlist")
        return np.array([self.per_group.get(name, 0) for name in groups], dtype=np.int64)


def fpir_of(fmr: npt.ArrayLike, counts: npt.ArrayLike) -> Float64s:
    """FPIR of the binomial model, exact for the tiniest rates.

    -expm1(sum_g n_g log1p(-FMR_g)) over the last axis.

    Args:
        fmr: float64 [..., G], chance of a false match with one reference image of group g.
        counts: [G], reference images n_g.

    >>> print(f"1 in {1 / fpir_of([1e-6, 1e-4], [9_000, 1_000]):.1f}")
    1 in 9.7
    """
    exponent = special.xlog1py(np.asarray(counts), -np.asarray(fmr, dtype=np.float64)).sum(axis=-1)
    return np.asarray(-np.expm1(exponent), dtype=np.float64)


def fmr_behind(fpir: float, size: int) -> float:
    """The one FMR that gives this FPIR at a watchlist of ``size``: 1 - (1 - FPIR)^(1 / size).

    >>> print(f"{fmr_behind(1 / 6000, 10_000):.4e}")
    1.6668e-08
    """
    return -math.expm1(math.log1p(-fpir) / size)


def require_known(named: Mapping[str, float], groups: tuple[str, ...], what: str) -> None:
    """Raises InputError naming the groups that the tally does not have."""
    unknown = [str(name) for name in named if name not in groups]
    if unknown:
        raise InputError(
            f"{what} names {', '.join(unknown)}, but the tally has no such group; "
            f"it has: {', '.join(groups)}"
        )
