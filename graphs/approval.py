"""Stage 5: a person, or a named rule, decides about the strategy.

The `review` node holds nothing but the interrupt, because a resumed node runs again from its
start; everything with an effect happens in `carry_out`.
"""

from __future__ import annotations

from typing import Any, Literal

from langgraph.runtime import Runtime
from langgraph.types import interrupt
from pydantic import ValidationError

from agents.playbook import check_size, parse_strategy
from evaluation.leakage import check_strategy
from graphs.context import RunContext
from graphs.inbox import now
from graphs.item_ledger import record_use
from graphs.state import TransferState
from graphs.strategies import load_strategy, save_strategy
from models.tokens import count_tokens
from records.nouns import Action, Decision, Problem, Record


class Answer(Record):
    """What is asked of the reviewer: the response schema of the interrupt."""

    action: Action
    strategy_hash: str
    who: str
    reason: str = ""
    text: str | None = None  # the whole edited strategy, for "edit"
    time: str = ""  # when it was decided; "": now


def review(state: TransferState) -> dict[str, Any]:
    """Stop until somebody answers."""
    answer = interrupt(
        {
            "review": state.get("reviews", 0) + 1,
            "strategy_hash": state["current"],
            "draft_hash": state["draft"],
            "verdicts": state.get("verdicts", {}),
            "notice": state.get("notice", ""),
        },
        response_schema=Answer,
    )
    plain = answer.model_dump(mode="json") if isinstance(answer, Answer) else answer
    return {"decision": plain}


async def decide_by_rule(state: TransferState, runtime: Runtime[RunContext]) -> dict[str, Any]:
    """`gate`: use it unless it harms a validator or leaks. `always`, `never`: as they say."""
    context = runtime.context
    rule = context.config.approve
    harmed = [spec for spec, word in state.get("verdicts", {}).items() if word == "harmful"]
    leaks = check_strategy(
        load_strategy(context.run, state["current"]).text, context.run.read("problems.jsonl", Problem)
    )
    refused = rule == "never" or (rule == "gate" and bool(harmed or leaks))
    reason = {
        "never": "no strategy is to be used",
        "always": "used without a test",
        "gate": "neither harmful to a validator nor leaking",
    }[rule]
    if rule == "gate" and refused:
        reason = f"harmful to {', '.join(harmed)}" if harmed else f"it leaks: {leaks[0]}"
    answer = Answer(
        action="reject" if refused else "approve", strategy_hash=state["current"], who=f"rule: {rule}", reason=reason
    )
    return {"decision": answer.model_dump(mode="json")}


async def carry_out(state: TransferState, runtime: Runtime[RunContext]) -> dict[str, Any]:
    """Record the decision; an edited strategy is checked and goes to the gate and back to validation."""
    context = runtime.context
    reviews = state.get("reviews", 0) + 1
    shown = context.problems.open("validation", "validator")
    record_use(context, "approval", f"review {reviews}", shown, [state["current"]])
    again: dict[str, Any] = {"decision": None, "reviews": reviews, "approved": None}
    try:
        answer = Answer.model_validate(state["decision"])
    except ValidationError as error:
        return {**again, "notice": f"the answer was not understood: {error.errors()[0]['msg']}"}
    if answer.strategy_hash != state["current"]:
        return {**again, "notice": f"the answer was about {answer.strategy_hash}, which is not the strategy at hand"}
    if answer.action == "edit":
        return {**again, **_edited(context, state, answer, reviews)}
    approved = answer.strategy_hash if answer.action == "approve" else None
    _record(context, answer, approved, reviews)
    context.events.info(f"{answer.who}: {answer.action}" + (f" ({answer.reason})" if answer.reason else ""))
    if approved is None:
        context.events.info("the run goes on with the arms that need no strategy")
    return {"decision": answer.model_dump(mode="json"), "notice": "", "reviews": reviews, "approved": approved}


def _edited(context: RunContext, state: TransferState, answer: Answer, reviews: int) -> dict[str, Any]:
    """Check the edited text; it counts only once it was validated and then approved."""
    parent = load_strategy(context.run, state["current"])
    edited = parse_strategy(answer.text or "", name="edited by " + answer.who, parent=parent)
    leaks = check_strategy(edited.text, context.run.read("problems.jsonl", Problem))
    problem = check_size(edited.text, count_tokens) or "; ".join(str(leak) for leak in leaks[:3])
    if edited.hash == parent.hash:
        return {"notice": "the edit changes nothing"}
    if problem:
        return {"notice": f"the edit cannot be used: {problem}"}
    save_strategy(context.run, edited, "edited", note=answer.reason)
    _record(context, answer, None, reviews)
    return {"current": edited.hash, "notice": "edited"}


def _record(context: RunContext, answer: Answer, approved: str | None, reviews: int) -> None:
    before = context.decided.get(f"decision-{reviews}")
    decision = Decision(
        id=f"decision-{reviews}",
        action=answer.action,
        strategy_hash=answer.strategy_hash,
        approved_hash=approved,
        who=answer.who,
        reason=answer.reason,
        time=before.time if before else answer.time or now(),
        text=answer.text,
    )
    context.run.append("decisions.jsonl", [decision])


def route_review(state: TransferState, runtime: Runtime[RunContext]) -> Literal["review", "decide_by_rule"]:
    """A person is asked, or a rule decides."""
    return "review" if runtime.context.config.approve == "ask" else "decide_by_rule"


def route_decision(state: TransferState) -> Literal["gate_edit", "review", "other_domains"]:
    """After an edit: measure it. After a misunderstanding: ask again. Otherwise: go on."""
    if state["decision"] is not None:
        return "other_domains"
    return "gate_edit" if state["notice"].startswith("edited") else "review"
