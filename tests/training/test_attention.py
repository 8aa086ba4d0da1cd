"""The flat forward with a shared prefix gives the loss and gradients of the ordinary forward."""

import copy
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from peft import get_peft_model
from torch import Tensor
from transformers import AutoConfig, AutoModelForCausalLM

from records.config import TrainingConfig
from tests.training.tiny import tiny_model
from training.attention import NAME, Layout
from training.batches import IGNORED, collate
from training.fused import completion_loss, fuse
from training.trainer import fast_path_problem, lora_config

Row = dict[str, list[int]]


def student(dtype: torch.dtype = torch.float32) -> Any:
    model = get_peft_model(tiny_model(dtype), lora_config(TrainingConfig(rank=4)))
    generator = torch.Generator().manual_seed(3)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            parameter.data = torch.randn(parameter.shape, generator=generator) * 0.1
    return model


def random_rows(prefix: int, prompts: list[int], completions: list[int]) -> list[Row]:
    generator = torch.Generator().manual_seed(prefix)
    common = torch.randint(0, 250, (prefix,), generator=generator).tolist()
    rows = []
    for i, (prompt, completion) in enumerate(zip(prompts, completions, strict=True)):
        own = torch.randint(0, 250, (prompt + completion - 1,), generator=generator).tolist()
        ids = [*common, i, *own]  # the token after the prefix differs between rows
        rows.append({"input_ids": ids, "labels": [IGNORED] * (prefix + prompt) + ids[prefix + prompt :]})
    return rows


def ordinary(model: Any, rows: list[Row]) -> Tensor:
    """One row at a time through the library's own modules."""
    total = torch.zeros(())
    for row in rows:
        logits = model(input_ids=torch.tensor([row["input_ids"]])).logits[0, :-1].float()
        total = total + F.cross_entropy(logits, torch.tensor(row["labels"][1:]), reduction="sum")
    return total


def flat(model: Any, rows: list[Row]) -> Tensor:
    batch = collate(rows)
    base = model.get_base_model()
    hidden = base.get_decoder()(
        input_ids=batch["input_ids"], position_ids=batch["position_ids"], layout=batch["layout"], use_cache=False
    ).last_hidden_state[0]
    targets = batch["labels"][0, batch["predictors"] + 1]
    return completion_loss(hidden[batch["predictors"]], base.get_output_embeddings().weight, targets, chunk=5)


def gradients(model: Any, loss: Tensor) -> dict[str, Tensor]:
    loss.backward()
    return {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize(
    ("prefix", "prompts", "completions"),
    [
        (9, [3, 3, 3], [4, 4, 4]),
        (20, [1, 7, 2, 5, 3, 1], [9, 1, 4, 2, 6, 3]),  # more rows than one attention block, all lengths different
        (0, [4, 2], [3, 5]),
        (5, [6], [7]),  # a single row shares nothing
    ],
)
def test_loss_and_gradients_equal_the_ordinary_forward(prefix: int, prompts: list[int], completions: list[int]) -> None:
    rows = random_rows(prefix, prompts, completions)
    plain = student()
    fast = copy.deepcopy(plain)
    fast.get_base_model().set_attn_implementation(NAME)
    assert fuse(fast) == 2 * 7 + 2 * 2 + 1 + 2  # LoRA layers, norms, gates

    expected, got = ordinary(plain, rows), flat(fast, rows)
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-4)
    wanted, seen = gradients(plain, expected), gradients(fast, got)
    assert wanted.keys() == seen.keys() and len(wanted) == 2 * 14
    for name, gradient in wanted.items():
        torch.testing.assert_close(seen[name], gradient, rtol=1e-3, atol=2e-5 * float(gradient.abs().max()), msg=name)


@pytest.mark.parametrize(("kept_bytes", "kept"), [(0, 0), (20_000, 1), (2**23, 3)])  # of three parts
def test_kept_and_recomputed_probabilities_give_the_same_bits(
    kept_bytes: int, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = random_rows(20, [1, 7, 2, 5, 3, 1], [9, 1, 4, 2, 6, 3])
    model = student()
    model.get_base_model().set_attn_implementation(NAME)
    expected = gradients(model, flat(model, rows))
    model.zero_grad()

    monkeypatch.setattr("training.attention.KEPT_BYTES", kept_bytes)
    loss = flat(model, rows)
    assert [len(node.saved_tensors) for node in _attention_nodes(loss)] == [3 + kept] * 2  # two layers
    seen = gradients(model, loss)
    assert all(torch.equal(seen[name], gradient) for name, gradient in expected.items())


def _attention_nodes(loss: Tensor) -> list[Any]:
    found, waiting, known = [], [loss.grad_fn], set()
    while waiting:
        node: Any = waiting.pop()
        if node is not None and node not in known:
            known.add(node)
            found += [node] if "SharedPrefixAttention" in node.name() else []
            waiting += [following for following, _ in node.next_functions]
    return found


@pytest.mark.parametrize("family", ["qwen2", "qwen3"])
def test_other_families_of_the_fast_path(family: str) -> None:
    """Biased projections (qwen2) and norms inside the attention (qwen3)."""
    shape = {"vocab_size": 258, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8}
    torch.manual_seed(1)
    base = AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **shape, **heads))
    assert fast_path_problem(base, "cpu") is None
    plain = get_peft_model(base, lora_config(TrainingConfig(rank=4)))
    fast = copy.deepcopy(plain)
    fast.get_base_model().set_attn_implementation(NAME)
    fuse(fast)
    rows = random_rows(6, [2, 5, 3], [4, 3, 6])
    expected, got = ordinary(plain, rows), flat(fast, rows)
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-4)
    wanted, seen = gradients(plain, expected), gradients(fast, got)
    for name, gradient in wanted.items():
        torch.testing.assert_close(seen[name], gradient, rtol=1e-3, atol=2e-5 * float(gradient.abs().max()), msg=name)


def test_models_that_need_more_than_full_attention_take_the_librarys_path() -> None:
    assert "model type gpt2" in str(fast_path_problem(AutoModelForCausalLM.from_config(small_gpt2()), "cpu"))
    assert "GPU" in str(fast_path_problem(tiny_model(), "cuda"))
    window = AutoConfig.for_model("qwen2", layer_types=["full_attention", "sliding_attention"], num_hidden_layers=2)
    model = tiny_model()
    model.config = window
    assert "not the full one" in str(fast_path_problem(model, "cpu"))


def small_gpt2() -> Any:
    return AutoConfig.for_model("gpt2", n_layer=1, n_head=2, n_embd=16, vocab_size=50)


def test_shared_tokens_are_computed_once() -> None:
    batch = collate(random_rows(50, [3] * 8, [5] * 8))
    assert batch["layout"] == Layout(50, (8,) * 8)
    assert batch["input_ids"].shape == (1, 50 + 8 * 8)


def test_bf16_stays_close_to_fp32() -> None:
    rows = random_rows(12, [4, 2, 3], [5, 6, 4])
    exact = student()
    rough = student(torch.bfloat16)
    rough.get_base_model().set_attn_implementation(NAME)
    fuse(rough)
    expected, got = ordinary(exact, rows), flat(rough, rows)
    assert got.dtype == torch.float32
    torch.testing.assert_close(got, expected, rtol=2e-2, atol=0)
    seen = gradients(rough, got)
    for name, gradient in gradients(exact, expected).items():
        assert seen[name].dtype == torch.float32  # the adapter keeps full precision
        assert F.cosine_similarity(seen[name].flatten(), gradient.flatten(), dim=0) > 0.98, name
