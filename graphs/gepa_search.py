"""`--search gepa`: the search of the package gepa 0.1.4 over the same problems, verifier, ledger and budget.

GEPA's own loop decides what is tried and kept (its test on 3 training items, its front, its best mean); ours
supplies what it asks for: replies of the gate's model, judged by the domain's verifier, and the teacher's words. A
language model answers GEPA's own prompt; the scripted oracle, which cannot, proposes edits as in the other searches.

Guaranteed: training items are what it reflects on, the search's validation items are what it scores; every call goes
through the gateway, so that a resumed run repeats the search from the ledger without paying; a text that cannot
stand (length, leaks, advice against the judge) scores 0 without a call and is named in the trace; GEPA may use as
many replies as the greedy search at most. Not guaranteed: that GEPA's test on 3 items means anything; the proof
at the end does. Ungraded replies score 0, because GEPA knows no others.
"""

from __future__ import annotations

import asyncio
import functools
import importlib.util
from collections.abc import Coroutine, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

from langgraph.runtime import Runtime

from agents.graded import Graded, require_train
from agents.material import quote
from agents.playbook import EditError, apply_edits, parse_strategy, without_thoughts
from agents.solver import Solver
from evaluation.gate import gate_rule
from graphs.attempts import Job, attempt_all
from graphs.context import RunContext, StageError
from graphs.gating import arm_of, gate_model
from graphs.item_ledger import record_use
from graphs.refusals import refusal
from graphs.state import TransferState
from graphs.strategies import load_strategy, save_strategy
from models.calls import CallRefused, CallRequest
from records.config import RunConfig
from records.nouns import Message, Problem, Reflection, Strategy

COMPONENT = "strategy"
GEPA_MINIBATCH = 3  # training items on which GEPA compares a candidate with its parent
SHOWN_CHARS = 4_000  # of a prompt, a reply, the evidence, each
WRITING_TOKENS = 4_096
MISSING = "--search gepa needs the package gepa: pip install 'linguistic-transfer[gepa]'"

T = TypeVar("T")


def check_installed(config: RunConfig) -> str | None:
    """What is missing for the configured search; None if nothing is."""
    return MISSING if config.searching == "gepa" and importlib.util.find_spec("gepa") is None else None


def metric_calls(config: RunConfig, train: int, validation: int) -> int:
    """Replies that GEPA may use: what the greedy search asks for at most, of both models together."""
    searched = sum(map(len, gate_rule(config).batches(validation, 0, config.seed)))
    batch = min(config.loop.batch, train) * config.loop.attempts
    return config.loop.rounds * (batch + searched) + searched


async def gepa(state: TransferState, runtime: Runtime[RunContext]) -> dict[str, Any]:
    """Let GEPA search from the draft; its best strategy is the current one afterwards."""
    context = runtime.context
    if not context.config.loop.rounds:
        return {}
    context.events.stage("Search by GEPA")
    adapter = Adapter(context, load_strategy(context.run, state["draft"]), asyncio.get_running_loop())
    try:
        best = await asyncio.to_thread(_optimise, adapter)
    finally:
        adapter.close()
    if adapter.fatal is not None:
        raise adapter.fatal
    record_use(context, "search", "search by GEPA", adapter.search_items(), [state["draft"], *adapter.kept])
    context.events.info(f"GEPA kept {len(adapter.kept)} strategies; its best is {best.hash}")
    return {"current": best.hash, "pool": [state["draft"], *adapter.kept], "round": context.config.loop.rounds}


def _optimise(adapter: Adapter) -> Strategy:
    """GEPA's loop, in a thread of its own: it knows no asyncio."""
    import gepa as package

    engine: Any = adapter  # GEPA's protocols are generic over types that it never looks into
    context, config = adapter.context, adapter.context.config
    train = context.problems.open("train", "reflector")
    search = adapter.search_items()
    found: Any = package.optimize(
        seed_candidate={COMPONENT: adapter.draft.text},
        trainset=train,
        valset=search,
        adapter=engine,
        reflection_lm=adapter.write if context.teacher.is_language_model else None,
        max_metric_calls=metric_calls(config, len(train), len(context.problems.open("validation", "gate"))),
        reflection_minibatch_size=GEPA_MINIBATCH,
        stop_callbacks=[lambda _: adapter.fatal is not None],
        logger=adapter,
        callbacks=[engine],
        seed=config.seed,
    )
    return adapter.strategy_of(found.best_candidate[COMPONENT])


class Adapter:
    """What GEPA calls: evaluates a strategy on problems, shows what happened, writes the trace."""

    def __init__(self, context: RunContext, draft: Strategy, loop: asyncio.AbstractEventLoop) -> None:
        self.context, self.draft, self._loop = context, draft, loop
        self.fatal: BaseException | None = None
        self.kept: list[str] = []
        self.propose_new_texts = None if context.teacher.is_language_model else self._edited
        self._known = {draft.text: draft}
        self._solver = Solver(context.gateway, gate_model(context), "gate", context.config.decoding)
        self._waiting: Future[Any] | None = None
        self._closed = False
        self._entry: dict[str, Any] = {}
        self._graded: list[Graded] = []

    def search_items(self) -> list[Problem]:
        """The validation items of the search; those of the proof stay unseen."""
        problems = self.context.problems.open("validation", "gate")
        batches = gate_rule(self.context.config).batches(len(problems), 0, self.context.config.seed)
        return [problems[i] for batch in batches for i in batch]

    def close(self) -> None:
        """Let the thread end: nothing more is called."""
        self._closed = True
        if self._waiting is not None:
            self._waiting.cancel()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do it on the run's event loop. What the gateway or a stage raises ends the search."""
        if self._closed or self.fatal is not None:
            work.close()
            raise RuntimeError("the search has ended")
        self._waiting = future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except (CallRefused, StageError) as error:
            self.fatal = error
            raise

    def log(self, message: str) -> None:
        """GEPA's messages; the trace has what matters."""

    def strategy_of(self, text: str) -> Strategy:
        """The strategy that a candidate's text stands for."""
        if text not in self._known:
            parent = self._entry.get("parent", self.draft)
            number = self._entry.get("round", 0)
            plain = without_thoughts(text)
            self._known[text] = parse_strategy(plain, name=self.draft.name, parent=parent, round=number)
        return self._known[text]

    def evaluate(self, batch: list[Problem], candidate: Mapping[str, str], capture_traces: bool = False) -> Any:
        """One score per problem: 1 for a pass, 0 for everything else."""
        from gepa.core.adapter import EvaluationBatch

        strategy = self.strategy_of(candidate[COMPONENT])
        if strategy.hash != self.draft.hash and (fault := refusal(self.context, strategy)):
            self._entry["note"] = fault
            nothing = [0.0] * len(batch)
            return EvaluationBatch(outputs=nothing, scores=nothing, trajectories=[] if capture_traces else None)
        save_strategy_once(self.context, strategy)
        graded = self._run(attempt_all(self.context, "Search by GEPA", self._jobs(batch, strategy)))
        scores = [float(item.judgement.outcome == "pass") for item in graded]
        return EvaluationBatch(outputs=scores, scores=scores, trajectories=graded if capture_traces else None)

    def _jobs(self, batch: Sequence[Problem], strategy: Strategy) -> list[Job]:
        return [
            (
                problem,
                functools.partial(
                    self._solver.solve,
                    problem,
                    stage="lrl" if problem.split == "train" else "gate",
                    arm=arm_of(strategy.hash),
                    context=strategy.text,
                    strategy_hash=strategy.hash,
                    max_tokens=self.context.reply_tokens,
                ),
            )
            for problem in batch
        ]

    def make_reflective_dataset(
        self, candidate: Mapping[str, str], eval_batch: Any, components_to_update: list[str]
    ) -> dict[str, list[dict[str, str]]]:
        """Attempts, verdicts and evidence of training problems, quoted."""
        graded: list[Graded] = eval_batch.trajectories or []
        require_train(item.problem for item in graded)
        self._graded = graded
        self._entry["attempt_ids"] = tuple(item.attempt.id for item in graded)
        return {COMPONENT: [_shown(item) for item in graded]}

    def write(self, prompt: str | list[dict[str, Any]]) -> str:
        """The teacher's answer to GEPA's prompt; "" for a failed call, which gives a candidate that cannot stand."""
        text = prompt if isinstance(prompt, str) else "\n".join(str(part["content"]) for part in prompt)
        config, teacher = self.context.config, self.context.teacher
        request = CallRequest(
            model=teacher.writer, messages=(Message(role="user", content=text),), max_tokens=WRITING_TOKENS,
            temperature=config.decoding.teacher_temperature, seed=config.seed, stage="reflect", agent="teacher",
        )  # fmt: skip
        completion = self._run(self.context.gateway.complete(request))
        self._entry["journal"] = quote(completion.text, 6_000)
        return completion.text

    def _edited(
        self, candidate: Mapping[str, str], reflective_dataset: Any, components_to_update: list[str]
    ) -> dict[str, str]:
        """The scripted teacher's edits of the candidate."""
        strategy, number = self.strategy_of(candidate[COMPONENT]), int(self._entry.get("round", 0))
        journal, edits = self._run(self._reflected(strategy, number))
        self._entry["journal"] = journal
        self._entry["edits"] = edits
        try:
            edited = apply_edits(strategy, edits, number) if edits else strategy
        except EditError as error:
            self._entry["note"] = str(error)
            edited = strategy
        self._known.setdefault(edited.text, edited)
        return {COMPONENT: edited.text}

    async def _reflected(self, strategy: Strategy, number: int) -> tuple[str, Any]:
        rejected = [r for r in self.context.run.read("reflections.jsonl", Reflection) if not r.accepted]
        rejected = [r for r in rejected if r.round < number]
        journal = await self.context.teacher.reflect(self._graded, strategy, rejected, number)
        return journal, await self.context.teacher.propose(journal, self._graded, strategy, rejected, number)

    # What GEPA tells about an iteration, which becomes one entry of the trace.

    def on_iteration_start(self, event: Mapping[str, Any]) -> None:
        """A new entry."""
        self._entry = {"round": int(event["iteration"])}

    def on_candidate_selected(self, event: Mapping[str, Any]) -> None:
        """The parent."""
        self._entry["parent"] = self.strategy_of(event["candidate"][COMPONENT])

    def on_proposal_end(self, event: Mapping[str, Any]) -> None:
        """The new text."""
        text = event["new_instructions"].get(COMPONENT)
        self._entry["candidate"] = self.strategy_of(text) if text else None

    def on_candidate_accepted(self, event: Mapping[str, Any]) -> None:
        """It passed GEPA's test."""
        self._entry["accepted"] = True

    def on_candidate_rejected(self, event: Mapping[str, Any]) -> None:
        """It did not."""
        self._entry.setdefault("note", str(event["reason"]))

    def on_iteration_end(self, event: Mapping[str, Any]) -> None:
        """Write the entry."""
        entry, parent = self._entry, self._entry.get("parent", self.draft)
        candidate: Strategy | None = entry.get("candidate")
        accepted = bool(entry.get("accepted"))
        saved = candidate is not None and (self.context.run.path / "strategies" / f"{candidate.hash}.json").exists()
        if candidate is not None and saved and candidate.hash != self.draft.hash:
            save_strategy(self.context.run, candidate, "accepted" if accepted else "rejected")
        if candidate is not None and accepted and candidate.hash not in self.kept:
            self.kept.append(candidate.hash)
        record = Reflection(
            id=f"gepa-{entry['round']}", round=entry["round"], batch=entry["round"],
            attempt_ids=entry.get("attempt_ids", ()), journal=entry.get("journal", ""),
            edits=tuple(entry.get("edits", ())), parent_hash=parent.hash,
            candidate_hash=candidate.hash if candidate is not None and saved else None, gate=None, accepted=accepted,
            note=entry.get("note", "" if accepted else "no candidate"), teacher=self.context.teacher.writer,
        )  # fmt: skip
        try:
            self.context.run.append("reflections.jsonl", [record])
        except OSError as error:  # GEPA would go on without its trace
            self.fatal = error


def save_strategy_once(context: RunContext, strategy: Strategy) -> None:
    """Write a version that is not there yet."""
    if not (context.run.path / "strategies" / f"{strategy.hash}.json").exists():
        save_strategy(context.run, strategy, "candidate")


def _shown(item: Graded) -> dict[str, str]:
    judgement = item.judgement
    evidence = quote(judgement.evidence, SHOWN_CHARS) if judgement.outcome != "pass" or not judgement.sound else ""
    return {
        "Inputs": quote(item.problem.prompt, SHOWN_CHARS),
        "Generated Outputs": quote(item.attempt.reply, SHOWN_CHARS),
        "Feedback": f"verdict: {judgement.outcome} ({judgement.kind})" + (f"\n{evidence}" if evidence else ""),
    }
