"""One adapter by three engines; needs a real vLLM (`make test-vllm`)."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from domains import get_domain
from models.embedded import embedded_model_directory
from models.served import VllmServer, vllm_python
from records.config import RunConfig, Sizes
from records.rundir import RunDirectory
from training.serve import main


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """A run with problems and an adapter that changes the replies, but was not trained."""
    directory = RunDirectory(tmp_path_factory.mktemp("runs") / "served")
    directory.write_json("run.json", {"config": RunConfig(domain="scheduling").model_dump(mode="json")})
    directory.append("problems.jsonl", get_domain("scheduling").load(None, Sizes(train=4, test=30), seed=3))
    torch.manual_seed(0)
    model = get_peft_model(
        AutoModelForCausalLM.from_pretrained(embedded_model_directory(), dtype=torch.float32),
        LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", init_lora_weights=False),
    )
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.mul_(0.05)
    model.save_pretrained(directory.file("adapters", "lora_plain-seed0", "x").parent)
    return directory


@pytest.mark.vllm
@pytest.mark.timeout(1800)
def test_prompts_are_identical_and_replies_agree(run: RunDirectory, capsys: pytest.CaptureFixture[str]) -> None:
    vllm_python()  # raises with the remedy where there is none
    status = main(["check", str(run.path), "--prompts", "30", "--max-tokens", "24", "--dtype", "float32"])
    found = json.loads(capsys.readouterr().out)
    assert found["identical_prompt_token_ids"] is True
    assert min(found["identical_greedy_replies"].values()) >= found["required"], found
    assert status == 0


@pytest.mark.vllm
@pytest.mark.timeout(900)
def test_a_killed_owner_leaves_a_server_that_is_used_again(run: RunDirectory) -> None:
    folder = run.path / "served"
    script = (
        "import asyncio, os, sys\nfrom pathlib import Path\nfrom models.served import VllmServer\n"
        f"asyncio.run(VllmServer.open({str(embedded_model_directory())!r}, Path({str(folder)!r})))\n"
        "print('open', flush=True)\nos.kill(os.getpid(), 9)"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=root)
    assert done.stdout == "open\n", done.stderr
    (record,) = folder.glob("vllm-*.json")
    name = json.loads(record.read_text())["name"]
    assert asyncio.run(_name_of_server(folder)) == name


async def _name_of_server(folder: Path) -> str:
    server = await VllmServer.open(str(embedded_model_directory()), folder)
    await server.close()
    return server.record.name


def test_a_run_without_the_adapter_is_refused_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(tmp_path)]) == 2
    assert "has no adapter. Train it first" in capsys.readouterr().err
