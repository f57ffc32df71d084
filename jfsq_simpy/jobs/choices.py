"""Choices among servers, as compiled functions: rank trees, queries, ties by rate, ties by number.

In    the dispatcher's arrays (`order.Order`), the job's uniform numbers
Out   the server that gets the job
Rule  the tied servers in the order of their index, and then exactly what `policies.policy.break_tie` does:
      partial sums are added up one after the other, so their roundings are the same
Cost  O(log N) in a tree, O(servers asked) for a sample, O(tied servers) by rate
"""

from __future__ import annotations

import numpy as np

from jfsq_simpy.jobs.bits import U0, U1, U4, U6, Word, count_ones, first_one, nth_one
from jfsq_simpy.jobs.compiling import part
from jfsq_simpy.jobs.layout import Indices, Servers
from jfsq_simpy.jobs.order import BY_NUMBER, BY_RATE, FAN, Ints, Words
from jfsq_simpy.rates import FloatArray, IntArray

# ---- thermometer sets ----------------------------------------------------------------------------------------


@part
def nth_in_set(words: Words, spans: Ints, span_at: Words, level: Word, r: int) -> Word:
    """The server that is number `r` (from 0) in the set of a level. O(log N).

    Of 16 counts all are added up, whichever is the one: a loop that ends early costs a wrong guess each time.
    """
    inside = U0
    for d in range(span_at.size):
        first = span_at[span_at.size - 1 - d] + inside
        upto, before = np.int64(0), np.int64(0)
        for c in range(FAN):
            upto += spans[level, first + np.uint64(c)]
            passed = upto <= r
            before = upto if passed else before
            inside += np.uint64(passed)
        r -= int(before)
        inside <<= U4
    first, ones = inside, count_ones(words[level, inside])
    if r >= ones:  # a fleet of up to 64 servers has but one word
        upto, before = np.int64(ones), np.int64(ones)
        inside += U1
        for c in range(1, min(FAN, words.shape[1])):
            upto += count_ones(words[level, first + np.uint64(c)])
            passed = upto <= r
            before = upto if passed else before
            inside += np.uint64(passed)
        r -= int(before)
    return inside << U6 | nth_one(words[level, inside], r)


@part
def by_rate_in_set(weights: FloatArray, words: Words, level: Word, first: Word, m: int, u: float) -> Word:
    """One of the `m` servers of the set from `first` on, with probability in proportion to its rate. O(m)."""
    chosen, target = first, np.inf
    for _ in range(2):  # once for the sum, once for the first partial sum above its share
        partial, left = 0.0, m
        w = first >> U6
        word = words[level, w]
        while left > 0 and partial <= target:
            while word == U0:
                w += U1
                word = words[level, w]
            chosen = w << U6 | first_one(word)
            word &= word - U1
            left -= 1
            partial += weights[chosen]
        target = u * partial
    return chosen


# ---- tournament tree -----------------------------------------------------------------------------------------


@part
def put_in_tree(best: Ints, tied: Ints, n: Word, rank: int) -> None:
    """Server n has another rank now: correct the matches on its way to the root. O(log N)."""
    node = (np.uint64(best.size) >> U1) + n
    best[node] = rank
    while node > U1:
        node >>= U1
        left, right = best[node << U1], best[node << U1 | U1]
        best[node] = min(left, right)
        tied[node] = (left <= right) * tied[node << U1] + (right <= left) * tied[node << U1 | U1]


@part
def best_in_tree(best: Ints, tied: Ints, ties: int, u: float, weights: FloatArray) -> Word:
    """The best-ranked server. O(log N), or O(N) with ties by rate."""
    leaves = np.uint64(best.size) >> U1
    top = best[1]
    if ties == BY_RATE:
        return by_rate_among_leaves(best, leaves, weights, u)
    r = int(u * tied[1]) if ties == BY_NUMBER else 0
    node = U1
    while node < leaves:
        node <<= U1
        if best[node] > top:
            node += U1
        elif best[node + U1] == top and r >= tied[node]:
            r -= tied[node]
            node += U1
    return node - leaves


@part
def by_rate_among_leaves(best: Ints, leaves: Word, weights: FloatArray, u: float) -> Word:
    """One of the best-ranked servers, with probability in proportion to its rate. O(N)."""
    top, chosen, target = best[1], 0, np.inf
    for _ in range(2):
        partial = 0.0
        for i in range(weights.size):
            if best[leaves + np.uint64(i)] == top:
                chosen = i
                partial += weights[i]
                if partial > target:
                    break
        target = u * partial
    return np.uint64(chosen)


# ---- running sums --------------------------------------------------------------------------------------------


@part
def first_above(sums: FloatArray, share: float) -> int:
    """The place of the first running sum above a share; the last place if there is none. O(log n)."""
    low, high = 0, sums.size - 1
    while low < high:
        middle = (low + high) // 2
        if sums[middle] > share:
            high = middle
        else:
            low = middle + 1
    return low


# ---- some servers are asked ----------------------------------------------------------------------------------


@part
def ask(asked: IntArray, shares: IntArray, chances: FloatArray, samples: FloatArray, replace: bool) -> int:
    """Whom a job asks, ascending, into `asked`; how many they are. Repeats the queries' `candidates`."""
    m = 0
    if chances.size > 0:  # one class of several
        k = first_above(chances, samples[0])
        first, n = shares[k, 0], shares[k, 1]
        if shares[k, 2] > 0:
            return draw_asked(asked, 0, samples[1:], first, n, False)
        for i in range(n):
            asked[i] = first + i
        return int(n)
    used = 0
    for k in range(shares.shape[0]):
        d = shares[k, 2]
        m = draw_asked(asked, m, samples[used : used + d], shares[k, 0], shares[k, 1], replace)
        used += d
    return m


@part
def draw_asked(asked: IntArray, m: int, samples: FloatArray, first: int, n: int, replace: bool) -> int:
    """Draw from servers first .. first + n - 1, behind the `m` in `asked`; how many there are now. `queries.drawn`. O(d^2)."""
    begin = m
    for i in range(samples.size):
        if replace:
            pick = first + np.int64(samples[i] * n)
        else:
            pick = first + np.int64(samples[i] * (n - i))
            for j in range(begin, m):
                pick += pick >= asked[j]
        j = m
        while j > begin and asked[j - 1] > pick:
            j -= 1
        if j > begin and asked[j - 1] == pick:  # drawn twice counts once
            continue
        for place in range(m, j, -1):
            asked[place] = asked[place - 1]
        asked[j] = pick
        m += 1
    return m


@part
def ask_least_work(asked: IntArray, fleet: Servers, places: Word) -> int:
    """The servers that will be done first, idle ones alike, full ones last: `AskWork.candidates`. O(N)."""
    least, m = np.inf, 0
    for n in range(fleet.size):
        queue, done = np.uint64(fleet[n]["queue"]), fleet[n]["free_at"]
        if queue == U0:
            done = -np.inf
        elif queue == places:
            done = np.inf
        if done < least:
            least, m = done, 0
        if done == least:
            asked[m] = n
            m += 1
    return m


@part
def ask_fast_and_slow(asked: IntArray, shares: IntArray, chances: FloatArray, samples: FloatArray, fleet: Servers) -> int:
    """Fast and slow servers drawn, and those left that `AskFastSlow.candidates` leaves. O(d^2)."""
    d = shares[0, 2]
    fast = draw_asked(asked, 0, samples[1 : d + 1], shares[0, 0], shares[0, 1], False)
    both = draw_asked(asked, fast, samples[d + 1 :], shares[1, 0], shares[1, 1], False)
    for i in range(fast):
        if fleet[asked[i]]["queue"] == 0:
            return fast
    to_slow = chances[1]
    for i in range(fast, both):
        if fleet[asked[i]]["queue"] == 0:
            to_slow = chances[0]
    if samples[0] >= to_slow:
        return fast
    for i in range(fast, both):
        asked[i - fast] = asked[i]
    return both - fast


@part
def best_of_asked(
    asked: IntArray, m: int, rank: Ints, speed_class: Indices, fleet: Servers, weights: FloatArray, ties: int, u: float
) -> Word:  # fmt: skip
    """The best-ranked of the first `m` servers in `asked`. O(m)."""
    top = np.iinfo(np.int32).max
    among = 0
    for i in range(m):
        n = np.uint64(asked[i])
        here = rank[speed_class[n], fleet[n]["queue"]]
        if here < top:
            top = here
            among = 0
        if here == top:  # keep the best so far at the front, still ascending
            asked[among] = asked[i]
            among += 1
    r = 0
    if ties == BY_NUMBER:
        r = int(u * among)
    elif ties == BY_RATE:
        total = 0.0
        for i in range(among):
            total += weights[asked[i]]
        partial = weights[asked[0]]
        while r < among - 1 and partial <= u * total:
            r += 1
            partial += weights[asked[r]]
    return np.uint64(asked[r])
