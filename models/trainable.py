"""Whether a local model can be trained as a student, found before anything is paid.

One row with a system message is rendered by the model's own template, tokenised, and run through the model.
Guaranteed: no call to another model is made; what is wrong is one line. Not guaranteed: that the memory is
enough for training, which needs more of it than one row does.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from models.chat import TEMPLATE_FAULTS, ChatError, end_tokens, row_texts
from models.spec import ModelSpec
from records.nouns import Message

_PROMPT = (
    Message(role="system", content="## Method\n- Read the task twice."),
    Message(role="user", content="What is 2 + 3?"),
)
_COMPLETION = (Message(role="assistant", content="It is 5."),)


def training_problem(spec: ModelSpec) -> str | None:
    """What makes the training of this student impossible, with the remedy; None if nothing is found.

    Only models of a person's own are loaded and tried: the embedded one is known to train.
    """
    if spec.adapter:
        return (
            f"it has an adapter ({spec.adapter}), and a whole model is trained: name the base model alone, "
            "or merge the adapter into it first"
        )
    return _trial(spec.name) if spec.provider == "hf" else None


def _trial(directory: str) -> str | None:
    from safetensors import SafetensorError

    folder = Path(directory).expanduser()
    directory = str(folder) if folder.is_dir() else directory
    if base := adapter_base(folder):
        return f"{directory} is a LoRA adapter of '{base}', not a model: name hf:{base} as the student"
    try:
        return _fault(directory)
    except ChatError as error:
        return f"{error}. Use another model, or mend its chat template"
    except (OSError, RuntimeError, ImportError, SafetensorError, *TEMPLATE_FAULTS) as error:
        line = " ".join(str(error).split())[:300]
        return f"it cannot be loaded and tried from {directory}: {type(error).__name__}: {line}"


def _fault(directory: str) -> str | None:
    """Raises what the libraries raise, and ChatError."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(directory)
    if not isinstance(tokenizer.chat_template, str):
        return "its tokenizer has no chat template: use an instruct version, or add chat_template.jinja to the model"
    prompt, reply = row_texts(tokenizer, _PROMPT, _COMPLETION)
    texts = (_PROMPT[0].content, _PROMPT[1].content)
    if missing := [text for text in texts if text.strip() not in prompt]:
        return f"its chat template leaves out a part of the prompt ({missing[0][:40]!r})"
    asked, ids = ([*tokenizer(text, add_special_tokens=False)["input_ids"]] for text in (prompt, reply))
    import torch

    from models.local import best_dtype

    model: Any = AutoModelForCausalLM.from_pretrained(directory, dtype=best_dtype(torch.device("cpu")))
    ends = end_tokens(tokenizer, model.config, model.generation_config)
    if not ends & set(ids):
        return (
            f"its chat template ends a reply with {reply[-20:]!r}, and none of its end tokens "
            f"({_names(tokenizer, ends)}) is there: it could never learn to stop. Add the token that ends a turn to "
            "eos_token_id in its generation_config.json"
        )
    return _forward_fault(model, [*asked, *ids])


def _names(tokenizer: Any, ends: frozenset[int]) -> str:
    return ", ".join(map(str, tokenizer.convert_ids_to_tokens(sorted(ends)))) or "it has none"


def _forward_fault(model: Any, ids: list[int]) -> str | None:
    """Run one row; the loss of a model that can be trained is a number."""
    import torch

    places = model.get_input_embeddings().num_embeddings
    if max(ids) >= places:
        return f"its tokenizer has more tokens ({max(ids) + 1}) than the model knows ({places}): they do not fit"
    row = torch.tensor([ids])
    with torch.inference_mode():
        loss = float(model.eval()(input_ids=row, labels=row, use_cache=False).loss)
    return None if math.isfinite(loss) else f"its loss on one row is {loss}: its weights are broken"


def adapter_base(folder: Path) -> str | None:
    """The base model that a directory's LoRA adapter names; None if the directory holds no adapter."""
    try:
        config = json.loads((folder / "adapter_config.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None
    named = config.get("base_model_name_or_path") if isinstance(config, dict) else None
    return str(named or "an unknown model")
