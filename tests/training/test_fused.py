"""The fused parts against the library's, each on its own."""

import torch
import torch.nn.functional as F
from peft import LoraConfig, get_peft_model

from tests.training.tiny import tiny_model
from training.fused import completion_loss, fuse


def test_completion_loss_is_cross_entropy_over_any_chunk() -> None:
    torch.manual_seed(0)
    hidden, weight = torch.randn(13, 8, requires_grad=True), torch.randn(50, 8)
    targets = torch.randint(0, 50, (13,))
    expected = F.cross_entropy(hidden @ weight.t(), targets, reduction="sum")
    (wanted,) = torch.autograd.grad(expected * 0.5, hidden)
    for chunk in (1, 5, 13, 64):
        loss = completion_loss(hidden, weight, targets, chunk)
        (seen,) = torch.autograd.grad(loss * 0.5, hidden)
        torch.testing.assert_close(loss, expected)
        torch.testing.assert_close(seen, wanted)


def test_dropout_layers_keep_the_librarys_forward() -> None:
    config = LoraConfig(r=4, lora_dropout=0.1, target_modules="all-linear", task_type="CAUSAL_LM")
    model = get_peft_model(tiny_model(), config)
    assert fuse(model) == 2 * 2 + 1 + 2  # norms and gates only


def test_fusing_changes_neither_parameters_nor_what_is_saved() -> None:
    model = get_peft_model(tiny_model(), LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM"))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    fuse(model)
    after = model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
