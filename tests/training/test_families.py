"""Gemma-, Llama-3-, Qwen- and GPT-2-like students train, test and serve on one and the same prompt."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from models.chat import render
from models.local import LocalModel
from models.spec import check_available, parse_spec
from models.trainable import training_problem
from records.nouns import Message
from tests.training.families import FAMILIES, family_tokenizer, save_family
from tests.training.tiny import STRATEGY, approval, make_run, rows
from training.rows import preflight, tokenise
from training.sft import main
from training.trainer import load_tokenizer

NAMES = list(FAMILIES)


@pytest.mark.parametrize("name", NAMES)
def test_a_row_begins_with_the_prompt_that_is_asked_and_ends_with_the_turns_end(name: str, tmp_path: Path) -> None:
    folder = save_family(name, tmp_path / "student")
    tokenizer, ends = load_tokenizer(str(folder))
    (row,) = rows(1, "lora_strategy", STRATEGY)
    (example,) = tokenise([row], tokenizer, ends)
    assert example.ids[: example.prompt] == render(tokenizer, row.prompt)
    assert "Read the task twice" in tokenizer.decode(example.ids[: example.prompt])
    written = tokenizer.decode(example.ids[example.prompt :])
    opened = "\n</think>\n\n" if name == "thinking" else ""
    assert written == f"{opened}It is 0.{FAMILIES[name].turn_end}"
    assert preflight([example], tokenizer, ends, 500, 0.0)[1].without_end == 0


@pytest.mark.parametrize("name", NAMES)
def test_a_student_trains_tests_and_serves(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    student = save_family(name, tmp_path / "a+b" / "student")
    spec = parse_spec(f"hf:{student}".replace("+", "++"))
    assert spec.name == str(student) and check_available(spec) is None
    assert training_problem(spec) is None
    data = rows(4, "lora_strategy", STRATEGY)
    run = make_run(tmp_path / "run", Path(spec.name.replace("+", "++")), data, [approval(STRATEGY)], learning_rate=0.05)
    assert main(["--run", str(run), "--arm", "lora_strategy", "--seed", "1"]) == 0, capsys.readouterr().err
    assert ("takes no system message" in capsys.readouterr().out) is (name in ("gemma", "gpt2"))
    adapter = run / "adapters" / "lora_strategy-seed1"
    asked = data[0].prompt
    model = LocalModel(str(student), dtype=torch.float32)
    try:
        base = model.submit(asked, 6).result().text
        tuned = model.submit(asked, 6, adapter=str(adapter)).result().text
        assert model.submit(asked, 6).result().text == base
    finally:
        model.close()
    assert (base, tuned) == (beside(student, None, asked), beside(student, adapter, asked))


def beside(student: Path, adapter: Path | None, asked: tuple[Message, ...]) -> str:
    """The greedy reply of transformers and PEFT, with the adapter beside the weights."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(student)
    model = AutoModelForCausalLM.from_pretrained(student, dtype=torch.float32)
    model = PeftModel.from_pretrained(model, adapter).eval() if adapter else model.eval()
    ids = render(tokenizer, asked)
    _, ends = load_tokenizer(str(student))
    made = model.generate(
        input_ids=torch.tensor([ids]), max_new_tokens=6, do_sample=False, eos_token_id=sorted(ends), pad_token_id=0
    )
    return str(tokenizer.decode(made[0, len(ids) :], skip_special_tokens=True))


def test_a_templates_stripped_thoughts_and_words_are_trained_as_they_stand() -> None:
    tokenizer = family_tokenizer(FAMILIES["thinking"])
    tokenizer.chat_template = tokenizer.chat_template.replace("<think>\n{% endif %}", "{% endif %}")
    (row,) = rows(1)
    thoughtful = row.model_copy(
        update={"completion": (Message(role="assistant", content="<think>2</think>\n\nIt is."),)}
    )
    (example,) = tokenise([thoughtful], tokenizer, frozenset({tokenizer.eos_token_id}))
    assert tokenizer.decode(example.ids[example.prompt :]) == "<think>2</think>\n\nIt is.<|im_end|>"


def test_neighbours_of_one_role_are_joined_for_a_template_that_wants_them_in_turn() -> None:
    tokenizer = family_tokenizer(FAMILIES["gemma"])
    asked = [Message(role="user", content=text) for text in ("one", "two")]
    assert tokenizer.decode(render(tokenizer, asked)).count("one\n\ntwo") == 1


def template(folder: Path, text: str) -> None:
    (folder / "chat_template.jinja").write_text(text)


def test_what_makes_training_impossible_is_one_line(tmp_path: Path) -> None:
    good = save_family("qwen", tmp_path / "good")

    def fault(change: str, name: str = "student") -> str:
        folder = tmp_path / name
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(good, folder)
        template(folder, change)
        problem = training_problem(parse_spec(f"hf:{folder}"))
        assert problem is not None and "\n" not in problem
        return problem

    assert "never learn to stop" in fault("{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}")
    assert "renders the prompt differently" in fault("{{ messages | length }}{{ messages[-1]['content'] }}")
    assert "chat template fails" in fault("{{ raise_exception('no') }}")
    assert "no chat template" in bare(tmp_path / "bare")
    assert "name the base model alone" in str(training_problem(parse_spec(f"hf:{good}+{tmp_path}")))
    assert "name the base model alone" in str(training_problem(parse_spec(f"embedded+{tmp_path}")))
    assert training_problem(parse_spec("embedded")) is None


def bare(folder: Path) -> str:
    save_family("gpt2", folder)
    (folder / "chat_template.jinja").unlink()
    return str(training_problem(parse_spec(f"hf:{folder}")))


def test_an_adapter_as_a_student_and_a_cut_path_are_named(tmp_path: Path) -> None:
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "some/base"}))
    spec = parse_spec(f"hf:{adapter}")
    assert "is a LoRA adapter" in str(check_available(spec))
    assert "name hf:some/base" in str(training_problem(spec))
    (tmp_path / "a+b").mkdir()
    assert "written ++" in str(check_available(parse_spec(f"hf:{tmp_path}/a+b")))


def test_broken_weights_and_a_foreign_tokenizer_are_found_by_one_row(tmp_path: Path) -> None:
    folder = save_family("qwen", tmp_path / "student")
    more = (*(f"<|x{number}|>" for number in range(9)), "<|im_end|>")
    foreign = FAMILIES["llama-3"]._replace(other=more, template=FAMILIES["qwen"].template)
    family_tokenizer(foreign).save_pretrained(str(folder))
    assert "do not fit" in str(training_problem(parse_spec(f"hf:{folder}")))
    (folder / "model.safetensors").write_bytes(b"cut")
    assert "cannot be loaded" in str(training_problem(parse_spec(f"hf:{folder}")))
