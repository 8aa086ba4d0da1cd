"""The transfer graph: the nine stages and the ways between them.

`builder` is uncompiled, so that `langgraph.json` can export it and the runner can give it a
checkpointer.
"""

from __future__ import annotations

from typing import Any

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from graphs.ablation import ablate
from graphs.approval import carry_out, decide_by_rule, review, route_decision, route_review
from graphs.context import RunContext
from graphs.crossmodel import measure_source, reoptimise_builder, route_survey, select, survey
from graphs.feedback import next_round, relearn_builder, route_feedback, route_next_round, student_feedback
from graphs.learning import learning_builder
from graphs.preparation import prepare_splits, student_baseline, teacher_baseline
from graphs.regating import gate_edit
from graphs.state import TransferState
from graphs.teaching import curate, evaluate_arm, report, route_evaluation, route_training, train_arm
from graphs.transfers import other_domains
from graphs.validation import send_validators, validate


async def prepare_validation(state: TransferState, runtime: Runtime[RunContext]) -> dict[str, Any]:
    """Where the validators' branches start (also again, after an edit by the reviewer)."""
    return {"notice": state.get("notice", "")}


async def collect_verdicts(state: TransferState, runtime: Runtime[RunContext]) -> dict[str, Any]:
    """Where the validators' branches meet."""
    return {}


def transfer_builder() -> StateGraph[TransferState, RunContext, TransferState, TransferState]:
    """All nodes and edges."""
    builder = StateGraph(TransferState, context_schema=RunContext)
    nodes: list[Any] = [
        *(prepare_splits, student_baseline, teacher_baseline, prepare_validation, validate, collect_verdicts),
        *(review, decide_by_rule, carry_out, other_domains, curate, train_arm, evaluate_arm, report),
        *(survey, select, measure_source, ablate, student_feedback, next_round, gate_edit),
    ]
    for node in nodes:
        builder.add_node(node.__name__, node)
    builder.add_node("learn", learning_builder().compile())
    builder.add_node("reoptimise", reoptimise_builder().compile())
    builder.add_node("relearn", relearn_builder().compile())
    builder.add_edge(START, "prepare_splits")
    builder.add_edge("prepare_splits", "student_baseline")
    builder.add_edge("student_baseline", "teacher_baseline")
    builder.add_edge("teacher_baseline", "learn")
    builder.add_edge("learn", "survey")
    builder.add_conditional_edges("survey", route_survey)
    builder.add_edge("reoptimise", "survey")
    builder.add_edge("select", "prepare_validation")
    builder.add_conditional_edges("prepare_validation", send_validators, ["validate"])
    builder.add_edge("validate", "collect_verdicts")
    builder.add_edge("collect_verdicts", "measure_source")
    builder.add_edge("measure_source", "ablate")
    builder.add_conditional_edges("ablate", route_review)
    builder.add_edge("review", "carry_out")
    builder.add_edge("decide_by_rule", "carry_out")
    builder.add_conditional_edges("carry_out", route_decision)
    builder.add_edge("gate_edit", "prepare_validation")
    builder.add_edge("other_domains", "curate")
    builder.add_conditional_edges("curate", route_training)
    builder.add_conditional_edges("train_arm", route_training)
    builder.add_conditional_edges("evaluate_arm", route_evaluation)
    builder.add_conditional_edges("student_feedback", route_feedback)
    builder.add_edge("relearn", "next_round")
    builder.add_conditional_edges("next_round", route_next_round)
    builder.add_edge("report", END)
    return builder


builder = transfer_builder()
