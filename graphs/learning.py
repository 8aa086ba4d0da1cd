"""Stage 3, the LRL loop as a subgraph: solve a batch, verify, reflect, edit the strategy, gate; then the proof."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, Literal

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from agents.playbook import EditError, apply_edits, parse_strategy
from agents.teacher import Graded
from graphs.attempts import attempt_all, share_passed, teacher_jobs
from graphs.confirmation import confirm
from graphs.context import RunContext
from graphs.gating import compare_strategies
from graphs.gepa_search import gepa
from graphs.refusals import Change, change_of, refusal, reworded, tried_before, without_faults
from graphs.search import after_gate, merge, merge_is_due, parent_of_round, record_kept
from graphs.state import TransferState
from graphs.strategies import load_strategy, save_strategy
from models.tokens import count_tokens
from prompts import load_strategy_file
from records.nouns import Edit, GateResult, Problem, Reflection, Strategy

EXAMPLE_TASKS = 3  # shown to the teacher before it has seen any result
SEED_NOTICE = (
    "The teacher wrote no first strategy that could be read and could stand: this one is, or was edited from, the "
    "domain's own seed strategy."
)


async def draft_strategy(state: TransferState, runtime: Runtime[RunContext]) -> dict[str, Any]:
    """The strategy that the teacher writes before it has seen any result: the one_shot arm.

    It goes on without what must not stand in a strategy; if nothing is left, with the domain's own seed.
    """
    context = runtime.context
    context.events.stage("First strategy, written without results")
    draft, faults = without_faults(context, await context.teacher.draft(_example_tasks(context)))
    in_place = not draft.bullets
    if in_place:
        draft = parse_strategy(load_strategy_file(context.domain.name), name=context.domain.name)
        faults = [*faults, "no bullet of the draft could stand: the domain's seed strategy takes its place"]
    note = "; ".join(filter(None, (context.teacher.note, *faults)))
    save_strategy(context.run, draft, "draft", note=note, seed=in_place)
    size = f"{len(draft.bullets)} bullets, {count_tokens(draft.text)} tokens"
    context.events.info("; ".join(filter(None, (size, note))))
    begun: dict[str, Any] = {"draft": draft.hash, "current": draft.hash, "pool": [draft.hash], "round": 0}
    return {**begun, "rejected": [], "notice": SEED_NOTICE if in_place else ""}


def _example_tasks(context: RunContext) -> list[Problem]:
    """A few training problems of different families: they show what the task is, not its results."""
    families = {problem.family: problem for problem in reversed(context.problems.open("train", "reflector"))}
    return [families[name] for name in sorted(families)][:EXAMPLE_TASKS]


async def solve_batch(state: TransferState, runtime: Runtime[RunContext]) -> dict[str, Any]:
    """The teacher's attempts at this round's batch, with the strategy that the round edits."""
    context, number = runtime.context, state["round"] + 1
    return await solved_batch(context, parent_of_round(context, state, number), number)


async def solved_batch(context: RunContext, parent: str, number: int) -> dict[str, Any]:
    """Several attempts of the teacher at each problem of a round's batch, judged; `parent` is the strategy's hash."""
    strategy = load_strategy(context.run, parent)
    jobs = [
        job
        for problem in batch_of(context, number)
        for sample in range(context.config.loop.attempts)
        for job in teacher_jobs(context, [problem], strategy, stage="lrl", arm="learning", sample=sample, round=number)
    ]
    graded = await attempt_all(context, f"Round {number}: the teacher solves a batch", jobs)
    context.events.info(share_passed(graded))
    return {"attempt_ids": [item.attempt.id for item in graded], "parent": parent}


def batch_of(context: RunContext, number: int) -> list[Problem]:
    """The next problems of a fixed random order of the train split."""
    problems = context.problems.open("train", "reflector")
    random.Random(f"{context.config.seed}/batches").shuffle(problems)
    size = context.config.loop.batch
    start = (number - 1) * size % len(problems)
    return (problems + problems)[start : start + min(size, len(problems))]


async def reflect(state: TransferState, runtime: Runtime[RunContext]) -> dict[str, Any]:
    """Read the verdicts, write the journal, propose edits; what cannot stand is refused here."""
    context, number = runtime.context, state["round"] + 1
    context.events.stage(f"Round {number}: reflection")
    strategy = load_strategy(context.run, state["parent"])
    graded = _graded(context, state["attempt_ids"])
    earlier = context.run.read("reflections.jsonl", Reflection)
    rejected = [r for r in earlier if not r.accepted and r.round < number]  # a repeated step sees what it saw
    journal = await context.teacher.reflect(graded, strategy, rejected, number)
    edits = await context.teacher.propose(journal, graded, strategy, rejected, number)
    candidate, note = _candidate(context, strategy, edits, state)
    note = "; ".join(filter(None, (note, context.teacher.note)))
    proposal = Reflection(
        id=f"reflection-{number}",
        round=number,
        batch=number,
        attempt_ids=tuple(state["attempt_ids"]),
        journal=journal,
        edits=tuple(edits),
        parent_hash=strategy.hash,
        candidate_hash=candidate,
        gate=None,
        accepted=False,
        note=note,
        teacher=context.teacher.writer,
    )
    context.run.append("proposals.jsonl", [proposal])
    context.events.info(f"{len(edits)} edits proposed" + (f"; {note}" if note else ""))
    return {"candidate": candidate}


def _graded(context: RunContext, attempt_ids: Sequence[str]) -> list[Graded]:
    """The batch as it stands on disk. Only train problems can be opened here."""
    attempts, verdicts = context.judged.attempts, context.judged.verdicts
    return [
        Graded(
            problem=context.problems.get(attempts[i].problem_id, "reflector"),
            attempt=attempts[i],
            judgement=verdicts[i].judgement,
        )
        for i in attempt_ids
        if i in attempts
    ]


def _candidate(
    context: RunContext, strategy: Strategy, edits: Sequence[Edit], state: TransferState
) -> tuple[str | None, str]:
    """Hash of the edited strategy, or None and the reason why there is none to test."""
    number = state["round"] + 1
    if not edits:
        return None, "no edit was proposed"
    try:
        candidate = apply_edits(strategy, edits, number)
    except EditError as error:
        return None, str(error)
    if problem := refusal(context, candidate):
        return None, problem
    if candidate.hash in tried_before(state["draft"], context.run.read("reflections.jsonl", Reflection), number):
        return None, f"strategy {candidate.hash} was tried before"
    if fault := reworded(change_of(candidate, strategy), _refused_changes(context, number)):
        return None, fault
    save_strategy(context.run, candidate, "candidate")
    return candidate.hash, ""


def _refused_changes(context: RunContext, number: int) -> dict[int, Change]:
    """The changes that a test with a level of its own has refused before round `number`, by their round."""
    earlier = [r for r in context.run.read("reflections.jsonl", Reflection) if r.round < number and not r.accepted]
    tested = [r for r in earlier if r.candidate_hash and r.gate and r.gate.alpha_spent is not None]
    return {
        r.round: change_of(
            load_strategy(context.run, str(r.candidate_hash)), load_strategy(context.run, str(r.parent_hash))
        )
        for r in tested
    }


async def gate(state: TransferState, runtime: Runtime[RunContext]) -> dict[str, Any]:
    """A paired test on validation items decides; the reflection is recorded either way."""
    context, number = runtime.context, state["round"] + 1
    proposal = next(p for p in context.run.read("proposals.jsonl", Reflection) if p.round == number)
    result: GateResult | None = None
    if proposal.candidate_hash:
        result = await compare_strategies(context, state["parent"], proposal.candidate_hash, number)
        record_kept(context, load_strategy(context.run, proposal.candidate_hash), result)
        context.events.info(result.reason)
    accepted = bool(result and result.accepted)
    final = proposal.model_copy(update={"gate": result, "accepted": accepted})
    context.run.append("reflections.jsonl", [final])
    return {
        "round": number,
        "candidate": None,
        "rejected": state.get("rejected", []) + ([] if accepted else [final.id]),
        **after_gate(context, state, proposal.candidate_hash if accepted else None),
    }


async def distill(state: TransferState, runtime: Runtime[RunContext]) -> dict[str, Any]:
    """The teacher makes the final wording portable; a rewording must pass the same checks."""
    context = runtime.context
    context.events.stage("Distillation into a portable strategy")
    proves = context.config.gate.rule == "confirm"
    if proves and state["current"] == state["draft"]:
        context.events.info("no edit was kept: the first draft stands as it is")
        return {"current": state["current"]}
    current = load_strategy(context.run, state["current"])
    reflections = context.run.read("reflections.jsonl", Reflection)
    final = await context.teacher.distill(current, reflections)
    earlier = tried_before(state["draft"], reflections, state["round"] + 1)
    if final.hash != current.hash:
        fault = "it is an earlier version" if final.hash in earlier else refusal(context, final)
        if fault := fault or await _worse(context, state, final):
            context.events.info(f"the rewording is not used: {fault}")
            final = current
    if final.hash != current.hash:
        save_strategy(context.run, final, "final")
    context.events.info(f"strategy {final.hash}: {len(final.bullets)} bullets, {count_tokens(final.text)} tokens")
    return {"current": final.hash}


async def _worse(context: RunContext, state: TransferState, final: Strategy) -> str:
    """Under `gate.rule=confirm` a rewording that solves fewer of the search's items is not taken to the proof."""
    if context.config.gate.rule != "confirm":
        return ""
    save_strategy(context.run, final, "candidate")
    result = await compare_strategies(context, state["current"], final.hash, state["round"] + 1)
    save_strategy(context.run, final, "rejected", gate=result, note="the rewording")
    return "" if result.difference is None or result.difference >= 0 else f"it solves fewer items: {result.reason}"


def route_round(state: TransferState, runtime: Runtime[RunContext]) -> Literal["solve_batch", "distill"]:
    """Another round, or the end of the loop."""
    return "solve_batch" if state["round"] < runtime.context.config.loop.rounds else "distill"


def route_gate(state: TransferState, runtime: Runtime[RunContext]) -> Literal["merge", "solve_batch", "distill"]:
    """A merge where one is due, then as after any round."""
    return "merge" if merge_is_due(runtime.context, state) else route_round(state, runtime)


def route_search(state: TransferState, runtime: Runtime[RunContext]) -> Literal["gepa", "solve_batch", "distill"]:
    """GEPA's own loop, or ours."""
    return "gepa" if runtime.context.config.searching == "gepa" else route_round(state, runtime)


def learning_builder() -> StateGraph[TransferState, RunContext, TransferState, TransferState]:
    """The LRL loop."""
    builder = StateGraph(TransferState, context_schema=RunContext)
    nodes: list[Any] = [draft_strategy, solve_batch, reflect, gate, merge, gepa, distill, confirm]
    for node in nodes:
        builder.add_node(node.__name__, node)
    builder.add_edge(START, "draft_strategy")
    builder.add_conditional_edges("draft_strategy", route_search)
    builder.add_edge("solve_batch", "reflect")
    builder.add_edge("reflect", "gate")
    builder.add_conditional_edges("gate", route_gate)
    builder.add_conditional_edges("merge", route_round)
    builder.add_edge("gepa", "distill")
    builder.add_edge("distill", "confirm")
    builder.add_edge("confirm", END)
    return builder
