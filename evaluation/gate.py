"""May an edited strategy replace the current one? Rules that decide on paired validation items.

Guaranteed by `ConfirmGate`: a final strategy that is no better than the starting point is kept with a
probability of at most `alpha`, whatever the search did: it is tested once, exactly, on items that the search
never used. Nothing is promised about a single edit on the way.
Guaranteed by `SequentialGate`: over all rounds together an edit that changes nothing but wording is
accepted with a probability of at most `alpha`, however noisy the replies are, as long as the items are
independent, the reflector does not know them and which edit is tested does not depend on their outcomes.
Each round's test is exact, and the levels of the rounds add up to `alpha` at most. Stopping early adds
nothing to either: an acceptance is said early only when the remaining items cannot undo it.
Not guaranteed: that a real but small improvement is seen (`evaluation.power` says how large it must be);
and nothing of all this by the other two rules.

The item is the unit: several replies to one item are averaged before anything is compared.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from evaluation.intervals import sign_flip_greater
from evaluation.power import MOST_ITEMS, POWER, STEADY, conditional_power, items_needed, minimum_detectable_effect
from records.config import RunConfig
from records.nouns import GateResult

Scores = Sequence[float | None]  # per item: True and False, or a share of its replies; None marks an ungraded one
SMALLEST_LOOK = 12  # items; fewer tell nothing
ASKED = 0.1  # the gain whose price in items is always said
FIRST_LOOK = 4  # a search drops a candidate that is behind on the first quarter of its items
UNTESTED = "chosen on these items, not proved"
UNDOABLE = "the other items cannot change this"


@dataclass(frozen=True)
class Round:
    """The place of a decision in the loop: `index` counts from 0, `spent` is the alpha of earlier rounds."""

    index: int
    rounds: int
    spent: float = 0.0


ONCE = Round(0, 1)  # the place of a test that is made once


class GateRule(Protocol):
    """Decides on one candidate from scores on the same items."""

    @property
    def name(self) -> str:
        """The rule's name in records and reports."""
        ...

    def batches(self, items: int, round_index: int, seed: int) -> list[list[int]]:
        """Indices of the items to evaluate, batch after batch."""
        ...

    def stop(self, current: Scores, candidate: Scores, planned: int, place: Round) -> GateResult | None:
        """The decision after a batch if no further one is needed, else None."""
        ...

    def decide(self, current: Scores, candidate: Scores, place: Round) -> GateResult:
        """Accept or reject on all items. Raises ValueError on unequal lengths or an unplanned round."""
        ...


def item_order(items: int, seed: int) -> list[int]:
    """The gate's items in one random order for all rounds."""
    return random.Random(f"{seed}/gate").sample(range(items), items)


def mean_scores(samples: Sequence[Sequence[bool | None]]) -> list[float | None]:
    """One score per item from its replies: the mean of the graded ones, None if there is none."""
    graded = [[reply for reply in replies if reply is not None] for replies in samples]
    return [sum(replies) / len(replies) if replies else None for replies in graded]


@dataclass(frozen=True)
class Differences:
    """Candidate minus current on the items that both have a score of."""

    values: tuple[float, ...]
    ungraded: int

    @property
    def wins(self) -> int:
        """Items that the candidate solved (more often)."""
        return sum(value > 0 for value in self.values)

    @property
    def losses(self) -> int:
        """Items that the current strategy solved (more often)."""
        return sum(value < 0 for value in self.values)

    @property
    def mean(self) -> float | None:
        """Gain per item."""
        return sum(self.values) / len(self.values) if self.values else None

    def p_value(self, unseen: float = 0.0, count: int = 0) -> float:
        """One-sided p-value of "the candidate is better", with `count` further items of difference `unseen`."""
        return sign_flip_greater([*self.values, *[unseen] * count])


def compare(current: Scores, candidate: Scores) -> Differences:
    """Pair the scores. Raises ValueError if the items do not match."""
    if len(current) != len(candidate):
        raise ValueError(f"unpaired outcomes: {len(current)} of the current strategy, {len(candidate)} of the edit")
    graded = [(old, new) for old, new in zip(current, candidate, strict=True) if old is not None and new is not None]
    return Differences(tuple(float(new) - float(old) for old, new in graded), len(current) - len(graded))


@dataclass(frozen=True)
class SequentialGate:
    """One-sided exact paired test in each round, alpha spent over the rounds, batches with a futility stop.

    Exact McNemar for pass and fail, the paired permutation test for scores. `alpha` is spent linearly, by
    the use function alpha(t) = alpha t of Lan and DeMets (1983); what a round without a test leaves goes
    to the next. `futility`: a comparison ends when its conditional power is smaller; 0 ends it only
    when no outcome of the remaining items can change the decision. `looks`: into so many batches at most.
    """

    alpha: float = 0.05
    looks: int = 4
    futility: float = 0.05
    repeats: int = 1
    name: str = field(default="sequential", init=False)

    @property
    def goal(self) -> float:
        """Power of the whole comparison without stops, so that 80% are left with them.

        A stop below a conditional power of `futility` costs at most that share of the stopped ones, so
        with power = goal - futility (1 - power) the goal is 0.8 + 0.2 futility.
        """
        return POWER + (1 - POWER) * self.futility

    def level(self, place: Round) -> float:
        """Significance level of this round. Raises ValueError for a round that was not planned."""
        if not 0 <= place.index < place.rounds:
            raise ValueError(f"round {place.index} of {place.rounds}: alpha is spent over the planned rounds only")
        return max(0.0, self.alpha * (place.index + 1) / place.rounds - place.spent)

    def detectable(self, items: int, level: float, noise: float | None) -> float | None:
        """Smallest gain that so many items show with 80% probability; see `minimum_detectable_effect`."""
        return minimum_detectable_effect(items, level, self.goal, noise, self.repeats)

    def batches(self, items: int, round_index: int, seed: int) -> list[list[int]]:
        """All items in one random order that is the same in every round (known outcomes are used again)."""
        order = item_order(items, seed)
        size = max(SMALLEST_LOOK, math.ceil(items / self.looks))
        return [order[start : start + size] for start in range(0, items, size)]

    def stop(self, current: Scores, candidate: Scores, planned: int, place: Round) -> GateResult | None:
        """Stop when the decision is certain, or an acceptance too unlikely to be worth the calls."""
        found, left, level = compare(current, candidate), planned - len(current), self.level(place)
        if left <= 0:
            return None
        if found.p_value(1.0, left) > level:
            return self._result(found, place, planned, False, UNDOABLE)
        if found.p_value(-1.0, left) <= level:
            return self._result(found, place, planned, True, UNDOABLE)
        chance = self._chance(found, left, level)
        if chance < self.futility:
            return self._result(found, place, planned, False, f"the chance of still showing a gain is {chance:.1%}")
        return None

    def _chance(self, found: Differences, left: int, level: float) -> float:
        seen, squares = len(found.values), sum(value * value for value in found.values)
        return conditional_power(sum(found.values), squares, seen, seen + left, level, self.goal)

    def decide(self, current: Scores, candidate: Scores, place: Round) -> GateResult:
        """Accept if the p-value is at most this round's share of alpha."""
        found = compare(current, candidate)
        return self._result(found, place, len(current), found.p_value() <= self.level(place), "")

    def _result(self, found: Differences, place: Round, planned: int, accepted: bool, stopped: str) -> GateResult:
        level = self.level(place)
        result = _result(self.name, accepted, found, planned, level, stopped)
        spent, gain = place.spent + level, self.detectable(planned, level, None)
        figures = {"alpha_spent": spent, "detectable": gain, "repeats": self.repeats}
        reason = f"{result.reason}; {spent:.4f} of {self.alpha:g} spent"
        return result.model_copy(update={**figures, "reason": reason})


@dataclass(frozen=True)
class ConfirmGate:
    """Search cheaply, prove once: an edit is kept if it solves more of the search's items, and the final strategy
    is tested against the starting point on the other items.

    `share` of the items are kept for that one test, which is `proof`: a `SequentialGate` of a single round, so
    that `alpha` is split over nothing. On the way a candidate that is behind after the first quarter of the
    search's items is dropped.
    """

    alpha: float = 0.05
    share: float = 2 / 3
    looks: int = 4
    futility: float = 0.05
    repeats: int = 1
    name: str = field(default="confirm", init=False)

    @property
    def proof(self) -> SequentialGate:
        """The test of the final strategy; its place is `ONCE`."""
        return SequentialGate(self.alpha, self.looks, self.futility, self.repeats)

    def sizes(self, items: int) -> tuple[int, int]:
        """Items of the search and of the proof; each has one at least. Raises ValueError for fewer than two."""
        if items < 2:
            raise ValueError("gate.rule=confirm needs two items or more")
        kept = min(items - 1, max(1, round(items * self.share)))
        return items - kept, kept

    def batches(self, items: int, round_index: int, seed: int) -> list[list[int]]:
        """The search's items in one order for all rounds: the first quarter, then the others."""
        search, _ = self.parts(items, seed)
        first = math.ceil(len(search) / FIRST_LOOK)
        return [batch for batch in (search[:first], search[first:]) if batch]

    def proof_batches(self, items: int, seed: int) -> list[list[int]]:
        """The items that the search never used, batch after batch."""
        _, kept = self.parts(items, seed)
        return [[kept[i] for i in batch] for batch in self.proof.batches(len(kept), 0, seed)]

    def parts(self, items: int, seed: int) -> tuple[list[int], list[int]]:
        """The search's items and the proof's, each in a random order that is the same in every process."""
        order = item_order(items, seed)
        searched, _ = self.sizes(items)
        return order[:searched], order[searched:]

    def stop(self, current: Scores, candidate: Scores, planned: int, place: Round) -> GateResult | None:
        """Drop a candidate that is behind."""
        found = compare(current, candidate)
        if len(current) >= planned or sum(found.values) >= -1e-9:
            return None
        return _result(self.name, False, found, planned, 1.0, "it is behind")

    def decide(self, current: Scores, candidate: Scores, place: Round) -> GateResult:
        """Keep the candidate for now if its sum over the graded items is larger."""
        found = compare(current, candidate)
        return _result(self.name, sum(found.values) > 1e-9, found, len(current), 1.0, "")


@dataclass(frozen=True)
class StrictGate:
    """GEPA's published rule: accept if the sum over a small fresh minibatch improves.

    No test: on 3 items whose replies are a coin's toss it lets a third of all no-op edits pass.
    """

    minibatch: int = 3
    name: str = field(default="strict", init=False)

    def batches(self, items: int, round_index: int, seed: int) -> list[list[int]]:
        """One minibatch, drawn anew in each round."""
        return [random.Random(f"{seed}/gate/{round_index}").sample(range(items), min(self.minibatch, items))]

    def stop(self, current: Scores, candidate: Scores, planned: int, place: Round) -> GateResult | None:
        """It never stops early."""
        return None

    def decide(self, current: Scores, candidate: Scores, place: Round) -> GateResult:
        """Accept if the candidate's sum over the graded items is larger."""
        found = compare(current, candidate)
        return _result(self.name, sum(found.values) > 1e-9, found, len(current), 1.0, "")


@dataclass(frozen=True)
class OpenGate:
    """Accepts every edit without a call; for measuring what a gate is worth."""

    name: str = field(default="none", init=False)

    def batches(self, items: int, round_index: int, seed: int) -> list[list[int]]:
        """Nothing is evaluated."""
        return []

    def stop(self, current: Scores, candidate: Scores, planned: int, place: Round) -> GateResult | None:
        """There is nothing to stop."""
        return None

    def decide(self, current: Scores, candidate: Scores, place: Round) -> GateResult:
        """Accept."""
        return _result(self.name, True, compare(current, candidate), len(current), 1.0, "")


def untested(rule: SequentialGate, place: Round) -> GateResult:
    """The result where every item had a part in the choice: nothing is tested, and no part of alpha is spent."""
    return GateResult(
        policy=rule.name,
        accepted=False,
        tested=False,
        n=0,
        wins=0,
        losses=0,
        ungraded=0,
        p_value=1.0,
        alpha=rule.level(place),
        reason=UNTESTED,
    )


def gate_rule(config: RunConfig) -> GateRule:
    """The rule that the configuration names."""
    settings, alpha = config.gate, config.error_budget.loop
    if settings.rule == "strict":
        return StrictGate(settings.minibatch)
    if settings.rule == "none":
        return OpenGate()
    if settings.rule == "confirm":
        return ConfirmGate(alpha, settings.proof_share, settings.looks, settings.futility, settings.repeats)
    return SequentialGate(alpha, settings.looks, settings.futility, settings.repeats)


def promise(config: RunConfig) -> str:
    """What the gate can show with these settings: one line to read before anything is spent."""
    rule, items = gate_rule(config), config.sizes.gate
    if isinstance(rule, ConfirmGate):
        searched, kept = rule.sizes(items)
        head = (
            f"gate 'confirm': {searched} items for the search, {kept} others prove its end once, alpha {rule.alpha:g}"
        )
        return _promise(head, rule.proof, kept, rule.proof.level(ONCE), rule.share)
    if not isinstance(rule, SequentialGate):
        return f"gate '{rule.name}': no test, an edit that changes nothing can pass"
    level = rule.level(Round(0, max(1, config.loop.rounds)))
    head = f"gate 'sequential': {items} items, alpha {level:.4f} per round ({config.error_budget.loop:g} over all)"
    return _promise(head, rule, items, level)


def _promise(head: str, rule: SequentialGate, items: int, level: float, share: float = 1.0) -> str:
    """`share` of the gate's items make the test."""
    gains = [rule.detectable(items, level, noise) for noise in (STEADY, None)]
    if gains[0] is None:
        return f"{head}; too few to show any gain (raise sizes.gate)"
    least, most = (f"{gain:.0%}" if gain is not None else "none" for gain in gains)
    tested = [items_needed(ASKED, level, rule.goal, noise, rule.repeats) or MOST_ITEMS for noise in (STEADY, None)]
    needed = [math.ceil(count / share) for count in tested]
    return (
        f"{head}; with 80% probability they show a gain of {least} if replies hardly vary, {most} if they vary as much "
        f"as they can; a gain of {ASKED:.0%} takes {needed[0]} to {needed[1]} items" + ("" if share == 1 else " in all")
    )


def _result(rule: str, accepted: bool, found: Differences, planned: int, alpha: float, stopped: str) -> GateResult:
    n, p = len(found.values), found.p_value()
    figures = f"{found.wins} won, {found.losses} lost of {n} items, p = {p:.4f}, alpha = {alpha:.4f}"
    if stopped:
        figures += f"; stopped {planned - n - found.ungraded} items early: {stopped}"
    return GateResult(
        policy=rule,
        accepted=accepted,
        n=n,
        wins=found.wins,
        losses=found.losses,
        ungraded=found.ungraded,
        p_value=p,
        alpha=alpha,
        reason=("accepted: " if accepted else "not shown to help: ") + figures,
        planned=planned,
        difference=found.mean,
        stopped=stopped,
    )
