"""What a tally says about errors: for each kind, who erred how often among how many comparisons."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from frbench.cell_errors import PairErrors, PersonErrors
from frbench.cross_set_trials import mated_across
from frbench.errors import InputError
from frbench.listed_trials import listed_comparisons, trials_of
from frbench.trials import Cells, Trials, count_table, pairs_within_rows, with_pooled
from frbench.values import Bools, Int64s, ScoredPairs, ScoreTally


@dataclass(frozen=True)
class Counted:
    """The comparisons behind a tally, counted once and shared by all its thresholds."""

    tally: ScoreTally

    @cached_property
    def cells(self) -> Cells:
        """The layout of all tables."""
        return Cells(self.tally.groups, self.tally.ordered)

    @cached_property
    def attempted(self) -> Trials:
        """Non-mated comparisons, failed ones included."""
        return trials_of(self.tally)

    @cached_property
    def completed(self) -> Int64s:
        """int64 [C]: non-mated comparisons that gave a score."""
        return trials_of(self.tally, completed=True).total

    def false_matches(self, threshold: float) -> PairErrors:
        """The non-mated comparisons that match. Raises InputError below the tally's floor."""
        tail = self.tally.tail
        if threshold < self.tally.floor:
            raise InputError(
                f"threshold {threshold:g} is below {self.tally.floor:g}, the floor down to which "
                "non-mated scores were kept; choose a higher threshold, or compare again with a "
                "larger largest target FMR"
            )
        chosen = tail.score >= threshold
        matches = tail if chosen.all() else tail.take(np.flatnonzero(chosen))
        found = PairErrors(matches, self.tally, self.attempted)
        if np.any(found.errors > found.comparisons):
            raise ValueError("the tally lists non-mated matches that its policy never compared")
        return found

    @cached_property
    def mated_attempted(self) -> PersonErrors:
        """Per person, mated comparisons that failed, among all attempted ones."""
        tally = self.tally
        if tally.listed is not None:
            attempted = self._mated_sums(listed_comparisons(tally, mated=True, completed=False))
        elif tally.references_from is not None:
            attempted = mated_across(tally, self.cells)
        else:
            attempted = self._mated_by_arithmetic(np.ones(len(tally.subject), dtype=bool))
        return PersonErrors((attempted - self._mated_sums(tally.mated)).tocsr(), attempted)

    def false_non_matches(self, threshold: float) -> PersonErrors:
        """Mated comparisons that do not match; a failed one does not (NIST's rule)."""
        mated = self.tally.mated
        matches = self._mated_sums(mated.take(mated.score >= threshold))
        attempted = self.mated_attempted.of_person
        return PersonErrors((attempted - matches).tocsr(), attempted)

    def failures_to_enrol(self) -> PersonErrors:
        """Images that gave no template; the cell of an image is its own group's.

        No image counts where nobody knows whether it was enrolled: the rate is then empty, not 0.
        """
        tally = self.tally
        group = tally.group.astype(np.int64)
        everyone = np.full(len(tally.group), tally.enrolment_known)
        images = count_table(tally, group, len(self.cells.groups), everyone)
        failed = count_table(tally, group, len(self.cells.groups), ~tally.enrolled)
        return PersonErrors(self._over_cells(failed.tocoo()), self._over_cells(images.tocoo()))

    def _mated_by_arithmetic(self, kept: Bools) -> sparse.csr_array:
        """n_a (n_a - 1) / 2 comparisons of one's images within a group, n_a n_b across."""
        group = self.tally.group.astype(np.int64)
        images = count_table(self.tally, group, len(self.cells.groups), kept)
        person, first, second, product = pairs_within_rows(images)
        own = np.sqrt(product[first == second]).round().astype(np.int64)
        product[first == second] -= own
        cell = self.cells.of(first, second)
        halved = with_pooled(cell, person, product, self.cells, images.shape[0])
        halved.data //= 2
        halved.eliminate_zeros()
        return halved

    def _mated_sums(self, mated: ScoredPairs) -> sparse.csr_array:
        group = self.tally.group.astype(np.int64)
        cell = self.cells.of(group[mated.first], group[mated.second])
        person = self.tally.subject[mated.first].astype(np.int64)
        ones = np.ones(len(mated), dtype=np.int64)
        persons = int(self.tally.subject.max(initial=-1)) + 1
        return with_pooled(cell, person, ones, self.cells, persons)

    def _over_cells(self, by_group: sparse.csr_array) -> sparse.csr_array:
        column = by_group.row.astype(np.int64)
        cell = by_group.col.astype(np.int64)
        return with_pooled(cell, column, by_group.data, self.cells, by_group.shape[0])
