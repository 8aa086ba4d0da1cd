"""A question of one's own to the student, as it was and as it was trained, answered by the local model on demand.

Guaranteed: nothing is written to the run; the prompts are those of the run's own evaluation, with the approved strategy
where an arm has it; one question at a time, and none while a process works on the run, because two models on one
processor slow each other many times over; the model's memory is given back after each question. Not guaranteed: a quick
answer, as the model is loaded each time; and the server keeps the memory of the libraries that run it.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse

from agents.solver import render_messages
from console.web.facts import Facts, word
from console.web.flow import is_worked_on
from console.web.overview import config_of
from console.web.server import console_of, page
from console.web.store import HASH, Store
from domains import get_domain
from domains.base import DomainError
from evaluation.tables import arm_order
from graphs.strategies import load_strategy
from models.calls import CallError, CallRequest, Reply
from models.local_caller import LocalCaller
from models.spec import ModelSpec, SpecError, parse_spec
from records.nouns import Problem, Strategy

router = APIRouter()
MOST_QUESTION = 8_000  # characters
MOST_ARMS = 6
REPLY_TOKENS = 320  # where the run's domain is not known
WITH_STRATEGY = ("base+strategy", "lora_strategy")
_BUSY = threading.Lock()


@dataclass(frozen=True)
class Pupil:
    """The student in one arm."""

    arm: str
    spec: ModelSpec
    strategy: Strategy | None


@router.post("/runs/{name}/student/ask")
async def ask(request: Request, name: str, question: Annotated[str, Form()] = "") -> HTMLResponse:
    """The answers of all arms side by side, or why there are none; the question is kept."""
    store = console_of(request).library.store(name)
    question = question.replace("\r\n", "\n").strip()
    refused, answers = why_not(store) or _problem_of(question), list[dict[str, Any]]()
    if not refused and not _BUSY.acquire(blocking=False):
        refused = "Another question is being answered; ask again when it is."
    elif not refused:
        try:
            answers = await _answers(store, question)
        finally:
            _BUSY.release()
    return page(
        request, "asked.html", 409 if refused else 200, run=store, section="student", question=question,
        refused=refused, answers=answers, domain=word(config_of(store), "domain"),
    )  # fmt: skip


def why_not(store: Store) -> str:
    """Why the student of this run cannot be asked now; "" if it can."""
    try:
        spec = parse_spec(word(config_of(store), "student") or "embedded")
    except SpecError as error:
        return str(error)
    if not spec.local:
        return f"The student, {spec}, does not run on this machine."
    if is_worked_on(store.path):
        return "A process works on this run; two models on one machine slow each other. Ask when it has ended."
    return ""


def _problem_of(question: str) -> str:
    if not question:
        return "The question is empty."
    return f"A question has {MOST_QUESTION:,} characters at most." if len(question) > MOST_QUESTION else ""


def pupils(store: Store) -> list[Pupil]:
    """The untrained student, and the first seed of each finished adapter."""
    base, approved = parse_spec(word(config_of(store), "student") or "embedded"), _approved(store)
    found = [Pupil("base", base, None)] + ([Pupil("base+strategy", base, approved)] if approved else [])
    done = {path.parent.name.removesuffix("-seed0") for path in store.path.glob("adapters/*-seed0/done.json")}
    for arm in sorted(done, key=arm_order):
        needs = arm.partition(".")[0] in WITH_STRATEGY  # a later round's is called lora_strategy.round2
        if approved or not needs:
            trained = base.model_copy(update={"adapter": str(store.inside(f"adapters/{arm}-seed0"))})
            found.append(Pupil(arm, trained, approved if needs else None))
    return found[:MOST_ARMS]


def _approved(store: Store) -> Strategy | None:
    hashes = [word(row, "approved_hash") for row in Facts(store).decisions if row.get("approved_hash")]
    return load_strategy(store.run, hashes[-1]) if hashes and HASH.fullmatch(hashes[-1]) else None


async def _answers(store: Store, question: str) -> list[dict[str, Any]]:
    caller, limit = LocalCaller(batch_limit=1), _reply_tokens(store)
    try:
        return [await _answer(caller, pupil, question, limit) for pupil in pupils(store)]
    finally:
        await caller.close()


async def _answer(caller: LocalCaller, pupil: Pupil, question: str, limit: int) -> dict[str, Any]:
    messages = render_messages(_asked(question), pupil.strategy.text if pupil.strategy else None)
    request = CallRequest(
        model=str(pupil.spec), messages=messages, max_tokens=limit, stage="question", agent="student"
    )  # fmt: skip
    try:
        reply: Reply = await caller.call(pupil.spec, request)
    except CallError as error:
        return {"arm": pupil.arm, "text": "", "error": str(error), "cut": False}
    return {"arm": pupil.arm, "text": reply.text, "error": "", "cut": reply.finish_reason == "length"}


def _asked(question: str) -> Problem:
    """The question in the shape of a problem, so that it is put as the run's problems are."""
    return Problem(
        id="question", domain="question", split="test", family="question", difficulty="easy", prompt=question,
        reference="", content_hash="question",
    )  # fmt: skip


def _reply_tokens(store: Store) -> int:
    config = config_of(store)
    decoding = config.get("decoding")
    most = decoding.get("max_tokens") if isinstance(decoding, dict) else None
    try:
        return int(most or get_domain(word(config, "domain")).reply_tokens)
    except (DomainError, ValueError, TypeError):
        return REPLY_TOKENS
