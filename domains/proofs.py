"""The proofs domain: theorems of Lean 4, judged by Lean.

The problems are statements that core Lean proves without Mathlib (domains/proofs_statements.py); those of three
areas are for `ood` only. `--problems omit_steps=2` shows each reference proof with two of its steps
left out, to be bridged. A file of rows `{"name", "formal_statement", "header"?, "proof"?, "split"?}`, such as miniF2F,
fills the splits that its rows name (`test` where they name none).

Guaranteed: a proof passes only as `proved` (sandbox.lean); what Lean could not judge is `ungraded`, and so is what has
but the grade `kernel`: neither is trained on; a reply without a proof is `unparsed`. Statements of a file whose header
imports more than core Lean are refused where no project with those modules is named (LRL_LEAN_PROJECT).
Not guaranteed: that Lean is on this machine. Without it opening the verifier fails, and says how to get it.
"""

from __future__ import annotations

import random
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, get_args

from domains.base import Domain, DomainError
from domains.drawing import counts
from domains.problem_files import file_rows
from domains.proofs_statements import OOD, STATEMENTS, Statement
from records.config import RunConfig, Sizes
from records.nouns import Judgement, Problem, Split, content_hash
from sandbox.lean import LeanJudge
from sandbox.lean_backends import find_backend, has_project
from sandbox.lean_claims import BadStatement, LeanClaim, read_header, read_statement
from sandbox.lean_verdict import LeanVerdict

TASK = "Prove this theorem in Lean 4. Reply with the proof alone, from 'by' on, in a ```lean block."
GAP = "-- a step is missing here"
_BLOCK = re.compile(r"```(?:lean4?)?[ \t]*\n(.*?)(?:```|\Z)", re.S)
_BARE = re.compile(r"^\s*(?::=\s*)?(by\b.*)\Z", re.S | re.M)
_EVIDENCE = 1_000
_SPLIT_NAMES: Mapping[str, Split] = {"valid": "validation"}
_CORE = {"Init", "Std", "Lean"}
_BUCKETS = 20


class ProofsDomain:
    """Satisfies `domains.base.Domain`."""

    name = "proofs"
    classes: tuple[str, ...] = ()
    reply_tokens = 160
    placebo = "python"

    def profile(self, name: str) -> Mapping[str, Any]:
        """There are few statements: the sizes are what they give."""
        sizes = {"train": 100, "gate": 14, "transfer": 14, "test": 50, "ood": 24}
        shared = {"sizes": sizes, "training": {"batch_size": 8, "epochs": 2.0}}
        if name == "quick":
            return {**shared, "examples": 100}
        arms = ["base", "base+strategy", "lora_plain", "lora_strategy", "lora_distilled"]
        return {**shared, "examples": 200, "training_seeds": 3, "student_arms": arms}

    def load(self, source: str | None, sizes: Sizes, seed: int) -> list[Problem]:
        """Problems of all splits; those of a `source` (JSONL path) take the place of ours."""
        wanted = counts(sizes)
        omitted = re.fullmatch(r"omit_steps=(\d{1,2})", source or "")
        given = [] if source is None or omitted else _given(source, wanted, seed)
        filled = {problem.split for problem in given}
        for split, count in wanted.items():
            if split not in filled:
                given += ours(split, count, seed, int(omitted[1]) if omitted else 0)
        return given

    @asynccontextmanager
    async def verifier(self, config: RunConfig) -> AsyncIterator[ProofsVerifier]:
        """Find Lean. Raises SandboxError that says how to install it."""
        with LeanJudge(find_backend()) as judge:
            yield ProofsVerifier(judge)

    def spoil(self, problem: Problem, rng: random.Random) -> str:
        """The reference without its last step, or with `sorry` in its place."""
        *steps, last = reply_proof(problem.reference).split("\n")
        indent = last[: len(last) - len(last.lstrip())]
        if len(steps) > 1 and rng.random() < 0.5:
            return reply("\n".join(steps))
        return reply("\n".join((*steps, f"{indent}sorry")) if steps else "by sorry")


def ours(split: Split, count: int, seed: int, omit_steps: int = 0) -> list[Problem]:
    """Problems of the built-in statements: a statement is always of the same split. Raises DomainError if too few."""
    fitting = [statement for statement in STATEMENTS if split_of(statement) == split]
    if len(fitting) < count:
        raise DomainError(f"there are {len(fitting)} statements for {split}, not {count}: lower sizes.{split}")
    random.Random(f"proofs/{seed}/{split}").shuffle(fitting)
    return [make_problem(statement, split, omit_steps) for statement in fitting[:count]]


def split_of(statement: Statement) -> Split:
    """The split of a built-in statement, by its hash."""
    if statement.area in OOD:
        return "ood"
    bucket = int(content_hash(["proofs", statement.text]), 16) % _BUCKETS
    return "train" if bucket < 10 else "validation" if bucket < 14 else "test"


def make_problem(statement: Statement, split: Split, omit_steps: int = 0) -> Problem:
    """A problem of a built-in statement, its proof shown but for `omit_steps` steps where that is not 0."""
    identity = content_hash(["proofs", statement.text])
    parts = [f"{TASK}\n{statement.text}"]
    if omit_steps:
        parts.append(f"Write the whole proof; here it is without some of its steps:\n{scaffold(statement, omit_steps)}")
    return Problem(
        id=f"proofs-{identity}",
        domain=DOMAIN.name,
        split=split,
        family=statement.area,
        difficulty=statement.difficulty,
        prompt="\n".join(parts),
        reference=reply(statement.proof),
        content_hash=identity,
        payload={"statement": statement.text, "header": "", "omitted": omit_steps},
    )


def scaffold(statement: Statement, omit_steps: int) -> str:
    """The reference proof with that many steps left out (all of them, if it has no more), the same ones every time."""
    steps = list(statement.steps)
    rng = random.Random(f"{statement.name}/{omit_steps}")
    for place in rng.sample(range(len(steps)), min(omit_steps, len(steps))):
        indent = steps[place][: len(steps[place]) - len(steps[place].lstrip())]
        steps[place] = f"{indent}{GAP}"
    return "\n".join(("by", *(f"  {step}" for step in steps)))


def reply(proof: str) -> str:
    """A proof as an ideal model writes it."""
    return f"```lean\n{proof}\n```"


def reply_proof(text: str) -> str:
    """The proof in a reply: its last block, else what begins with `by`; empty if there is none."""
    blocks = _BLOCK.findall(text)
    if blocks:
        return str(blocks[-1]).strip("\n")
    bare = _BARE.search(text)
    return bare[1].rstrip() if bare else ""


class ProofsVerifier:
    """Asks Lean."""

    def __init__(self, judge: LeanJudge) -> None:
        self._judge = judge
        self.tier: str | None = f"lean:{judge.backend.name}"

    async def judge(self, problem: Problem, reply: str) -> Judgement:
        """Judge the proof in a reply."""
        proof = reply_proof(reply)
        if not proof.strip():
            return Judgement(outcome="unparsed", kind="no_proof", evidence="The reply has no proof in it.")
        statement, header = str(problem.payload["statement"]), str(problem.payload["header"])
        return judgement(await self._judge.judge(LeanClaim(statement=statement, header=header, proof=proof)), self.tier)


def judgement(verdict: LeanVerdict, tier: str | None) -> Judgement:
    """A verdict of Lean in the words of the run."""
    outcomes = {"proved": "pass", "rejected": "fail", "ungraded": "ungraded"}
    refused = "not allowed in a proof" in verdict.reason or "is not allowed" in verdict.reason
    unknown = "axioms_unchecked" if verdict.grade else "not_judged"
    kinds = {"proved": "pass", "rejected": "not_allowed" if refused else "wrong_proof", "ungraded": unknown}
    return Judgement.model_validate(
        {
            "outcome": outcomes[verdict.verdict],
            "kind": kinds[verdict.verdict],
            "evidence": verdict.reason[:_EVIDENCE],
            "tier": tier,
            "seconds": verdict.seconds,
        }
    )


def _given(source: str, wanted: Mapping[Split, int], seed: int) -> list[Problem]:
    rows = [_problem(row, where) for where, row in file_rows(Path(source), ("omit_steps=2",))]
    if not rows:
        raise DomainError(f"{source}: no problems in it")
    rows = list({problem.content_hash: problem for problem in rows}.values())
    random.Random(f"proofs/{seed}").shuffle(rows)
    return [problem for split, count in wanted.items() for problem in _of(rows, split)[:count]]


def _of(rows: Sequence[Problem], split: Split) -> list[Problem]:
    return [problem for problem in rows if problem.split == split]


def _problem(pair: Mapping[str, Any], where: str) -> Problem:
    row = dict(pair)
    statement, header = _text(row, "formal_statement", where), row.get("header") or ""
    split = _SPLIT_NAMES.get(str(row.get("split")), row.get("split") or "test")
    if split not in get_args(Split):
        raise DomainError(f"{where}: field 'split': '{str(split)[:40]}' is none of {', '.join(get_args(Split))}")
    if not isinstance(header, str):
        raise DomainError(f"{where}: field 'header' is no text")
    bare = _asked(statement, header, where)
    proof = row.get("proof")
    if split == "train" and not isinstance(proof, str):
        raise DomainError(f"{where}: field 'proof' is missing; training rows need one")
    identity = content_hash(["proofs", " ".join(bare.split())])
    return Problem(
        id=f"given-{identity}",
        domain="proofs",
        split=split,
        family="given",
        difficulty="hard",
        prompt=f"{TASK}\n{header}\n{bare}" if header.strip() else f"{TASK}\n{bare}",
        reference=reply(proof) if isinstance(proof, str) else "",  # without one, no self-check and no few-shot example
        content_hash=identity,
        payload={"statement": bare, "header": header, "omitted": 0},
    )


def _asked(statement: str, header: str, where: str) -> str:
    """The statement without its end. Raises DomainError for one that cannot be asked about here."""
    try:
        _, bare, _ = read_statement(statement)
        imports = read_header(header).imports
    except BadStatement as problem:
        raise DomainError(f"{where}: {problem}") from problem
    foreign = [name for name in imports if name.partition(".")[0] not in _CORE]
    if foreign and not has_project():
        raise DomainError(
            f"{where}: the header imports {foreign[0]}; set LRL_LEAN_PROJECT to a built lake project that has it"
        )
    return bare


def _text(row: Mapping[str, Any], name: str, where: str) -> str:
    value = row.get(name)
    if not isinstance(value, str) or not value.strip():
        raise DomainError(f"{where}: field '{name}' is missing or no text")
    return value


DOMAIN: Domain = ProofsDomain()
