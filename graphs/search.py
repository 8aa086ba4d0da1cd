"""The search among strategies: from which one a round starts, what is kept, what is merged.

`greedy` goes from the current strategy to the accepted edit of it. `pareto` keeps all accepted strategies with
their outcomes per item, draws each round's parent from the winners per item, and after every second round tries a
strategy made of all bullets that seem to help, refused edits included.

Guaranteed: everything is computed from the records of finished rounds and a seed, so that a resumed run
makes the same choices and the same calls, which the ledger then answers. Items of the proof are not looked at.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from langgraph.runtime import Runtime

from agents.merging import merge_by_effects
from agents.playbook import check_size, with_lift
from evaluation.effects import Effect, Measured, bullet_effects
from evaluation.fronts import best_of, parent_chances
from evaluation.gate import gate_rule
from graphs.context import RunContext
from graphs.gating import arm_of, compare_strategies, gate_model
from graphs.refusals import refusal, tried_before
from graphs.state import TransferState
from graphs.strategies import load_strategy, save_strategy
from models.tokens import count_tokens
from records.nouns import GateResult, Reflection, Strategy

MERGE_EVERY = 2  # rounds
LISTED = 12  # bullets in the journal of a merge

ItemScores = dict[str, float]


def parent_of_round(context: RunContext, state: TransferState, number: int) -> str:
    """Hash of the strategy that round `number` edits."""
    pool = state.get("pool", [])
    if context.config.searching != "pareto" or len(pool) < 2:
        return state["current"]
    chances = parent_chances(_rows(context, pool))
    rng = random.Random(f"{context.config.seed}/parent/{number}")
    return rng.choices(pool, [float(chance) for chance in chances])[0]


def after_gate(context: RunContext, state: TransferState, accepted: str | None) -> dict[str, Any]:
    """The state's pool and current strategy when an edit (hash) was accepted, or none was."""
    if accepted is None:
        return {}
    pool = [*state.get("pool", []), accepted]
    if context.config.searching != "pareto":
        return {"pool": pool, "current": accepted}
    return {"pool": pool, "current": pool[best_of(_rows(context, pool))]}


def item_scores(context: RunContext, hashes: Sequence[str]) -> dict[str, ItemScores]:
    """Per strategy the mean score of each search item that it was judged on."""
    allowed, arms = _search_items(context), {arm_of(one): one for one in hashes}
    verdicts, model = context.judged.verdicts, gate_model(context)
    replies: dict[str, dict[str, list[bool]]] = {one: {} for one in hashes}
    for attempt in context.judged.attempts.values():
        outcome = verdicts[attempt.id].judgement.outcome if attempt.id in verdicts else "ungraded"
        asked = (attempt.stage, attempt.model) == ("gate", model) and attempt.problem_id in allowed
        if asked and attempt.arm in arms and outcome != "ungraded":
            replies[arms[attempt.arm]].setdefault(attempt.problem_id, []).append(outcome == "pass")
    return {one: {item: sum(found) / len(found) for item, found in items.items()} for one, items in replies.items()}


def _search_items(context: RunContext) -> set[str]:
    problems = context.problems.open("validation", "gate")
    batches = gate_rule(context.config).batches(len(problems), 0, context.config.seed)
    return {problems[i].id for batch in batches for i in batch}


def _rows(context: RunContext, hashes: Sequence[str]) -> list[list[float | None]]:
    """Per strategy one score per search item, all in the same order."""
    scores, items = item_scores(context, hashes), sorted(_search_items(context))
    return [[scores[one].get(item) for item in items] for one in hashes]


def merge_is_due(context: RunContext, state: TransferState) -> bool:
    """After every second round of a search from the front, once there is something to compare."""
    return context.config.searching == "pareto" and state["round"] % MERGE_EVERY == 0


async def merge(state: TransferState, runtime: Runtime[RunContext]) -> dict[str, Any]:
    """Test a strategy made of the bullets that seem to help, of all that were measured so far."""
    context, number = runtime.context, state["round"]
    context.events.stage(f"Round {number}: merging what seems to help")
    effects = _effects(context, state)
    candidate, note = _merged(context, state, effects)
    result: GateResult | None = None
    if candidate and not note:
        save_strategy(context.run, candidate, "candidate")
        result = await compare_strategies(context, state["current"], candidate.hash, number)
        record_kept(context, candidate, result)
    accepted = bool(result and result.accepted)
    entry = Reflection(
        id=f"merge-{number}",
        round=number,
        batch=number,
        attempt_ids=(),
        journal=_journal(effects),
        edits=(),
        parent_hash=state["current"],
        candidate_hash=candidate.hash if result and candidate else None,
        gate=result,
        accepted=accepted,
        note=note or "made of all bullets that seem to help",
        teacher="estimated effects",
    )
    context.run.append("reflections.jsonl", [entry])
    context.events.info(result.reason if result else f"nothing is merged: {note}")
    return after_gate(context, state, candidate.hash if accepted and candidate else None)


def record_kept(context: RunContext, candidate: Strategy, result: GateResult) -> None:
    """Write what the gate said to the candidate's version, and the gain to the bullets that it brought."""
    if candidate.parent:
        candidate = with_lift(candidate, load_strategy(context.run, candidate.parent), result.difference)
    save_strategy(context.run, candidate, "accepted" if result.accepted else "rejected", gate=result)


def _tried(context: RunContext, state: TransferState) -> list[Strategy]:
    """The draft and every strategy that was measured in a finished round."""
    measured = [r.candidate_hash for r in _finished(context, state) if r.candidate_hash and r.gate]
    return [load_strategy(context.run, one) for one in dict.fromkeys([state["draft"], *measured])]


def _finished(context: RunContext, state: TransferState) -> list[Reflection]:
    """Entries of the rounds so far, without this round's merge: a repeated step must not see itself."""
    own = f"merge-{state['round']}"
    found = context.run.read("reflections.jsonl", Reflection)
    return [r for r in found if r.round <= state["round"] and r.id != own]


def _effects(context: RunContext, state: TransferState) -> dict[str, Effect]:
    tried = _tried(context, state)
    scores = item_scores(context, [strategy.hash for strategy in tried])
    return bullet_effects(
        [Measured(frozenset(bullet.text for bullet in one.bullets), scores[one.hash]) for one in tried]
    )


def _merged(context: RunContext, state: TransferState, effects: Mapping[str, Effect]) -> tuple[Strategy | None, str]:
    """The merged strategy, or the reason why there is none to test."""
    tried, number = _tried(context, state), state["round"]
    if len(tried) < 3:
        return None, "too few strategies were measured"
    base = load_strategy(context.run, state["current"])
    lifts = {text: effect.lift for text, effect in effects.items()}
    merged = merge_by_effects(base, tried, lifts, number, lambda text: not check_size(text, count_tokens))
    if merged is None:
        return None, "the best strategy has every bullet that seems to help"
    if merged.hash in tried_before(state["draft"], _finished(context, state), number + 1):
        return None, "the merged strategy was tried before"
    return merged, refusal(context, merged)


def _journal(effects: Mapping[str, Effect]) -> str:
    """The estimates, the largest first."""
    ranked = sorted(effects.items(), key=lambda pair: (-pair[1].lift, pair[0]))
    shown = [*ranked[: LISTED // 2], *ranked[max(LISTED // 2, len(ranked) - LISTED // 2) :]]
    lines = [f"{100 * e.lift:+.1f} ± {196 * e.error:.1f} points: {text}" for text, e in shown]
    return "\n".join(["Estimated gain of each bullet, from all strategies measured so far:", *lines])
