"""Solves one problem with one model: the student, a validator, and a teacher's own attempts.

Guaranteed: every prompt of a run, in training and in testing, comes from `render_messages`, so a
student is tested on exactly the text shape that it was trained on; attempt ids are deterministic;
`solve` never raises for a failed call, the attempt carries the error instead.
Not guaranteed: that a reply is complete (`Attempt.truncated`) or harmless.
"""

from __future__ import annotations

import hashlib
import re
from typing import Protocol

import prompts
from models.gateway import CallRequest
from models.spec import ModelSpec
from records.config import Decoding
from records.nouns import Attempt, Completion, Message, Problem


class Completer(Protocol):
    """The part of the gateway that an agent uses."""

    async def complete(self, request: CallRequest) -> Completion:
        """Make one call; a failure is a completion with `error` set."""
        ...


def render_messages(problem: Problem, context: str | None) -> tuple[Message, ...]:
    """What a model is shown: the context as system message, if there is one, then the problem."""
    user = Message(role="user", content=problem.prompt)
    if context is None:
        return (user,)
    system = prompts.load("solve_system").render(strategy=context)
    return Message(role="system", content=system), user


def attempt_id(stage: str, arm: str, slug: str, problem_id: str, *, sample: int, round: int | None = None) -> str:
    """The id of an attempt: the same place in a run gives the same id, so a rerun adds no rows."""
    parts = [stage, arm, slug, problem_id, str(sample)]
    return "/".join([*parts, f"r{round}"] if round is not None else parts)


def model_slug(model: str) -> str:
    """A model spec as one readable path part; specs that carry paths or URLs get a short hash."""
    if "/" not in model:
        return _plain(model)
    base, _, adapter = model.partition("+")
    provider, _, name = base.partition("@")[0].partition(":")
    words = [provider, name.rstrip("/").rpartition("/")[2], adapter.rstrip("/").rpartition("/")[2]]
    digest = hashlib.sha256(model.encode("utf-8")).hexdigest()[:6]
    return "-".join([*(_plain(word) for word in words if word), digest])


class Solver:
    """One model in one role. Safe to use from many tasks at once."""

    def __init__(
        self,
        gateway: Completer,
        spec: ModelSpec | str,
        agent_name: str,
        decoding: Decoding,
        *,
        reply_tokens: int = 512,
        label: str | None = None,
    ) -> None:
        """`reply_tokens` is the domain's budget, used unless `decoding` or the call sets one.

        `label` stands for the model in attempt ids; give one where the spec holds a path.
        """
        self.gateway = gateway
        self.model = str(spec)
        self.slug = _plain(label) if label else model_slug(self.model)
        self.agent_name = agent_name
        self.decoding = decoding
        self.reply_tokens = reply_tokens

    async def solve(
        self,
        problem: Problem,
        *,
        stage: str,
        arm: str,
        context: str | None = None,
        strategy_hash: str | None = None,
        sample: int = 0,
        round: int | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        seed: int = 0,
    ) -> Attempt:
        """Let the model reply once. Unset `temperature` and `max_tokens` come from the decoding config."""
        request = CallRequest(
            model=self.model,
            messages=render_messages(problem, context),
            max_tokens=max_tokens or self.decoding.max_tokens or self.reply_tokens,
            temperature=self.decoding.temperature if temperature is None else temperature,
            sample=sample,
            seed=seed,
            stage=stage,
            agent=self.agent_name,
            prompt_hash="" if context is None else prompts.load("solve_system").hash,
        )
        completion = await self.gateway.complete(request)
        return Attempt(
            id=attempt_id(stage, arm, self.slug, problem.id, sample=sample, round=round),
            problem_id=problem.id,
            stage=stage,
            arm=arm,
            agent=self.agent_name,
            model=self.model,
            sample=sample,
            round=round,
            strategy_hash=strategy_hash,
            call_key=completion.key,
            reply=completion.text,
            finish_reason=completion.finish_reason,
            error=completion.error,
            completion_tokens=completion.completion_tokens,
        )


def _plain(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._]+", "-", text).strip("-")
