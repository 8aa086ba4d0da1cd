"""What a model thought is never judged, learned from or shown as what it said."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from models.calls import CallRequest, Reply
from models.chat import opens_a_thought, reply_text
from models.gateway import Gateway
from models.spec import ModelSpec
from models.thoughts import is_mark, opens_thought, parted
from records.config import RunConfig
from tests.loopback import Loopback, Step
from tests.models.conftest import OpenGateway, ask
from tests.training.families import FAMILIES, family_tokenizer

NAMES = ("think", "thinking", "thought", "thoughts", "reasoning", "THINK", "Thinking", "seed:think")
PAIRS = [
    *((f"<{name}>", f"</{name}>") for name in NAMES),
    ("[THINK]", "[/THINK]"),
    ("[thinking]", "[/thinking]"),
    ("< think >", "</ think >"),
    ('<think type="draft">', "</think>"),
    ("&lt;think&gt;", "&lt;/think&gt;"),
    ("<|think|>", "</|think|>"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("◁think▷", "◁/think▷"),
    ("<|channel>thought\n", "<channel|>"),
    ("<unused94>thought\n", "<unused95>"),
    ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"),
    ("<|start|>assistant<|channel|>analysis<|message|>", "<|channel|>final<|message|>"),
    ("<|channel|>analysis<|message|>a<|end|><|channel|>commentary to=x <|message|>", "<|channel|>final<|message|>"),
]
THOUGHT = "It may be\n```python\ndraft\n```\n\\boxed{17}? It's not."


@pytest.mark.parametrize(("begin", "end"), PAIRS)
def test_closed_and_cut_thoughts_in_every_usual_mark(begin: str, end: str) -> None:
    for before, between in (("", "\n"), ("\n ", "\n\n"), ("\ufeff", "")):
        found = parted(f"{before}{begin}{THOUGHT}{end}{between}ANSWER: 18")
        assert found.text.strip() == "ANSWER: 18" and THOUGHT in found.reasoning and not found.cut
    cut = parted(begin + THOUGHT)
    assert (cut.text, cut.cut) == ("", True) and THOUGHT in cut.reasoning


@pytest.mark.parametrize("end", sorted({end for _, end in PAIRS if "message" not in end}))
@pytest.mark.parametrize("between", ["\n\n", "\n", " ", ""])
def test_only_the_closing_mark(end: str, between: str) -> None:
    found = parted(f"{THOUGHT}\n{end}{between}ANSWER: 18")
    assert (found.text, found.cut) == ("ANSWER: 18", False)
    assert THOUGHT in found.reasoning


ANSWERS = {  # replies in which the last word counts: text, answer
    "two thoughts": ("<think>a</think>\n<think>b</think>\nc", "c"),
    "two closing marks": ("a</think>b</think>c", "c"),
    "one closing mark too many": ("<think>a</think></think>c", "c"),
    "an opening mark within": ("<think>I write <think> first</think>c", "c"),
    "another name within": ("<thinking>x <reasoning>r</reasoning> y</thinking>c", "c"),
    "closed by another name": ("<think>a</thinking>c", "c"),
    "the mark quoted in the thought": ("<think>I close with `</think>` later. b</think>c", "c"),
    "a draft that was left open": ("draft\n```python\nbad\n</think>\n```python\ngood\n```", "```python\ngood\n```"),
    "a fence behind words": ("so ```\n</think>c", "c"),
    "apostrophes": ("it's 17 </think>it's 18", "it's 18"),
    "indented code": ("<think>a</think>\n\n    return x", "    return x"),
    "edits": ('A draft: [{"text":"Draft."}]\n</think>\n[{"text":"Final."}]', '[{"text":"Final."}]'),
    "a word before": ("Sure.\n<think>\n17\n</think>\n18", "Sure.\n\n\n18"),
    "marks that a server took out": ("analysisWe need 17.assistantfinalANSWER: 18", "ANSWER: 18"),
    "no thought": ("<|channel|>final<|message|>c<|return|>", "c"),
    "an empty thought": ("<think>\n\n</think>\n\nc", "c"),
    "a solution's marks": ("<|end_of_thought|>\n<|begin_of_solution|>c<|end_of_solution|>", "c"),
    "nothing said": ("17 </think>", ""),
    "an answer, then a cut thought": ("c\n<think>\nd", "c\n"),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_what_was_said(name: str) -> None:
    reply, answer = ANSWERS[name]
    found = parted(reply)
    assert (found.text, found.cut) == (answer, False)
    assert parted(found.text).text == found.text


WHOLE = {
    "plain": "ANSWER: 18  \n",
    "empty": "",
    "a string in code": 'def f(s):\n    return s.replace("<think>", "").split("</think>")[-1]',
    "a pattern in code": "import re\nf = lambda s: re.sub(r'<think>.*?</think>', '', s)",
    "a closing mark in code": "def f(s):\n    return s.split('</think>')[-1]",
    "a string with more": 'def f(s):\n    return s + " ends with </think> here"',
    "a fence": "```python\nx = '''\n<think>\nz\n</think>\n'''\n```",
    "a fence with a closing mark": "Code:\n~~~\ny\n</think>\n~~~\ndone",
    "ticks": "Use `<think>` and `</think>`.",
    "a sentence": "The tags <think> and </think> hold thoughts.",
    "json": '[{"text": "Close with </think> first."}]',
    "json with quotes": '[{"text": "Say \\"why\\", close with </think> first."}]',
    "other tags": "<answer>18</answer> <b>x</b> a < think b > c",
    "channels told of": "The format is <|channel|>analysis<|message|> as you know.",
    "a word": "analysis of the data",
}


@pytest.mark.parametrize("name", WHOLE)
def test_answers_that_speak_of_marks_stay_whole(name: str) -> None:
    found = parted(WHOLE[name])
    assert (found.text, found.reasoning, found.cut) == (WHOLE[name], "", False)


def test_a_prompt_that_opened_the_thought() -> None:
    assert parted("17? </think>\n18", opened=True).text == "18"
    assert parted("<think>17?</think>\n18", opened=True).text == "18"
    cut = parted("17, or\n```python\ndraft\n```", opened=True)
    assert (cut.text, cut.cut) == ("", True)


@pytest.mark.parametrize(
    ("end", "opens"),
    [
        ("<|im_start|>assistant\n<think>\n", True),
        ("[/INST][THINK]", True),
        ("<|start|>assistant<|channel|>analysis<|message|>", True),
        ("<think>\n\n</think>\n\n", False),
        ("Use <think>.<|im_end|>\n<|im_start|>assistant\n", False),
        ("<|start|>assistant<|channel|>final<|message|>", False),
        ("", False),
    ],
)
def test_prompts_that_open_a_thought_are_known(end: str, opens: bool) -> None:
    assert opens_thought(end) is opens


def test_a_rendered_template_tells() -> None:
    tokenizer = family_tokenizer(FAMILIES["thinking"])
    turns = [{"role": "user", "content": "2+2?"}]
    prompt = tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_dict=False)
    assert opens_a_thought(tokenizer, prompt)
    bare = tokenizer.apply_chat_template(turns, return_dict=False)
    assert not opens_a_thought(tokenizer, bare)


def test_control_tokens_that_mark_thoughts_are_kept() -> None:
    tokenizer = family_tokenizer(FAMILIES["thinking"])
    tokenizer.add_special_tokens({"additional_special_tokens": ["[THINK]", "[/THINK]"]})
    ids = tokenizer("[THINK]a[/THINK]b<|im_end|>", add_special_tokens=False)["input_ids"]
    text = reply_text(tokenizer, ids)
    assert parted(text).text.strip() == "b" and "im_end" not in text
    assert is_mark("[THINK]") and not is_mark("<|im_end|>") and not is_mark("<|end|>")


HOSTILE: dict[str, str] = {
    "openings": "<think>" * 30_000,
    "closings": "</think>" * 30_000,
    "pairs": "<think></think>\n" * 20_000,
    "wrong names": "<think>\n</thinking>\n" * 10_000,
    "fences": "```\n" * 40_000 + "</think>",
    "quotes": "'\"`" * 60_000 + "</think>" * 2_000,
    "halves": "<think " * 40_000 + "< " * 40_000,
    "channels": "<|channel|>a" * 20_000,
    "analysis": "analysis" * 40_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_replies_take_linear_time(name: str) -> None:
    started = time.process_time()
    parted(HOSTILE[name])
    assert time.process_time() - started < 3.0


# At the door to all models


@pytest.mark.parametrize(
    ("said", "finish", "text", "reasoning", "ended"),
    [
        ("<think>17?</think>\n18", "stop", "18", "17?", "stop"),
        ("17?\n</think>\n18", "stop", "18", "17?\n", "stop"),
        ("<think>17?", "stop", "", "17?", "length"),
        ("<think>17?", "length", "", "17?", "length"),
        ("18", "stop", "18", "", "stop"),
    ],
)
async def test_thoughts_are_cut_off_where_a_reply_arrives(
    open_gateway: OpenGateway, said: str, finish: str, text: str, reasoning: str, ended: str
) -> None:
    with Loopback([Step(said, finish=finish)]) as server:
        request = ask("9*2?", f"vllm:m@{server.openai_url}")
        async with open_gateway() as gateway:
            first = await gateway.complete(request)
        async with open_gateway() as gateway:
            again = await gateway.complete(request)
    for completion in (first, again):
        assert (completion.text, completion.reasoning, completion.finish_reason) == (text, reasoning, ended)
    assert again.replayed


async def test_thoughts_that_a_server_parted_stay_beside_those_left(open_gateway: OpenGateway) -> None:
    with Loopback([Step("b</think>18", reasoning="a")]) as server:
        async with open_gateway() as gateway:
            completion = await gateway.complete(ask("x", f"vllm:m@{server.openai_url}"))
    assert (completion.text, completion.reasoning) == ("18", "a\nb")


class _Opened:
    """A local model whose template opens the thought."""

    async def call(self, spec: ModelSpec, request: CallRequest) -> Reply:
        return Reply(text="17, or", finish_reason="length", opened=True)

    async def close(self) -> None: ...


async def test_a_local_reply_cut_in_the_thought_that_its_template_opened(tmp_path: Path) -> None:
    config = RunConfig(domain="python")
    async with Gateway.open(tmp_path / "ledger.sqlite", config, callers=lambda spec: _Opened()) as gateway:
        completion = await gateway.complete(ask("x", "vllm:m@http://127.0.0.1:9/v1"))
    assert (completion.text, completion.reasoning, completion.finish_reason) == ("", "17, or", "length")
