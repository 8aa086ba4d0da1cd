"""Prompt files: fields are checked, hashes are of the file, domain files are validated."""

import hashlib
from pathlib import Path

import pytest

import prompts
from prompts import Prompt, PromptError


def test_render_fills_the_fields_and_inserts_dollars_as_they_are() -> None:
    prompt = Prompt("greeting", "Hello $name, you owe $$5 {not: a field}.")
    assert prompt.render(name="$other") == "Hello $other, you owe $5 {not: a field}."


@pytest.mark.parametrize(
    ("given", "words"),
    [({}, "missing: name"), ({"name": "a", "age": "b"}, "unused: age"), ({"age": "b"}, "missing: name; unused: age")],
)
def test_wrong_fields_are_named_with_the_file(given: dict[str, str], words: str) -> None:
    with pytest.raises(PromptError) as caught:
        Prompt("greeting", "Hello $name").render(**given)
    assert "prompts/greeting.txt" in str(caught.value)
    assert words in str(caught.value)


def test_hash_is_of_the_file() -> None:
    folder = Path(prompts.__file__).parent
    expected = hashlib.sha256((folder / "solve_system.txt").read_bytes()).hexdigest()[:16]
    assert prompts.load("solve_system").hash == expected
    assert prompts.all_hashes()["solve_system"] == expected


def test_every_prompt_file_has_valid_fields() -> None:
    names = [path.stem for path in Path(prompts.__file__).parent.glob("*.txt")]
    assert len(names) >= 7
    for name in names:
        assert bool(prompts.load(name).fields) == (name != "rubric"), name  # which is a part of `judge`


@pytest.mark.parametrize("name", ["absent", "../records/nouns", "", "a/b"])
def test_an_unknown_name_is_an_error(name: str) -> None:
    with pytest.raises(PromptError):
        prompts.load(name)


def test_an_absent_strategy_file_lists_those_that_exist() -> None:
    with pytest.raises(PromptError, match="does not exist; there are:"):
        prompts.load_strategy_file("absent")


def test_oracle_rules_are_read() -> None:
    text = """
[[draft]]
section = "Method"
text = "Read the task."
[[lesson]]
kinds = ["wrong_answer"]
section = "Checks"
text = "Check the empty case."
"""
    rules = prompts.parse_oracle_rules(text, "x.oracle.toml")
    assert rules.draft[0].text == "Read the task."
    assert rules.lesson[0].kinds == ("wrong_answer",)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[draft]", "not TOML"),
        ("", "draft: Field required"),
        ('[[draft]]\nsection="a"\ntext="b"\n[[lesson]]\nkinds=[]\nsection="c"\ntext="d"', "lesson.0.kinds"),
        ('[[draft]]\nsection="a"\ntext="b"\nextra=1', "draft.0.extra"),
    ],
)
def test_broken_oracle_rules_name_file_and_field(text: str, words: str) -> None:
    with pytest.raises(PromptError) as caught:
        prompts.parse_oracle_rules(text, "x.oracle.toml")
    assert str(caught.value).startswith("x.oracle.toml: ")
    assert words in str(caught.value)
