"""Tokens per second of local generation: one at a time against 64 requests together.

    python -m benchmarks.generation [--requests 64] [--tokens 64] [--rounds 2]

All contenders run in one process on the same prompts, interleaved, and the median round counts:
transformers' `generate` one at a time (the usual way), our engine one at a time, our engine with
all requests together, each with and without a common system message of some 300 tokens, and once
more without sharing its computation. Also counted: how many replies of the batch equal the same
request generated alone.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable

import torch

from models.embedded import embedded_model_directory
from models.local import LocalModel, best_dtype
from records.nouns import Message

ALONE = 4  # requests that are measured one at a time; 64 would take minutes
STRATEGY = (
    "Read the whole task first. Name every quantity. Work in small steps and write each of them down. "
    "Check borders and empty input. Compare the result with the question before you answer. "
) * 8


def conversations(count: int, system: str | None) -> list[tuple[Message, ...]]:
    """Prompts of different lengths."""
    head = (Message(role="system", content=system),) if system else ()
    tasks = [
        f"Write a Python function that returns the {n}th item of a list" + ", or None if it is too short" * (n % 4)
        for n in range(count)
    ]
    return [(*head, Message(role="user", content=f"{task}. Explain each line of it.")) for task in tasks]


class Plain:
    """transformers' own generate, batch 1."""

    def __init__(self, directory: str) -> None:
        from transformers import AutoModelForCausalLM, AutoTokenizer

        self._tokenizer = AutoTokenizer.from_pretrained(directory)
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._model = AutoModelForCausalLM.from_pretrained(directory, dtype=best_dtype(device)).to(device).eval()

    def __call__(self, asks: list[tuple[Message, ...]], tokens: int) -> int:
        made = 0
        for ask in asks:
            turns = [message.model_dump() for message in ask]
            inputs = self._tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_tensors="pt")
            inputs = inputs.to(self._model.device)
            with torch.inference_mode():
                out = self._model.generate(**inputs, max_new_tokens=tokens, do_sample=False)
            made += out.shape[1] - inputs["input_ids"].shape[1]
        return made


def together(model: LocalModel, asks: list[tuple[Message, ...]], tokens: int) -> int:
    """Tokens of all requests, submitted at once."""
    futures = [model.submit(ask, tokens) for ask in asks]
    return sum(future.result().completion_tokens for future in futures)


def one_by_one(model: LocalModel, asks: list[tuple[Message, ...]], tokens: int) -> int:
    """Tokens of requests that are submitted one after the other."""
    return sum(model.submit(ask, tokens).result().completion_tokens for ask in asks)


def equal_share(model: LocalModel, asks: list[tuple[Message, ...]], tokens: int) -> str:
    """How many replies of the batch equal the same request alone."""
    batch = [future.result().text for future in [model.submit(ask, tokens) for ask in asks]]
    alone = [model.submit(ask, tokens).result().text for ask in asks[:ALONE]]
    return f"{sum(a == b for a, b in zip(batch, alone, strict=False))} of {len(alone)}"


def speed(run: Callable[[], int]) -> float:
    """Tokens per second."""
    started = time.perf_counter()
    made = run()
    return made / (time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description="Speed of local generation.")
    parser.add_argument("--requests", type=int, default=64)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=2)
    args = parser.parse_args()
    directory = embedded_model_directory()
    plain = Plain(str(directory))
    sharing, apart = LocalModel(directory, args.requests), LocalModel(directory, args.requests, share_prefix=False)
    short, long = conversations(args.requests, None), conversations(args.requests, STRATEGY)
    contenders: dict[str, Callable[[], int]] = {
        "transformers generate, alone": lambda: plain(short[:ALONE], args.tokens),
        "engine, together": lambda: together(sharing, short, args.tokens),
        "engine, alone": lambda: one_by_one(sharing, short[:ALONE], args.tokens),
        "transformers generate, alone, with strategy": lambda: plain(long[:ALONE], args.tokens),
        "engine, together, strategy not shared": lambda: together(apart, long, args.tokens),
        "engine, together, strategy shared": lambda: together(sharing, long, args.tokens),
    }
    for model in (sharing, apart):
        one_by_one(model, short[:1], 2)
    plain(short[:1], 2)
    results: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(args.rounds):
        for name, run in contenders.items():
            results[name].append(speed(run))
            print(f"# {name}: {results[name][-1]:.1f} tokens/s", flush=True)
    print(f"requests {args.requests}, at most {args.tokens} tokens each, {torch.get_num_threads()} threads at most, "
          f"{best_dtype(torch.device('cpu'))}, load average {os.getloadavg()[0]:.1f}")  # fmt: skip
    for name, values in results.items():
        baseline = results["transformers generate, alone" + (", with strategy" if "strategy" in name else "")]
        ratio = statistics.median(values) / statistics.median(baseline)
        print(f"{name:45} {statistics.median(values):8.1f} tokens/s   {ratio:5.1f}x")
    print("greedy replies of the batch equal to the same request alone:", equal_share(sharing, short, args.tokens))
    print("the same with a shared strategy:", equal_share(sharing, long, args.tokens))
    sharing.close()
    apart.close()


if __name__ == "__main__":
    main()
