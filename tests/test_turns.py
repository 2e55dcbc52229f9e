"""Whose turn it is: each once, a host not too often, and nobody behind somebody else's queue."""

from __future__ import annotations

import heapq
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.feeds import turns as module
from monitor.feeds.turns import AT_ONCE, SLOW_AT_ONCE, Rule, Turn, Turns

STEADY = settings(derandomize=True, deadline=None, max_examples=150)

Asked = tuple[str, int]
"""Host and number."""


@dataclass
class Run:
    """What a round came to: when each was asked and answered."""

    starts: list[tuple[float, Asked]]
    ends: dict[Asked, float]
    most_busy: int
    most_slow: int
    most_of_host: Counter[str]


def run(
    asked: list[Asked], rules: dict[str, Rule], seconds: dict[Asked, float], patience: float = 3.0, now: float = 1000.0
) -> Run:
    """Go through a round by a clock of its own. Times are in 64ths of a second, so that sums are exact."""
    turns = Turns(asked, lambda one: one[0], lambda host: rules[host])
    events: list[tuple[float, int, str, Turn[Asked]]] = []
    order, running = 0, Counter[str]()
    result = Run([], {}, 0, 0, Counter())

    def begin(turn: Turn[Asked]) -> None:
        nonlocal order
        assert turn.began == now
        result.starts.append((now, turn.what))
        running[turn.host] += 1
        result.most_of_host[turn.host] = max(result.most_of_host[turn.host], running[turn.host])
        order += 2
        heapq.heappush(events, (now + seconds[turn.what], order, "end", turn))
        if seconds[turn.what] > patience:
            heapq.heappush(events, (now + patience, order + 1, "slow", turn))

    while turns.waiting or events:
        while turn := turns.next(now):
            begin(turn)
        result.most_busy = max(result.most_busy, turns.busy)
        result.most_slow = max(result.most_slow, turns.slow)
        assert turns.busy + turns.slow == sum(running.values())
        wait = turns.wait(now)
        if wait is not None and (not events or now + wait < events[0][0]):
            assert wait > 0, "somebody's turn had come"
            now += wait
            early = turns.next(now)
            assert early is not None, "the wait was not true"
            begin(early)
            continue
        if not events:
            assert not turns.waiting, "nobody runs and nobody's turn comes"
            break
        now, _, what, turn = heapq.heappop(events)
        if what == "slow":
            turns.give_way(turn)
        else:
            turns.end(turn, now)
            running[turn.host] -= 1
            result.ends[turn.what] = now
    assert turns.busy == turns.slow == 0
    assert turns.next(now + 1e6) is None
    return result


def sixty_fourths(most: int) -> st.SearchStrategy[float]:
    """Any length of time of at most so many seconds."""
    return st.integers(0, most * 64).map(lambda n: n / 64)


rounds = st.dictionaries(
    st.sampled_from("abcdefgh"),
    st.tuples(
        st.builds(Rule, st.integers(1, 4), sixty_fourths(3)), st.lists(sixty_fourths(10), min_size=1, max_size=40)
    ),
    min_size=1,
)


@STEADY
@given(rounds)
def test_every_feed_gets_one_turn_and_every_host_is_spared(hosts: dict[str, tuple[Rule, list[float]]]) -> None:
    """Whatever the hosts allow and however long they take; the bounds hold at each moment."""
    rules = {host: rule for host, (rule, _) in hosts.items()}
    seconds = {(host, n): took for host, (_, times) in hosts.items() for n, took in enumerate(times)}
    result = run(list(seconds), rules, seconds)

    assert Counter(what for _, what in result.starts) == Counter(list(seconds))
    assert set(result.ends) == set(seconds)
    assert result.most_busy <= AT_ONCE
    assert result.most_slow <= SLOW_AT_ONCE
    for host, rule in rules.items():
        assert result.most_of_host[host] <= rule.at_once
        times = [at for at, what in result.starts if what[0] == host]
        assert all(later - earlier >= rule.spacing for earlier, later in pairwise(times))
        numbers = [what[1] for _, what in result.starts if what[0] == host]
        assert numbers == sorted(numbers), "those of one host come in their order"


def test_never_more_than_so_many_are_asked_at_once() -> None:
    """A thousand hosts that all answer at once after a second."""
    asked = [(f"h{n}", 0) for n in range(1000)]
    result = run(asked, {host: Rule(2, 1.0) for host, _ in asked}, dict.fromkeys(asked, 1.0))
    assert result.most_busy == AT_ONCE
    assert max(result.ends.values()) == 1000 + -(-1000 // AT_ONCE)


def test_a_host_with_ten_thousand_feeds_delays_no_other() -> None:
    """Spaced or not, before it or behind it in the list."""
    for spacing in (0.0, 1.0):
        crowd = [("crowd", n) for n in range(10_000)]
        others = [(f"h{n}", 0) for n in range(60)]
        asked = others[:30] + crowd + others[30:]
        rules = {"crowd": Rule(2, spacing), **{host: Rule(2, 1.0) for host, _ in others}}
        result = run(asked, rules, dict.fromkeys(asked, 0.25))
        assert {at for at, what in result.starts if what[0] != "crowd"} == {1000.0}


def test_hosts_take_turns() -> None:
    """Where all have many, none is served out before another begins."""
    asked = [(host, n) for host in "abc" for n in range(4)]
    turns = Turns(asked, lambda one: one[0], lambda host: Rule(9, 0.0))
    order = []
    while turn := turns.next(0.0):
        order.append(turn.host)
    assert order == list("abc") * 4


def test_a_slow_one_lets_another_in() -> None:
    """So many that hang do not hold up the rest; they go on beside it."""
    asked = [(f"h{n}", 0) for n in range(AT_ONCE + 1)]
    turns = Turns(asked, lambda one: one[0], lambda host: Rule(1, 0.0))
    running = [turn for _ in range(AT_ONCE) if (turn := turns.next(0.0))]
    assert (len(running), turns.next(0.0), turns.wait(0.0), turns.waiting) == (AT_ONCE, None, None, True)
    turns.give_way(running[0])
    turns.give_way(running[0])  # once is enough
    assert (turns.busy, turns.slow, turns.wait(0.0)) == (AT_ONCE - 1, 1, 0.0)
    last = turns.next(0.0)
    assert last is not None
    assert last.host == f"h{AT_ONCE}"
    for turn in (*running, last):
        turns.end(turn, 1.0)
    assert (turns.busy, turns.slow, turns.waiting) == (0, 0, False)


def test_a_slow_one_still_counts_for_its_host() -> None:
    """A host that hangs is not asked for more and more."""
    turns = Turns([("a", n) for n in range(3)], lambda one: one[0], lambda host: Rule(1, 0.0))
    first = turns.next(0.0)
    assert first is not None
    turns.give_way(first)
    assert (turns.next(100.0), turns.wait(100.0)) == (None, None)
    turns.end(first, 100.0)
    assert turns.next(100.0) is not None


def test_only_so_many_slow_ones_go_on_beside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Open connections have an end too."""
    monkeypatch.setattr(module, "SLOW_AT_ONCE", 2)
    turns = Turns([(f"h{n}", 0) for n in range(9)], lambda one: one[0], lambda host: Rule(1, 0.0))
    running = [turn for _ in range(3) if (turn := turns.next(0.0))]
    for turn in running:
        turns.give_way(turn)
    assert (turns.busy, turns.slow) == (1, 2)


def test_without_feeds_there_is_nobody_to_wait_for() -> None:
    """An empty round ends at once."""
    turns: Turns[Asked] = Turns([], lambda one: one[0], lambda host: Rule(1, 0.0))
    assert (turns.next(0.0), turns.wait(0.0), turns.waiting) == (None, None, False)
