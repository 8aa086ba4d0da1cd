"""The model card that lies beside an adapter."""

from __future__ import annotations

from typing import Any

_CARD = """\
---
library_name: peft
base_model: {student}
tags: [lora, sft]
---

# {arm}, seed {seed}

A LoRA adapter for `{student}`, trained on {rows} verified solutions of arm `{arm}`.

| setting | value |
|---|---|
| strategy in the prompt's provenance | {strategy} |
| dataset (SHA-256) | `{dataset_sha256}` |
| chat template (hash) | `{template_hash}` |
| rank, alpha, dropout | {rank}, {alpha}, {dropout} on every linear layer |
| learning rate, warm-up, batch, epochs | {learning_rate:g}, {warmup:.0%} of the steps, {batch_size}, {epochs:g} |
| steps, tokens | {steps}, {tokens} |
| last step's loss | {final_loss:.4f} |
| computed in | {dtype} on {device}, {seconds:.0f} s, {tokens_per_s:.0f} tokens/s, peak memory {peak_rss_mb} MB |
| libraries | {libraries} |

## Use

    from peft import PeftModel
    model = PeftModel.from_pretrained(base_model, "THIS DIRECTORY")

Render prompts with the base model's own chat template, as in training.

## Limits

Trained on one kind of problem only, with loss on the completions only. Whether it is better than the
base model, and on what, is in the run's report and not here. It was not tested for anything else.
"""


def adapter_card(done: dict[str, Any]) -> str:
    """The card's text from the fields of done.json."""
    settings = done["settings"]
    return _CARD.format(
        **done,
        **settings["training"],
        student=settings["student"],
        arm=settings["arm"],
        seed=settings["seed"],
        dataset_sha256=settings["dataset_sha256"],
        strategy=settings["strategy_hash"] or "none",
        libraries=", ".join(f"{name} {number}" for name, number in done["versions"].items()),
    )
