"""Orders in which n players meet so that every prefix uses everybody equally often, up to one.

Each order is a closed form of the position ``t``, so that millions of pairs of persons can be
planned without listing all of them. Tested against the definition, pair by pair.
"""

from __future__ import annotations

import numpy as np

from frbench.values import Int64s


def pairs_within(players: Int64s, t: Int64s) -> tuple[Int64s, Int64s]:
    """The t-th of the n (n - 1) / 2 pairs among n players.

    The first n // 2 pairs share nobody, and after any number of pairs no player has met more
    than one opponent more than another. For even n these are the rounds of the circle method
    (a 1-factorisation of the complete graph); for odd n Walecki's decomposition into Hamiltonian
    cycles, each walked along every second edge first (Alspach, Bulletin of the ICA 52, 2008).

    Args:
        players: int64 [M], n of each entry, at least 2.
        t: int64 [M], 0 <= t < n (n - 1) / 2.

    >>> first, second = pairs_within(np.full(6, 4), np.arange(6))
    >>> [f"{a}-{b}" for a, b in zip(first, second)]
    ['3-0', '1-2', '3-1', '2-0', '3-2', '0-1']
    """
    even = players % 2 == 0
    first, second = np.empty_like(t), np.empty_like(t)
    for chosen, order in ((even, _circle), (~even, _walecki)):
        first[chosen], second[chosen] = order(players[chosen], t[chosen])
    return first, second


def _circle(n: Int64s, t: Int64s) -> tuple[Int64s, Int64s]:
    """Player n - 1 stays, the others rotate: in round r, r + s meets r - s."""
    turn, seat = np.divmod(t, n // 2)
    first = np.where(seat == 0, n - 1, (turn + seat) % (n - 1))
    return first, (turn - seat) % (n - 1)


def _walecki(n: Int64s, t: Int64s) -> tuple[Int64s, Int64s]:
    """Edges 0, 2, 4, ... of each cycle, then 1, 3, 5, ...; edge k joins positions k and k + 1."""
    cycle, step = np.divmod(t, n)
    half = n // 2
    edge = np.where(step <= half, 2 * step, 2 * (step - half) - 1)
    return _on_cycle(n, cycle, edge), _on_cycle(n, cycle, (edge + 1) % n)


def _on_cycle(n: Int64s, cycle: Int64s, position: Int64s) -> Int64s:
    """Position 0 is player n - 1; then the zigzag 0, 1, -1, 2, -2, ... shifted by the cycle."""
    zigzag = np.where(position % 2 == 0, position // 2, -(position // 2))
    return np.where(position == 0, n - 1, (zigzag + cycle) % np.maximum(n - 1, 1))


def pairs_across(left: Int64s, right: Int64s, t: Int64s) -> tuple[Int64s, Int64s]:
    """The t-th of the a b pairs of one of a players with one of b others.

    Both sides are gone through in turn, so either is used equally often up to one after any
    number of pairs, and the first min(a, b) pairs share nobody. Each time the two turns come back
    into step, after lcm(a, b) pairs, one side moves on by one: the Chinese remainder theorem
    makes the pairs of one stretch different, and stretches differ in a - b modulo gcd(a, b).

    Args:
        left, right: int64 [M], a and b of each entry, at least 1.
        t: int64 [M], 0 <= t < a b.

    >>> one, other = pairs_across(np.full(4, 2), np.full(4, 2), np.arange(4))
    >>> [f"{a}-{b}" for a, b in zip(one, other)]
    ['0-0', '1-1', '0-1', '1-0']
    """
    stretch = t // np.lcm(left, right)
    return t % left, (t + stretch) % right
