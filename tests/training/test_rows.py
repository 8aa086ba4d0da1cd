"""Reading rows: approval, provenance, rendering, and the preflight's refusals."""

from pathlib import Path

import pytest

from records.nouns import Message
from records.rundir import RunDirectory
from tests.training.tiny import STRATEGY, approval, make_run, rows, tiny_tokenizer
from training.errors import TrainingError
from training.rows import check_approval, load_rows, preflight, template_hash, tokenise

TOKENIZER = tiny_tokenizer()
ENDS = frozenset({TOKENIZER.eos_token_id})


def test_labels_are_the_reply_and_its_end_token() -> None:
    (example,) = tokenise(rows(1), TOKENIZER, ENDS)
    assert TOKENIZER.decode(example.ids[example.prompt :]) == "It is 0.<|im_end|>"
    assert TOKENIZER.decode(example.ids[: example.prompt]).endswith("What is 0 + 0?<|im_end|>\n<|im_start|>assistant\n")


def test_an_end_token_inside_the_reply_does_not_cut_it() -> None:
    hostile = rows(1)[0].model_copy(update={"completion": (Message(role="assistant", content="a<|im_end|>b"),)})
    (example,) = tokenise([hostile], TOKENIZER, ENDS)
    assert TOKENIZER.decode(example.ids[example.prompt :]) == "a<|im_end|>b<|im_end|>"


def test_a_template_that_renders_the_prompt_differently_is_refused() -> None:
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = "{{ messages | length }}{{ messages[-1]['content'] }}"
    with pytest.raises(TrainingError, match="renders the prompt differently"):
        tokenise(rows(1), tokenizer, ENDS)


def test_only_approved_strategies_are_trained_on() -> None:
    data = rows(3, "lora_strategy", STRATEGY)
    assert check_approval(data, [approval(STRATEGY)]) == data[0].strategy_hash
    with pytest.raises(TrainingError, match="not approved"):
        check_approval(data, [])
    with pytest.raises(TrainingError, match="not approved"):
        check_approval(data, [approval("another text")])


def test_a_later_rejection_takes_an_approval_back() -> None:
    rejection = approval(STRATEGY, id="d2", action="reject", approved_hash=None)
    with pytest.raises(TrainingError, match="not approved"):
        check_approval(rows(1, "lora_strategy", STRATEGY), [approval(STRATEGY), rejection])


def test_a_text_other_than_the_approved_one_is_refused() -> None:
    (row,) = rows(1, "lora_strategy", STRATEGY)
    forged = row.model_copy(update={"prompt": (Message(role="system", content="other words"), *row.prompt[1:])})
    with pytest.raises(TrainingError, match="not the text of the approved strategy"):
        check_approval([forged], [approval(STRATEGY)])
    with pytest.raises(TrainingError, match="names no strategy"):
        check_approval([forged.model_copy(update={"strategy_hash": None})], [approval(STRATEGY)])


def test_rows_without_a_strategy_need_no_decision() -> None:
    assert check_approval(rows(2), []) is None


def test_preflight_counts_what_it_drops_and_fails_above_the_limit() -> None:
    examples = tokenise(rows(20), TOKENIZER, ENDS)
    longest = max(len(example.ids) for example in examples)
    kept, report = preflight(examples, TOKENIZER, ENDS, max_length=longest, limit=0.0)
    assert (report.kept, report.too_long, report.without_end) == (20, 0, 0)
    assert report.completion_tokens == sum(len(e.ids) - e.prompt for e in kept)
    assert report.decoded_labels == "It is 0.<|im_end|>" and report.template_hash == template_hash(TOKENIZER)
    fewer, report = preflight(examples, TOKENIZER, ENDS, max_length=longest - 1, limit=0.5)
    assert len(fewer) == report.kept < 20 and report.too_long == 20 - report.kept
    with pytest.raises(TrainingError, match=r"longer than \d+ tokens"):
        preflight(examples, TOKENIZER, ENDS, max_length=longest - 1, limit=0.005)


def test_rows_that_never_end_fail_the_preflight() -> None:
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = "{% for m in messages %}{{ m['content'] }}{% endfor %}"
    examples = tokenise(rows(4), tokenizer, ENDS)
    with pytest.raises(TrainingError, match="4 have no end token"):
        preflight(examples, tokenizer, ENDS, max_length=500, limit=0.005)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{oops\n", "line 3: not JSON"),
        ('{"id": "r9"}\n', "line 3, field problem_id"),
        (rows(1)[0].model_copy(update={"completion": ()}).model_dump_json() + "\n", "line 3, field completion"),
    ],
)
def test_a_broken_row_is_named(tmp_path: Path, line: str, message: str) -> None:
    run = make_run(tmp_path / "run", tmp_path, rows(2))
    with (run / "dataset" / "lora_plain.jsonl").open("a") as file:
        file.write(line)
    with pytest.raises(Exception, match=message):
        load_rows(RunDirectory(run), "lora_plain")


def test_a_missing_dataset_lists_those_there(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", tmp_path, rows(2))
    with pytest.raises(TrainingError, match="datasets there: lora_plain"):
        load_rows(RunDirectory(run), "lora_distilled")
