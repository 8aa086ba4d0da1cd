"""Which way of writing the worked steps does the small student learn best?

    python -m benchmarks.worked_steps ended --tokens 150000 --free held_out,origin
    python -m benchmarks.worked_steps ended starts tally digits --tokens 40000

For each format: a LoRA of the embedded student (all linear layers, one pass over as many examples
as fit into the token budget, cosine decay after a warm-up), then accuracy per token and share of
whole replies right with the truth fed back, then free greedy replies read by the domain's own
parser. One JSON line per figure; `--log` appends them to a file. The training and held-out problems
come from the domain's balanced generator, without any of the origin's 250 problems.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear
from transformers import AutoModelForCausalLM, AutoTokenizer

from benchmarks.machine import machine
from benchmarks.step_formats import FORMATS, Writer
from domains.scheduling import PROMPT
from domains.scheduling_problems import DAY, UNSEEN, Instance, balanced, origin
from domains.scheduling_reply import read_answer
from domains.scheduling_steps import two_digits
from models.embedded import embedded_model_directory

END = "<|im_end|>"
VOCABULARY_CHUNK = 256  # completion positions whose logits are in memory at once


class LoraLinear(nn.Module):
    """A frozen linear layer with a trained low-rank addition, alpha = 2 × rank."""

    def __init__(self, base: nn.Linear, rank: int) -> None:
        super().__init__()
        self.base = base
        self.down = nn.Parameter(torch.empty(rank, base.in_features))
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))
        self.up = nn.Parameter(torch.zeros(base.out_features, rank))

    def forward(self, x: Tensor) -> Tensor:
        """(…, in) -> (…, out); the scale sits on the small matrix, the sum in the product."""
        y = self.base(x)
        z = linear(x, self.down.to(x.dtype) * 2.0)
        return torch.addmm(y.flatten(0, -2), z.flatten(0, -2), self.up.to(x.dtype).T).view_as(y)


class CompletionLoss(torch.autograd.Function):
    """Mean cross-entropy at the given positions; the gradient is made in the forward pass.

    The head is frozen, so its logits are needed once, in chunks, and never kept.
    """

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, target: Tensor, head: Tensor) -> Tensor:
        """hidden (n, d), target (n,), head (vocabulary, d) -> scalar."""
        gradient = torch.empty_like(hidden)
        total = hidden.new_zeros((), dtype=torch.float32)
        for at in range(0, len(target), VOCABULARY_CHUNK):
            part, right = slice(at, at + VOCABULARY_CHUNK), target[at : at + VOCABULARY_CHUNK, None]
            logits = (hidden[part] @ head.T).float()
            norm = logits.logsumexp(-1, keepdim=True)
            total += (norm - logits.gather(1, right)).sum()
            logits.sub_(norm).exp_().scatter_add_(1, right, -torch.ones_like(right, dtype=logits.dtype))
            gradient[part] = (logits / len(target)).to(hidden.dtype) @ head
        ctx.save_for_backward(gradient)
        return total / len(target)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        """Scale the stored gradient."""
        (gradient,) = ctx.saved_tensors
        return gradient * grad.to(gradient.dtype), None, None


@dataclass(frozen=True)
class Row:
    """A problem with the token ids of its prompt and of its reply."""

    instance: Instance
    prompt: list[int]
    reply: list[int]

    def __len__(self) -> int:
        return len(self.prompt) + len(self.reply)


class Student:
    """The embedded model with fresh adapters."""

    def __init__(self, rank: int) -> None:
        torch.manual_seed(0)
        folder = embedded_model_directory()
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)
        self.model.requires_grad_(False)
        for module in list(self.model.model.modules()):
            for name, child in list(module.named_children()):
                if isinstance(child, nn.Linear) and not isinstance(module, LoraLinear):
                    setattr(module, name, LoraLinear(child, rank))
        self.trained = [p for p in self.model.parameters() if p.requires_grad]

    def row(self, instance: Instance, writer: Writer) -> Row:
        """Token ids of prompt and reply, the reply with its end mark."""
        meetings = ", ".join(map(two_digits, instance.meetings))
        message = {"role": "user", "content": PROMPT.format(meetings=meetings, rooms=instance.rooms)}
        prompt = self.tokenizer.apply_chat_template([message], add_generation_prompt=True, tokenize=False)
        encode = self.tokenizer(
            [prompt, writer(instance) + END], add_special_tokens=False, return_attention_mask=False
        ).input_ids
        return Row(instance, *encode)

    def hidden(self, rows: Sequence[Row]) -> tuple[Tensor, Tensor, Tensor]:
        """Last hidden states at reply positions (n, d), target ids (n,), mask (rows, length)."""
        width = max(map(len, rows))
        ids = torch.full((len(rows), width), self.model.config.pad_token_id)
        mask = torch.zeros((len(rows), width), dtype=torch.bool)
        for line, row in enumerate(rows):
            ids[line, : len(row)] = torch.tensor(row.prompt + row.reply)
            mask[line, len(row.prompt) : len(row)] = True
        states = self.model.model(input_ids=ids, use_cache=False).last_hidden_state
        return states[:, :-1][mask[:, 1:]], ids[:, 1:][mask[:, 1:]], mask[:, 1:]

    def train(self, rows: Sequence[Row], options: argparse.Namespace) -> float:
        """Train on the rows; returns seconds."""
        plan = [batch for epoch in range(options.epochs) for batch in _batches(rows, options.batch, epoch)]
        optimizer = torch.optim.AdamW(self.trained, lr=options.lr, weight_decay=0.0)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, _cosine(len(plan)))
        began = time.perf_counter()
        for step, batch in enumerate(plan, 1):
            loss = self._backward(batch, options.micro)
            nn.utils.clip_grad_norm_(self.trained, 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            print(f"# step {step}/{len(plan)} loss {loss:.4f} {time.perf_counter() - began:.0f} s", flush=True)
        return time.perf_counter() - began

    def _backward(self, batch: Sequence[Row], micro: int) -> float:
        tokens = sum(len(row.reply) for row in batch)
        total = 0.0
        for at in range(0, len(batch), micro):
            part = batch[at : at + micro]
            states, target, _ = self.hidden(part)
            loss = CompletionLoss.apply(states, target, self.model.lm_head.weight) * (len(target) / tokens)
            loss.backward()
            total += loss.item()
        return total

    @torch.no_grad()
    def forced(self, rows: Sequence[Row]) -> tuple[float, float, dict[str, str]]:
        """Share of reply tokens right, of whole replies, and misses by token, the truth fed back."""
        right = count = whole = 0
        missed: Counter[int] = Counter()
        seen: Counter[int] = Counter()
        for batch in _batches(rows, 8, 0):
            states, target, mask = self.hidden(batch)
            parts = states.split(VOCABULARY_CHUNK)
            good = torch.cat([(part @ self.model.lm_head.weight.T).argmax(-1) for part in parts]) == target
            missed.update(target[~good].tolist())
            seen.update(target.tolist())
            lines = torch.ones_like(mask)
            lines[mask] = good
            right, count, whole = right + int(good.sum()), count + len(target), whole + int(lines.all(1).sum())
        worst = {str(self.tokenizer.decode([token])): f"{n}/{seen[token]}" for token, n in missed.most_common(8)}
        return right / count, whole / len(rows), worst

    @torch.no_grad()
    def replies(self, rows: Sequence[Row], batch: int = 64) -> Iterator[tuple[Row, str]]:
        """Free greedy replies."""
        rows = sorted(rows, key=len)
        for at in range(0, len(rows), batch):
            part = rows[at : at + batch]
            width = max(len(row.prompt) for row in part)
            pad = self.model.config.pad_token_id
            ids = torch.tensor([[pad] * (width - len(row.prompt)) + row.prompt for row in part])
            mask = torch.tensor([[0] * (width - len(row.prompt)) + [1] * len(row.prompt) for row in part])
            new = max(len(row.reply) for row in part) + 20
            out = self.model.generate(
                input_ids=ids, attention_mask=mask, max_new_tokens=new, do_sample=False, pad_token_id=pad
            )
            for row, line in zip(part, out[:, width:], strict=True):
                yield row, str(self.tokenizer.decode(line, skip_special_tokens=True))


def _cosine(steps: int, warm_up: float = 0.1) -> Callable[[int], float]:
    """Factor of the learning rate per step: linear up over a tenth, then half a cosine down."""
    warm = warm_up * steps
    return lambda i: min((i + 1) / max(1.0, warm), 0.5 + 0.5 * math.cos(math.pi * max(0.0, i - warm) / (steps - warm)))


def _batches(rows: Sequence[Row], size: int, epoch: int) -> list[list[Row]]:
    """Shuffled batches of rows of similar length."""
    rng = random.Random(epoch)
    order = rng.sample(list(rows), len(rows))
    batches = []
    for at in range(0, len(order), size * 8):
        near = sorted(order[at : at + size * 8], key=len)
        part = [near[i : i + size] for i in range(0, len(near), size)]
        batches += rng.sample(part, len(part))
    return batches


def free_figures(student: Student, rows: Sequence[Row], writer: Writer, shown: int = 4) -> dict[str, Any]:
    """Accuracy, balanced accuracy and recall per class of free replies; prints some departures."""
    began = time.perf_counter()
    right: Counter[str] = Counter()
    total: Counter[str] = Counter()
    exact = unparsed = 0
    for row, reply in student.replies(rows):
        answer, truth, reference = read_answer(reply), row.instance.answer, writer(row.instance)
        total[truth] += 1
        right[truth] += answer == truth
        unparsed += answer is None
        exact += reply == reference
        if reply != reference and shown > 0:
            shown -= 1
            at = next((i for i, (a, b) in enumerate(zip(reply, reference, strict=False)) if a != b), 0)
            print(f"# {truth} {answer}: …{reply[max(0, at - 40) : at + 20]!r} right: {reference[at : at + 12]!r}")
    recalls = {name: right[name] / total[name] for name in total}
    return {
        "n": len(rows),
        "accuracy": sum(right.values()) / len(rows),
        "balanced_accuracy": sum(recalls.values()) / len(recalls),
        "right": {name: f"{right[name]}/{total[name]}" for name in sorted(total)},
        "unparsed": unparsed,
        "exact": exact / len(rows),
        "seconds": round(time.perf_counter() - began),
    }


def problem_sets(count: int) -> dict[str, list[Instance]]:
    """Held-out and training problems, disjoint; and the origin's test problems."""
    published = [instance for instance, _ in origin(123, 150)]
    taken = {instance.key for instance in published} | {instance.key for instance, _ in origin(42, 100)}
    rng = random.Random(777)
    sets = {"origin": published, "held_out": [i for i, _ in balanced(100, rng, (DAY,), taken)]}
    for shape in UNSEEN:
        sets[shape.family] = [i for i, _ in balanced(40, rng, (shape,), taken)]
    sets["train"] = [i for i, _ in balanced(count, random.Random(1), (DAY,), taken)]
    return sets


def within(rows: Sequence[Row], tokens: int) -> list[Row]:
    """As many of the first rows as fit into the budget."""
    chosen, used = [], 0
    for row in rows:
        used += len(row)
        if used > tokens:
            break
        chosen.append(row)
    return chosen


def run(name: str, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Train on one format and yield its figures."""
    writer, student = FORMATS[name], Student(options.rank)
    sets = problem_sets(options.tokens // 120 + 64)
    rows = within([student.row(instance, writer) for instance in sets["train"]], options.tokens)
    tokens = sum(map(len, rows))
    settings = {"format": name, "examples": len(rows), "tokens": tokens, "lr": options.lr, "rank": options.rank}
    settings |= {"epochs": options.epochs, "reply_tokens": round(sum(len(r.reply) for r in rows) / len(rows))}
    seconds = student.train(rows, options)
    student.model.eval()
    if options.save:
        torch.save([p.detach() for p in student.trained], options.save)
    held = [student.row(instance, writer) for instance in sets["held_out"][:48]]
    per_token, whole, missed = student.forced(held)
    figures = {"train_seconds": round(seconds), "forced_token": per_token, "forced_reply": whole, "missed": missed}
    yield settings | figures
    for chosen in filter(None, options.free.split(",")):
        rows = [student.row(instance, writer) for instance in sets[chosen][: options.limit]]
        yield {"format": name, "examples": settings["examples"], "set": chosen, **free_figures(student, rows, writer)}


def main() -> None:
    """Parse the command line and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("formats", nargs="+", choices=sorted(FORMATS))
    parser.add_argument("--tokens", type=int, default=40_000, help="training budget, prompts included")
    parser.add_argument("--free", default="held_out", help="sets for free replies: held_out, origin, more-meetings, …")
    parser.add_argument("--limit", type=int, default=150, help="problems per set")
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--micro", type=int, default=4, help="rows per forward pass; the gradient is of the batch")
    parser.add_argument("--save", help="write the adapters' tensors to this file")
    parser.add_argument("--log", type=Path, help="append the figures to this file")
    options = parser.parse_args()
    print(f"# {machine()}", flush=True)
    for name in options.formats:
        for figures in run(name, options):
            print(json.dumps(figures), flush=True)
            if options.log:
                with options.log.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
