"""The rounds: every array is [seeds, groups], so that a thousand seeds cost little more than one.

FPIR follows from the false-match rates and the watchlist by the binomial model
(``frbench.watchlist``): a search of a person of group g meets n_h references of each group h,

    FPIR_g = 1 − prod_h (1 − FMR_gh)^(n_h),

where FMR_gh moves with the rates within both groups, FMR_gh = FMR_gh(0) √(f_g f_h) with
f_g = FMR_g / FMR_g(0).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from frbench.collectors import Collected, Collector, Events
from frbench.feedback.draws import Chance, Draws
from frbench.feedback.world import World
from frbench.learners import Learner, Start
from frbench.policies import Policy
from frbench.values import Float32s, Float64s
from frbench.watchlist import fpir_of

FIELDS = (
    *("share", "fmr", "fpir", "false_alerts", "true_alerts", "stops", "arrests", "released"),
    "released_held",
)
"""What a round leaves per seed and group.

share: of the images that the matcher of this round was trained on. fmr: within the group. fpir: of
a search at this round's threshold and watchlist; counted on while the matcher is off, as what it
would be. The others count people of the round: false and true alerts, stops, arrests, people
released without charge; released_held: images of such people in the store after the round.
"""


@dataclass(frozen=True)
class Matcher:
    """The rates of the start.

    Attributes:
        fmr: float64 [G, G], false-match rate of a search (row) with a reference (column).
        shares: float64 [G], shares of the groups in the training set.
    """

    fmr: Float64s
    shares: Float64s


@dataclass(frozen=True)
class History:
    """One policy's rounds.

    Attributes:
        policy: its name in the configuration.
        values: float32 [len(FIELDS), R, S, G].
    """

    policy: str
    values: Float32s

    def of(self, name: str) -> Float32s:
        """float32 [R, S, G] of one of ``FIELDS``."""
        return np.asarray(self.values[FIELDS.index(name)])


def simulate(
    world: World,
    matcher: Matcher,
    policy: Policy,
    learner: Learner,
    collector: Collector,
    *,
    name: str,
    rounds: int,
    seeds: int,
    rng: np.random.Generator,
    draws: Draws | None = None,
    every: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> History:
    """One policy over the rounds.

    Args:
        name: of the policy, for the history.
        rounds, seeds: how many.
        rng: of the learner, the policy and the counts.
        draws: how counts come about; chance unless given.
        every: rounds from one training to the next.
        progress: called with rounds done and in all.
    """
    draws = draws or Chance(rng)
    start = Start(world.groups, np.diag(matcher.fmr).copy(), matcher.shares, world.population)
    trained = learner.begin(start, seeds=seeds, rng=rng)
    store = _Store(world, matcher, seeds)
    shares = np.tile(matcher.shares, (seeds, 1))
    fmr = np.tile(start.fmr, (seeds, 1))
    values = np.empty((len(FIELDS), rounds, seeds, len(world.groups)), dtype=np.float32)
    for at in range(rounds):
        setting = policy.threshold(at)
        now = np.minimum(fmr * setting.false_matches, 1.0)
        fpir = search_rates(matcher.fmr, now, watchlist_of(world, store.shares))
        events = one_round(
            world, store.shares, fpir, setting.recognised, draws, deployed=policy.deployed(at)
        )
        store.take(collector.collect(events), keeps_released=policy.keeps_released(at))
        stops = events.false_stops + events.true_stops
        alerts = (events.false_alerts, events.true_alerts)
        values[:, at] = (
            *(shares, now, fpir, *alerts, stops, events.arrests, events.released),
            store.released,
        )
        if (at + 1) % every == 0 and at + 1 < rounds:
            shares = policy.trains_on(at, store.shares, world.population, rng)
            fmr = trained.fmr(shares)
        if progress:
            progress(at + 1, rounds)
    return History(name, values)


class _Store:
    """Images held, by whether their person was charged; the oldest expire."""

    def __init__(self, world: World, matcher: Matcher, seeds: int) -> None:
        self._kept = 1.0 - world.expiry
        inflow = world.residents * world.population * world.arrests
        # as many images as flow in until they expire, in the shares of the training set
        size = inflow.sum() / world.expiry
        held = np.tile(size * matcher.shares, (seeds, 1))
        self.released = held * world.released
        self.charged = held - self.released

    @property
    def shares(self) -> Float64s:
        """float64 [S, G]; what was there before a store ran empty cannot be told: shares are 0."""
        held = self.charged + self.released
        total = held.sum(axis=1, keepdims=True)
        return np.asarray(np.divide(held, total, out=np.zeros_like(held), where=total > 0))

    def take(self, new: Collected, *, keeps_released: bool) -> None:
        self.charged = self._kept * self.charged + new.charged
        self.released = self._kept * self.released + new.released
        if not keeps_released:
            self.released = np.zeros_like(self.released)


def watchlist_of(world: World, held: Float64s) -> Float64s:
    """float64 [S, G]: persons on the watchlist, a part from the images held, the rest residents."""
    shares = world.custody * held + (1.0 - world.custody) * world.population
    return np.asarray(world.watchlist * shares)


def search_rates(first: Float64s, fmr: Float64s, watchlist: Float64s) -> Float64s:
    """float64 [S, G]: FPIR of a search of each group.

    Args:
        first: float64 [G, G], false-match rates of the start.
        fmr: float64 [S, G], rates within the groups now.
        watchlist: float64 [S, G], references of each group.
    """
    factor = np.sqrt(fmr / np.diag(first))
    cells = np.minimum(first * factor[:, :, None] * factor[:, None, :], 1.0)
    return fpir_of(cells, watchlist[:, None, :])


def one_round(
    world: World,
    held: Float64s,
    fpir: Float64s,
    recognised: float,
    draws: Draws,
    *,
    deployed: bool,
) -> Events:
    """Alerts, stops, arrests and disposals of one round.

    Args:
        held: float64 [S, G], shares of the images held, from which wanted people are taken.
        fpir: float64 [S, G].
        recognised: factor on the TPIR.
        draws: chance or expectation.
        deployed: whether the matcher runs.
    """
    on = 1.0 if deployed else 0.0
    seen = np.broadcast_to(world.visits * world.population, fpir.shape)
    false_alerts = draws.some(draws.arrivals(seen), fpir * on)
    wanted = draws.arrivals(world.wanted * watchlist_of(world, held) / world.watchlist)
    true_alerts = draws.some(wanted, min(world.tpir * recognised, 1.0) * on)
    false_stops = draws.some(false_alerts, world.stop_false)
    true_stops = draws.some(true_alerts, world.stop_true)
    pulled = _pull(world, false_alerts + true_alerts)
    otherwise = draws.arrivals(world.residents * world.population * world.arrests * pulled)
    after_false = draws.some(false_stops, world.arrest_false)
    after_true = draws.some(true_stops, world.arrest_true)
    usual = otherwise + after_true
    released = draws.some(usual, np.broadcast_to(world.released, usual.shape))
    released = released + draws.some(after_false, world.released_false)
    return Events(false_alerts, true_alerts, false_stops, true_stops, usual + after_false, released)


def _pull(world: World, alerts: Float64s) -> Float64s:
    """Officers go where alerts come from: float64 [S, G], 1 where alerts mirror the residents."""
    total = alerts.sum(axis=1, keepdims=True)
    even = np.broadcast_to(world.population, alerts.shape)
    share = np.divide(alerts, total, out=even.copy(), where=total > 0)
    return np.asarray(1.0 + world.pull * (share / world.population - 1.0))
