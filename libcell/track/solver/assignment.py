"""The best links where no object divides: a sparse assignment, and prices that prove it.

Shortest augmenting paths (Jonker & Volgenant, Computing 38, 1987), where any object may stay
without a partner. Most objects find theirs at the first look.
"""

import numpy as np

from libcell.compiled import compiled

FREE = -1


@compiled
def assign(
    start: np.ndarray, target: np.ndarray, gain: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Links between sources and `count` targets with the largest total gain.

    start   (n + 1,) int64: the links of source i are start[i]:start[i + 1]
    target  (m,) int64
    gain    (m,) float64, above 0

    Returns the link of every source (n,) int64, -1 for none, and the worth of sources (n,) and
    targets (count,) float64, not below 0: no link gains more than its ends are worth together,
    those that are taken just that, and what has no link is worth 0.
    """
    n = start.size - 1
    link, holder = np.full(n, FREE), np.full(count, FREE)
    price = np.zeros(count)
    far = np.full(count, np.inf)
    via = np.zeros(count, np.int64)  # the link by which a target is reached
    done = np.zeros(count, np.bool_)
    for i in range(n):
        reached = [FREE]
        reached.pop()
        end, last, most = _search(i, start, target, gain, link, holder, price, far, via, done,
                                  reached)
        for j in reached:
            if done[j] and far[j] < most:
                price[j] += most - far[j]
            far[j], done[j] = np.inf, False
        _augment(end, last, i, start, target, link, holder, via)
    worth = np.zeros(n)
    for i in range(n):
        if link[i] != FREE:
            worth[i] = max(0.0, gain[link[i]] - price[target[link[i]]])
    return link, worth, price


@compiled
def _search(
    first: int, start: np.ndarray, target: np.ndarray, gain: np.ndarray, link: np.ndarray,
    holder: np.ndarray, price: np.ndarray, far: np.ndarray, via: np.ndarray, done: np.ndarray,
    reached: list,
) -> tuple[int, int, float]:
    """The cheapest way to give source `first` a target or to leave some source without.

    Returns the target where it ends (-1: source `last` stays without) and its length.
    """
    i, here = first, 0.0
    best, last = np.inf, first
    worth = 0.0
    for p in range(start[i], start[i + 1]):
        worth = max(worth, gain[p] - price[target[p]])
    while True:
        if here + worth < best:
            best, last = here + worth, i
        for p in range(start[i], start[i + 1]):
            j = target[p]
            if done[j] or p == link[i]:
                continue
            length = here + worth + price[j] - gain[p]
            if length < far[j]:
                if far[j] == np.inf:
                    reached.append(j)
                far[j], via[j] = length, p
        near = FREE
        for j in reached:
            if not done[j] and (near == FREE or far[j] < far[near]):
                near = j
        if near == FREE or far[near] >= best:
            return FREE, last, best
        done[near] = True
        if holder[near] == FREE:
            return near, last, far[near]
        i, here = holder[near], far[near]
        worth = gain[link[i]] - price[near]


@compiled
def _augment(
    end: int, last: int, first: int, start: np.ndarray, target: np.ndarray, link: np.ndarray,
    holder: np.ndarray, via: np.ndarray,
) -> None:
    """Pass the targets on along the way that was found."""
    j = end
    if j == FREE:
        if last == first:
            return
        j = target[link[last]]  # its own is handed on, and it stays without
        link[last] = FREE
    while True:
        p = via[j]
        i = np.searchsorted(start, p, side="right") - 1
        before = link[i]
        link[i], holder[j] = p, i
        if i == first:
            return
        j = target[before]


@compiled
def balance(
    slots: np.ndarray, gain: np.ndarray, start: np.ndarray, member: np.ndarray,
    taken: np.ndarray, worth: np.ndarray, times: int,
) -> None:
    """Share what the hypotheses taken are worth among their slots, in place.

    Their gains leave open how. Each slot gets the middle of what the other hypotheses at both
    ends leave room for, so that few divisions seem to gain more than they cost others.

    start, member  the hypotheses that use slot s are member[start[s]:start[s + 1]]
    taken          (k,) rows of `slots`
    """
    for _ in range(times):
        for h in taken:
            for p in range(2):
                for q in range(p + 1, 3):
                    a, b = slots[h, p], slots[h, q]
                    if b < 0:
                        continue
                    both = worth[a] + worth[b]
                    least = _wanted(a, b, slots, gain, start, member, worth)
                    theirs = _wanted(b, a, slots, gain, start, member, worth)
                    worth[a] = min(max((least + both - theirs) / 2, 0.0), both)
                    worth[b] = both - worth[a]


@compiled
def _wanted(
    s: int, other: int, slots: np.ndarray, gain: np.ndarray, start: np.ndarray,
    member: np.ndarray, worth: np.ndarray,
) -> float:
    """The most that any hypothesis with slot s but without the other one leaves for it."""
    most = 0.0
    for q in range(start[s], start[s + 1]):
        h = member[q]
        left = gain[h]
        both = False
        for k in range(3):
            both = both or slots[h, k] == other
            if slots[h, k] >= 0 and slots[h, k] != s:
                left -= worth[slots[h, k]]
        if not both:
            most = max(most, left)
    return most


@compiled
def divide(
    order: np.ndarray, slots: np.ndarray, excess: np.ndarray, place: np.ndarray,
    worth: np.ndarray, taken: np.ndarray, held: np.ndarray,
) -> None:
    """Take divisions, in place, that gain `excess` just by the target that nobody has.

    order   divisions, rows of `slots`, in which they are looked at; the best of a source first
    place   the link of every source, a row of `slots`, -1 for none
    worth   of slots, raised by the excess; taken  (rows,) bool; held  slots of targets that are
            somebody's
    """
    for h in order:
        i = slots[h, 0]
        p = place[i]
        if p == FREE:
            continue
        one, two = slots[h, 1], slots[h, 2]
        other = two if slots[p, 1] == one else one
        if (slots[p, 1] != one and slots[p, 1] != two) or held[other]:
            continue
        taken[p], taken[h], held[other] = False, True, True
        worth[i] += excess[h]
        place[i] = FREE
