"""Stage 3, the LRL loop as a subgraph: solve a batch, verify, reflect, edit the strategy, gate."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, Literal

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from agents.playbook import EditError, apply_edits, check_size
from agents.teacher import Graded
from evaluation.leakage import check_strategy
from graphs.attempts import attempt_all, share_passed, teacher_jobs
from graphs.context import RunContext
from graphs.gating import compare_strategies
from graphs.state import TransferState
from graphs.strategies import load_strategy, save_strategy
from models.tokens import count_tokens
from records.nouns import Attempt, Edit, GateResult, Problem, Reflection, Strategy, Verdict

EXAMPLE_TASKS = 3  # shown to the teacher before it has seen any result


async def draft_strategy(state: TransferState, runtime: Runtime[RunContext]) -> dict[str, Any]:
    """The strategy that the teacher writes before it has seen any result: the one_shot arm."""
    context = runtime.context
    context.events.stage("First strategy, written without results")
    draft = await context.teacher.draft(_example_tasks(context))
    save_strategy(context.run, draft, "draft")
    size = f"{len(draft.bullets)} bullets, {count_tokens(draft.text)} tokens"
    context.events.info("; ".join(filter(None, (size, context.teacher.note))))
    return {"draft": draft.hash, "current": draft.hash, "round": 0, "rejected": []}


def _example_tasks(context: RunContext) -> list[Problem]:
    """A few training problems of different families: they show what the task is, not its results."""
    families = {problem.family: problem for problem in reversed(context.problems.open("train", "reflector"))}
    return [families[name] for name in sorted(families)][:EXAMPLE_TASKS]


async def solve_batch(state: TransferState, runtime: Runtime[RunContext]) -> dict[str, Any]:
    """Several attempts of the teacher at each problem of this round's batch, judged."""
    context, number = runtime.context, state["round"] + 1
    strategy = load_strategy(context.run, state["current"])
    jobs = [
        job
        for problem in batch_of(context, number)
        for sample in range(context.config.loop.attempts)
        for job in teacher_jobs(context, [problem], strategy, stage="lrl", arm="learning", sample=sample, round=number)
    ]
    graded = await attempt_all(context, f"Round {number}: the teacher solves a batch", jobs)
    context.events.info(share_passed(graded))
    return {"attempt_ids": [item.attempt.id for item in graded], "parent": strategy.hash}


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
    rejected = [r for r in context.run.read("reflections.jsonl", Reflection) if not r.accepted]
    journal = await context.teacher.reflect(graded, strategy, rejected, number)
    edits = await context.teacher.propose(journal, graded, strategy, rejected, number)
    candidate, note = _candidate(context, strategy, edits, number)
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
    note = "; ".join(filter(None, (note, context.teacher.note)))
    context.events.info(f"{len(edits)} edits proposed" + (f"; {note}" if note else ""))
    return {"candidate": candidate}


def _graded(context: RunContext, attempt_ids: Sequence[str]) -> list[Graded]:
    """The batch as it stands on disk. Only train problems can be opened here."""
    attempts = {a.id: a for a in context.run.read("attempts.jsonl", Attempt)}
    verdicts = {v.id: v for v in context.run.read("verdicts.jsonl", Verdict)}
    return [
        Graded(
            problem=context.problems.get(attempts[i].problem_id, "reflector"),
            attempt=attempts[i],
            judgement=verdicts[i].judgement,
        )
        for i in attempt_ids
        if i in attempts
    ]


def _candidate(context: RunContext, strategy: Strategy, edits: Sequence[Edit], number: int) -> tuple[str | None, str]:
    """Hash of the edited strategy, or None and the reason why there is none to test."""
    if not edits:
        return None, "no edit was proposed"
    try:
        candidate = apply_edits(strategy, edits, number)
    except EditError as error:
        return None, str(error)
    if candidate.hash == strategy.hash:
        return None, "the edits change nothing"
    if problem := check_size(candidate.text, count_tokens):
        return None, problem
    if leaks := check_strategy(candidate.text, context.run.read("problems.jsonl", Problem)):
        return None, "it carries answers: " + "; ".join(str(leak) for leak in leaks[:3])
    save_strategy(context.run, candidate, "candidate")
    return candidate.hash, ""


async def gate(state: TransferState, runtime: Runtime[RunContext]) -> dict[str, Any]:
    """A paired test on validation items decides; the reflection is recorded either way."""
    context, number = runtime.context, state["round"] + 1
    proposal = next(p for p in context.run.read("proposals.jsonl", Reflection) if p.round == number)
    result: GateResult | None = None
    if proposal.candidate_hash:
        result = await compare_strategies(context, state["current"], proposal.candidate_hash, number)
        _keep(context, proposal.candidate_hash, result)
        context.events.info(result.reason)
    accepted = bool(result and result.accepted)
    final = proposal.model_copy(update={"gate": result, "accepted": accepted})
    context.run.append("reflections.jsonl", [final])
    return {
        "round": number,
        "current": proposal.candidate_hash if accepted else state["current"],
        "candidate": None,
        "rejected": state.get("rejected", []) + ([] if accepted else [final.id]),
    }


def _keep(context: RunContext, candidate_hash: str, result: GateResult) -> None:
    candidate = load_strategy(context.run, candidate_hash)
    save_strategy(context.run, candidate, "accepted" if result.accepted else "rejected", gate=result)


async def distill(state: TransferState, runtime: Runtime[RunContext]) -> dict[str, Any]:
    """The teacher makes the final wording portable; a rewording must pass the same checks."""
    context = runtime.context
    context.events.stage("Distillation into a portable strategy")
    current = load_strategy(context.run, state["current"])
    reflections = context.run.read("reflections.jsonl", Reflection)
    final = await context.teacher.distill(current, reflections)
    if final.hash != current.hash and _refusal(context, final):
        context.events.info(f"the rewording is not used: {_refusal(context, final)}")
        final = current
    if final.hash != current.hash:
        save_strategy(context.run, final, "final")
    context.events.info(f"strategy {final.hash}: {len(final.bullets)} bullets, {count_tokens(final.text)} tokens")
    return {"current": final.hash}


def _refusal(context: RunContext, strategy: Strategy) -> str:
    leaks = check_strategy(strategy.text, context.run.read("problems.jsonl", Problem))
    return check_size(strategy.text, count_tokens) or "; ".join(str(leak) for leak in leaks[:3])


def route_round(state: TransferState, runtime: Runtime[RunContext]) -> Literal["solve_batch", "distill"]:
    """Another round, or the end of the loop."""
    return "solve_batch" if state["round"] < runtime.context.config.loop.rounds else "distill"


def learning_builder() -> StateGraph[TransferState, RunContext, TransferState, TransferState]:
    """The LRL loop."""
    builder = StateGraph(TransferState, context_schema=RunContext)
    nodes: list[Any] = [draft_strategy, solve_batch, reflect, gate, distill]
    for node in nodes:
        builder.add_node(node.__name__, node)
    builder.add_edge(START, "draft_strategy")
    builder.add_conditional_edges("draft_strategy", route_round)
    builder.add_edge("solve_batch", "reflect")
    builder.add_edge("reflect", "gate")
    builder.add_conditional_edges("gate", route_round)
    builder.add_edge("distill", END)
    return builder
