"""Are proofs in Lean 4 proofs? The judge as the rest of the system sees it.

    with LeanJudge(find_backend()) as judge:
        judge.check([LeanClaim(statement="theorem t : 1 + 1 = 2", proof="by decide")])[0].verdict

A claim goes through the lint, the cache, the REPL where there is one, and lean_judge.lean: the trusted statement
elaborated alone, the proof elaborated behind walls, its constants given to the kernel again on top of the untouched
library, the two statements compared, the axioms walked; then the question whether the statement is vacuous, and
SafeVerify's opinion where it is installed. Where lean_judge.lean does not compile (the backend `wasm`) a proof is
elaborated plainly instead (sandbox.lean_plain): rejected, or ungraded, perhaps with the grade `kernel`; never
`proved`.
Guaranteed: a verdict for every claim; a time-out, lack of memory, a crash or a header that does not load is `ungraded`;
a batch whose canary comes out wrong is `ungraded` as a whole, and
the judge refuses to go on.
Not guaranteed: that lean_judge.lean compiles with a given version of Lean (then all is `ungraded`; what was tried
stands in docs/lean.md); soundness against a proof that breaks out of Lean itself into the judge's process;
the lint's list of allowed commands is what stands before that.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any, Self

from sandbox.lean_backends import LeanBackend
from sandbox.lean_cache import VerdictCache
from sandbox.lean_canaries import Canary, for_batch
from sandbox.lean_claims import BadProof, BadStatement, Header, LeanClaim, candidate, read_header, read_statement
from sandbox.lean_lint import COMMANDS, DENY, refusal
from sandbox.lean_plain import elaborate
from sandbox.lean_process import LeanProcess
from sandbox.lean_repl import RECYCLE, LeanRepl
from sandbox.lean_safeverify import doubt
from sandbox.lean_verdict import LeanVerdict, decide
from sandbox.nouns import SandboxError, WorkerLost

DEADLINE_S = 60.0
BATCH = 20
JOBS_PER_PROCESS = 2_000


class LeanJudge:
    """Judges claims, one at a time, in a process for each header. Safe to call from several threads."""

    def __init__(
        self,
        backend: LeanBackend,
        deadline: float = DEADLINE_S,
        cache: VerdictCache | None = None,
        seed: int | None = None,
    ) -> None:
        """`deadline` in seconds for one proof, without the loading of its header."""
        self.backend = backend
        self.deadline = deadline
        self.cache = cache or VerdictCache(None)
        self._random = random.Random(seed)
        self._lock = threading.RLock()
        self._header: Header | None = None
        self._process: LeanProcess | None = None
        self._repl: LeanRepl | None = None
        self._vacuous: dict[tuple[Header, str], str | None] = {}
        self.distrusted = ""  # why nothing is judged any more

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the processes."""
        with self._lock:
            self._drop()

    def check(self, claims: Sequence[LeanClaim]) -> list[LeanVerdict]:
        """Verdicts in the claims' order. Raises SandboxError if a canary comes out wrong, or there are no walls."""
        return [
            verdict for start in range(0, len(claims), BATCH) for verdict in self._batch(claims[start : start + BATCH])
        ]

    async def judge(self, claim: LeanClaim) -> LeanVerdict:
        """One claim, from asyncio."""
        return (await asyncio.to_thread(self.check, [claim]))[0]

    def _batch(self, claims: Sequence[LeanClaim]) -> list[LeanVerdict]:
        with self._lock:
            if self.distrusted:
                raise SandboxError(self.distrusted)
            known = {claim: self._without_lean(claim) for claim in claims}
            fresh = [claim for claim, verdict in known.items() if verdict is None]
            if self.backend.plain:
                known.update({claim: self._plainly(claim) for claim in fresh})
            else:
                for header, group in _by_header(fresh):
                    known.update(self._with_canaries(header, group))
            return [known[claim] or LeanVerdict(verdict="ungraded", reason="not judged") for claim in claims]

    def _without_lean(self, claim: LeanClaim) -> LeanVerdict | None:
        """The verdict of the lint or of the cache."""
        try:
            read_header(claim.header)
            candidate(claim)
        except BadStatement as problem:
            return LeanVerdict(verdict="ungraded", reason=str(problem))
        except BadProof as problem:
            return LeanVerdict(verdict="rejected", reason=str(problem))
        found = refusal(claim.proof)
        if found is not None:
            return LeanVerdict(verdict="rejected", reason=found)
        return self.cache.get(claim.key(self.backend.toolchain))

    def _plainly(self, claim: LeanClaim) -> LeanVerdict:
        """The verdict of plain elaboration, in a process of its own with controls of its own."""
        started = time.monotonic()
        try:
            verdict = decide(elaborate(self.backend, claim, self.deadline))
        except TimeoutError:
            reason = f"no end within {self.backend.start_s + self.deadline:g} s"
            verdict = LeanVerdict(verdict="ungraded", reason=reason)
        except BadProof as problem:  # nothing but comments
            verdict = LeanVerdict(verdict="rejected", reason=str(problem))
        except WorkerLost as lost:
            verdict = LeanVerdict(verdict="ungraded", reason=str(lost))
        self.cache.put(claim.key(self.backend.toolchain), verdict)
        return verdict.model_copy(update={"seconds": round(time.monotonic() - started, 3)})

    def _with_canaries(self, header: Header, claims: Sequence[LeanClaim]) -> dict[LeanClaim, LeanVerdict]:
        """Verdicts of claims under one header. They count only if the batch's canaries come out right."""
        items: list[LeanClaim | Canary] = [*claims, *for_batch(self._random)]
        self._random.shuffle(items)
        verdicts: dict[LeanClaim, LeanVerdict] = {}
        undecided = ""
        for item in items:
            if isinstance(item, Canary):
                undecided = undecided or self._undecided(header, item)
            else:
                verdicts[item] = self._judged(header, item)
        if undecided:
            return {claim: LeanVerdict(verdict="ungraded", reason=undecided) for claim in verdicts}
        for claim, verdict in verdicts.items():
            self.cache.put(claim.key(self.backend.toolchain), verdict)
        return verdicts

    def _undecided(self, header: Header, canary: Canary) -> str:
        """Empty if the canary came out right, a reason if nothing came out. Raises SandboxError if it is wrong."""
        job = {"name": canary.name, "statement": canary.statement, "candidate": canary.candidate}
        wanted = "proved" if canary.true else "rejected"
        for _ in range(2):  # a process that was lost, or too busy, is tried once more
            verdict = self._asked(header, {**job, "commands": [], "deny": []})
            if verdict.verdict == wanted:
                return ""
            if verdict.verdict != "ungraded":
                break
        else:
            return f"the batch's canary could not be judged: {verdict.reason}"
        self.distrusted = (
            f"This Lean cannot be trusted: the {'true' if canary.true else 'false'} theorem '{canary.name}' came out "
            f"as {verdict.verdict} ({verdict.reason}). Neither its batch nor anything after it is judged"
        )
        self._drop()
        raise SandboxError(self.distrusted)

    def _judged(self, header: Header, claim: LeanClaim) -> LeanVerdict:
        started = time.monotonic()
        name, bare, _ = read_statement(claim.statement)
        text = candidate(claim)
        refused = self._filtered(header, text)
        if refused is not None:
            verdict = LeanVerdict(verdict="rejected", reason=refused)
        else:
            job: dict[str, Any] = {"name": name, "statement": bare}
            verdict = self._asked(header, {**job, "candidate": text, "commands": list(COMMANDS), "deny": list(DENY)})
            if verdict.verdict == "proved" and (tactic := self._vacuity(header, job)):
                reason = f"the statement is vacuous: its hypotheses contradict each other (by {tactic})"
                verdict = LeanVerdict(verdict="ungraded", reason=reason)
            elif verdict.verdict == "proved" and (problem := self._doubt(claim)):
                verdict = LeanVerdict(verdict="ungraded", reason=problem, axioms=verdict.axioms)
        return verdict.model_copy(update={"seconds": round(time.monotonic() - started, 3)})

    def _doubt(self, claim: LeanClaim) -> str | None:
        """What SafeVerify has against a proof, where it is installed."""
        return doubt(self.backend, claim, self.deadline) if self.backend.safeverify else None

    def _vacuity(self, header: Header, job: dict[str, Any]) -> str | None:
        """The tactic that proves False from the hypotheses, None if none does; asked once for a statement."""
        key = (header, str(job["statement"]))
        if key not in self._vacuous:
            try:
                facts = self._lean(header).ask({**job, "vacuity": 1}, self.deadline)
            except (TimeoutError, WorkerLost):
                self._drop()
                facts = {}
            self._vacuous[key] = facts.get("vacuous")
        return self._vacuous[key]

    def _asked(self, header: Header, job: dict[str, Any]) -> LeanVerdict:
        try:
            return decide(self._lean(header).ask(job, self.deadline))
        except TimeoutError:
            reason = f"no end within {self.deadline:g} s"
        except WorkerLost as lost:
            reason = str(lost)
        self._drop()
        return LeanVerdict(verdict="ungraded", reason=reason)

    def _filtered(self, header: Header, text: str) -> str | None:
        """Why the REPL rejects the text. Where it fails, the full check decides alone."""
        if self.backend.repl is None:
            return None
        try:
            if self._repl is None or self._repl.jobs >= RECYCLE or self._header != header:
                self._drop()
                self._repl, self._header = LeanRepl(self.backend, header), header
            return self._repl.refuses(text, self.deadline)
        except (TimeoutError, WorkerLost):
            self._repl = None
            return None

    def _lean(self, header: Header) -> LeanProcess:
        """The process for a header. Raises WorkerLost, TimeoutError, SandboxError."""
        if self._process is None or self._header != header or self._process.jobs >= JOBS_PER_PROCESS:
            repl, self._repl = (self._repl, None) if self._header == header else (None, self._repl)
            self._drop()
            self._process, self._header, self._repl = LeanProcess(self.backend, header), header, repl
        return self._process

    def _drop(self) -> None:
        for process in (self._process, self._repl):
            if process is not None:
                process.close()
        self._process = self._repl = None


def _by_header(claims: Sequence[LeanClaim]) -> Iterator[tuple[Header, list[LeanClaim]]]:
    groups: dict[Header, list[LeanClaim]] = {}
    for claim in claims:
        groups.setdefault(read_header(claim.header), []).append(claim)
    yield from groups.items()
