"""Does an adapter say the same wherever it runs? `python -m training.serve check RUN --arm lora_plain`.

The same prompts, greedy, by three engines: `hf` (transformers and PEFT, adapter beside the weights,
one prompt at a time), `merged` (our in-process engine, adapter merged into the weights) and `vllm`
(a server of ours that loads the adapter at run time). Prompt token ids must be identical; of the
replies at least SHARE must be, for each pair of engines.
Exit status 0 if so, 1 if not, 2 if the comparison could not be made.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

from models.calls import CallError, CallRequest
from models.identity import model_identity
from models.served import ServerError, VllmServer
from models.spec import ModelSpec
from records.nouns import Message, Problem
from records.rundir import RunDirectory, RunError
from training.errors import TrainingError
from training.sft import read_config, student_directory

SHARE = 0.98
LOCAL_BATCH = 64


class Replies(NamedTuple):
    """What one engine answered, and the prompts as it saw them."""

    prompts: list[list[int]]
    texts: list[str]


class Job(NamedTuple):
    """What is compared: the base model, the adapter and the conversations."""

    model: str
    adapter: Path
    conversations: list[tuple[Message, ...]]
    max_tokens: int


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and compare."""
    options = _parser().parse_args(arguments)
    try:
        job = _job(RunDirectory(options.run), options.arm, options.seed, options.prompts, options.max_tokens)
        found = asyncio.run(compare(job, RunDirectory(options.run).path / "served", options.dtype))
    except (TrainingError, RunError, ServerError, CallError, OSError) as error:
        print(f"training.serve: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("training.serve: interrupted; nothing was compared, and the server was stopped", file=sys.stderr)
        return 130
    print(json.dumps(found, indent=2))
    return 0 if found["passed"] else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.serve", description="Compare the ways to serve an adapter."
    )
    parser.add_argument("command", choices=["check"])
    parser.add_argument("run", type=Path, help="the run directory")
    parser.add_argument("--arm", default="lora_plain", help="whose adapter (default: lora_plain)")
    parser.add_argument("--seed", type=int, default=0, help="training seed of the adapter")
    parser.add_argument("--prompts", type=_count, default=100, help="how many problems of the run are asked")
    parser.add_argument("--max-tokens", type=_count, default=128, help="longest reply")
    parser.add_argument("--dtype", default="bfloat16", choices=["bfloat16", "float32"], help="of all three engines")
    return parser


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return count


def _job(run: RunDirectory, arm: str, seed: int, count: int, max_tokens: int) -> Job:
    """Raises TrainingError where the run has no such adapter or no problems."""
    adapter = run.path / "adapters" / f"{arm}-seed{seed}"
    if not (adapter / "adapter_model.safetensors").is_file():
        raise TrainingError(f"{adapter} has no adapter. Train it first, or name another --arm or --seed")
    order = {"test": 0, "ood": 1, "validation": 2, "train": 3}
    problems = sorted(run.read("problems.jsonl", Problem), key=lambda problem: (order[problem.split], problem.id))
    if not problems:
        raise TrainingError(f"{run.path} has no problems")
    asked = [Message(role="user", content=problem.prompt) for problem in problems[:count]]
    conversations: list[tuple[Message, ...]] = [(message,) for message in asked]
    return Job(student_directory(read_config(run).student), adapter, conversations, max_tokens)


async def compare(job: Job, folder: Path, dtype: str = "bfloat16") -> dict[str, Any]:
    """Ask all three; shares of identical replies per pair. Raises ServerError, CallError."""
    answers = {"vllm": await _served(job, folder, dtype)}
    answers["merged"] = await asyncio.to_thread(_merged, job, dtype)
    answers["hf"] = await asyncio.to_thread(_unmerged, job, dtype)
    same_prompts = all(one.prompts == answers["merged"].prompts for one in answers.values())
    shares = {f"{a}/{b}": _share(answers[a].texts, answers[b].texts) for a, b in combinations(sorted(answers), 2)}
    return {
        "adapter": str(job.adapter),
        "prompts": len(job.conversations),
        "dtype": dtype,
        "identical_prompt_token_ids": same_prompts,
        "identical_greedy_replies": shares,
        "required": SHARE,
        "passed": same_prompts and min(shares.values()) >= SHARE,
        "first_difference": _first_difference(answers),
    }


def _share(one: list[str], other: list[str]) -> float:
    return sum(a == b for a, b in zip(one, other, strict=True)) / len(one)


def _first_difference(answers: dict[str, Replies]) -> dict[str, str] | None:
    for texts in zip(*(one.texts for one in answers.values()), strict=True):
        if len(set(texts)) > 1:
            return dict(zip(answers, texts, strict=True))
    return None


async def _served(job: Job, folder: Path, dtype: str) -> Replies:
    """Every prompt over HTTP, at the same time."""
    from models.chat import end_tokens, render

    tokenizer = _tokenizer(job.model)
    ends = end_tokens(tokenizer)
    spec = ModelSpec(provider="hf", name=job.model, adapter=str(job.adapter))
    server = await VllmServer.open(job.model, folder, dtype)
    try:
        name = await server.adapter(str(job.adapter), model_identity(spec))
        prompts = [await server.tokens(messages) for messages in job.conversations]
        requests = [_request(messages, job.max_tokens) for messages in job.conversations]
        sent = [render(tokenizer, messages) for messages in job.conversations]
        asked = (server.complete(name, ids, request, ends) for ids, request in zip(sent, requests, strict=True))
        replies = await asyncio.gather(*asked)
    finally:
        await server.close()
    return Replies(prompts, [reply.text for reply in replies])


def _request(messages: tuple[Message, ...], max_tokens: int) -> CallRequest:
    return CallRequest(model="served", messages=messages, max_tokens=max_tokens, stage="check", agent="check")


def _merged(job: Job, dtype: str) -> Replies:
    """Our own engine, in batches."""
    import torch

    from models.chat import render
    from models.local import LocalModel

    model = LocalModel(job.model, LOCAL_BATCH, dtype=getattr(torch, dtype))
    try:
        futures = [model.submit(m, job.max_tokens, adapter=str(job.adapter)) for m in job.conversations]
        texts = [future.result().text for future in futures]
    finally:
        model.close()
    tokenizer = _tokenizer(job.model)
    return Replies([render(tokenizer, messages) for messages in job.conversations], texts)


def _unmerged(job: Job, dtype: str) -> Replies:
    """transformers and PEFT as they come, one prompt at a time."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    from models.chat import render

    tokenizer = _tokenizer(job.model)
    base = AutoModelForCausalLM.from_pretrained(job.model, dtype=getattr(torch, dtype))
    model = PeftModel.from_pretrained(base, job.adapter).eval()
    prompts, texts = [], []
    for messages in job.conversations:
        ids = render(tokenizer, messages)
        with torch.inference_mode():
            made = model.generate(input_ids=torch.tensor([ids]), max_new_tokens=job.max_tokens, do_sample=False)
        prompts.append(ids)
        texts.append(str(tokenizer.decode(made[0, len(ids) :], skip_special_tokens=True)))
    return Replies(prompts, texts)


def _tokenizer(model: str) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(model)


if __name__ == "__main__":
    sys.exit(main())
