"""A planted leak is always caught; the domain's own language is not called a leak."""

import random
import time
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import prompts
from domains import get_domain
from evaluation.leakage import StrategyCheck, check_splits, check_strategy, grams, near_duplicates, words
from records.config import Sizes
from records.nouns import Problem, Split, content_hash

NOUNS = [
    "apple",
    "river",
    "stone",
    "cloud",
    "table",
    "horse",
    "engine",
    "paper",
    "window",
    "garden",
    "bottle",
    "market",
    "pencil",
    "button",
    "ladder",
]
VERBS = ["count", "sort", "merge", "split", "reverse", "rotate", "filter", "group", "rank", "sum", "pair", "trim"]
INNOCENT = """## Method
- Read the whole task before you start, and name the edge cases.
- Work through one small case by hand, then write the answer.

## Checks
- An empty input is a case of its own."""


def problem(split: Split, number: int, rng: random.Random) -> Problem:
    """A task of one of 12 families, with words of its own after a common template."""
    verb = rng.choice(VERBS)
    things = " ".join(rng.choice(NOUNS) for _ in range(12))
    reference = f"Take each {rng.choice(NOUNS)} and {verb} it: " + " ".join(rng.choice(NOUNS) for _ in range(10))
    return Problem(
        id=f"{split}-{verb}-{number:03d}",
        domain="words",
        split=split,
        family=verb,
        difficulty="easy",
        prompt=f"Here is a list of words. Your task is to {verb} them: {things}. Reply with one line.",
        reference=reference,
        content_hash=content_hash([split, number, things]),
        answer=f"{rng.choice(NOUNS)}-{rng.randrange(10_000):04d}",
    )


def problems(seed: int, train: int = 60) -> list[Problem]:
    rng = random.Random(seed)
    sizes: list[tuple[Split, int]] = [("train", train), ("validation", 10), ("test", 20), ("ood", 10)]
    return [problem(split, number, rng) for split, size in sizes for number in range(size)]


ITEMS = problems(0)
CHECK = StrategyCheck(ITEMS)
HELD_OUT = [item for item in ITEMS if item.split != "train"]


def plant(text: str, fragment: str, rng: random.Random) -> str:
    """Put a fragment into the strategy between two of its lines, or inside one."""
    lines = text.splitlines()
    at = rng.randrange(len(lines))
    return "\n".join([*lines[:at], rng.choice([f"- Remember {fragment}.", f"- {fragment}"]), *lines[at:]])


def test_an_innocent_strategy_has_no_leak() -> None:
    assert CHECK.leaks(INNOCENT) == []


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_a_planted_id_is_always_caught(data: st.DataObject) -> None:
    item = data.draw(st.sampled_from(ITEMS))
    form = data.draw(st.sampled_from(["{}", "`{}`", "_{}_", "({})", "{}:", "see {}, too"]))
    text = plant(INNOCENT, form.format(item.id), random.Random(data.draw(st.integers(0, 99))))
    assert any(leak.kind == "id" and item.id in leak.problem_ids for leak in CHECK.leaks(text))


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_a_planted_answer_is_always_caught(data: st.DataObject) -> None:
    item = data.draw(st.sampled_from(HELD_OUT))
    answer = data.draw(st.sampled_from([item.answer, str(item.answer).upper(), f"'{item.answer}'"]))
    text = plant(INNOCENT, str(answer), random.Random(data.draw(st.integers(0, 99))))
    assert any(leak.kind == "answer" and item.id in leak.problem_ids for leak in CHECK.leaks(text))


@settings(max_examples=500, deadline=None)
@given(data=st.data())
def test_five_words_of_a_held_out_prompt_are_always_caught(data: st.DataObject) -> None:
    item = data.draw(st.sampled_from(HELD_OUT))
    tokens = item.prompt.split()
    first = tokens.index("them:") + 1  # the words before it are the template of every prompt
    start = data.draw(st.integers(first - 4, first + 7))
    fragment = " ".join(tokens[start : start + 5])
    fragment = data.draw(st.sampled_from([fragment, fragment.upper(), fragment.replace(" ", "\n  "), f"{fragment}!"]))
    leaks = CHECK.leaks(plant(INNOCENT, fragment, random.Random(data.draw(st.integers(0, 99)))))
    assert any(leak.kind == "words of a prompt" and item.id in leak.problem_ids for leak in leaks)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_a_held_out_solution_is_always_caught(data: st.DataObject) -> None:
    item = data.draw(st.sampled_from(HELD_OUT))
    leaks = CHECK.leaks(plant(INNOCENT, item.reference, random.Random(data.draw(st.integers(0, 99)))))
    assert any(leak.kind == "words of a reference" and item.id in leak.problem_ids for leak in leaks)


def test_five_words_with_signs_among_them_are_caught() -> None:
    item = HELD_OUT[0].model_copy(update={"prompt": "Given f ( x ) -> y = 3 * x + 1, find the root."})
    assert check_strategy("- Know x ) -> y =.", [*ITEMS, item])
    assert check_strategy("- Know that 3 * x + 1.", [*ITEMS, item])


def test_invisible_characters_do_not_hide_a_leak() -> None:
    item = HELD_OUT[0]
    words = item.prompt.split("them: ")[1].split()[:5]
    hidden = " ".join(word[:2] + "\u200b" + word[2:] for word in words)
    assert check_strategy(f"- {hidden}", ITEMS)


def test_the_shared_template_is_not_a_leak() -> None:
    assert CHECK.leaks("- Here is a list of words. Your task is to read them. Reply with one line.") == []


def test_a_class_label_is_not_a_literal_answer_and_a_number_alone_is_no_id() -> None:
    rng = random.Random(1)
    labelled = [
        problem(split, number, rng).model_copy(update={"answer": label, "id": f"{100 * (split == 'test') + number}"})
        for split in ("train", "test")
        for number, label in enumerate(["FEASIBLE", "INFEASIBLE"] * 3)
    ]
    assert check_strategy("- Say FEASIBLE if at most 103 meetings overlap.", labelled) == []
    assert [leak.kind for leak in check_strategy("- Problem 103 is special.", labelled)] == ["id"]


def test_disjoint_splits_pass_and_a_copy_is_an_error() -> None:
    report = check_splits(ITEMS)
    assert report.ok
    copy = ITEMS[0].model_copy(update={"id": "test-copy", "split": "test"})
    kinds = {leak.kind for leak in check_splits([*ITEMS, copy]).errors}
    assert kinds == {"content hash", "prompt"}
    assert not check_splits([*ITEMS, ITEMS[0]]).ok, "an id that is used twice"


def test_near_duplicates_are_counted_not_forbidden() -> None:
    test_item = next(item for item in ITEMS if item.split == "test")
    changed = test_item.prompt.replace("Reply with one line", "Reply with two lines")
    near = test_item.model_copy(update={"id": "train-x", "split": "train", "prompt": changed, "content_hash": "x"})
    before, after = check_splits(ITEMS), check_splits([*ITEMS, near])
    assert after.ok

    def figure(report: object, field: str) -> int:
        rows = [row for row in report.overlaps if (row.text, row.a, row.b) == ("prompt", "train", "test")]  # type: ignore[attr-defined]
        return int(getattr(rows[0], field))

    assert figure(after, "near") == figure(before, "near") + 1
    assert figure(after, "shared_grams") >= 1


def test_near_duplicates_between_two_lists() -> None:
    left = [ITEMS[0].prompt, "nothing like it at all, 1234567"]
    assert near_duplicates(left, [ITEMS[0].prompt + " "]) == [True, False]
    assert near_duplicates([], ["x"]) == []


@pytest.mark.parametrize("train", [2400])
def test_three_thousand_problems_take_seconds(train: int) -> None:
    many = problems(3, train) + [item.model_copy(update={"id": f"b-{item.id}"}) for item in problems(4, 1)[1:]] * 10
    unique = [item.model_copy(update={"id": f"{i}-{item.id}"}) for i, item in enumerate(many)]
    started = time.process_time()
    check_splits(unique)
    StrategyCheck(unique).leaks(INNOCENT)
    assert time.process_time() - started < 20


@pytest.mark.parametrize("name", ["python", "scheduling"])
def test_every_item_of_the_shipped_domains_is_caught_and_what_is_not_is_common_in_training(name: str) -> None:
    items = get_domain(name).load(None, Sizes(train=200, test=30, ood=20), seed=1)
    check, rng = StrategyCheck(items), random.Random(1)
    train = [words(item.prompt) for item in items if item.split == "train"]
    common = Counter(gram for prompt in train for gram in grams(prompt, 5))
    for item in (item for item in items if item.split != "train"):
        for text in (item.prompt, item.reference):
            assert any(item.id in leak.problem_ids for leak in check.leaks(f"- Know that {text}"))
        tokens = item.prompt.split()
        start = rng.randrange(len(tokens) - 4)
        fragment = " ".join(tokens[start : start + 5])
        caught = any(leak.kind == "words of a prompt" for leak in check.leaks(f"- {fragment}"))
        assert caught or all(common[gram] >= 3 for gram in grams(words(fragment), 5)), fragment


@pytest.mark.parametrize("name", ["python", "scheduling"])
def test_the_shipped_strategies_carry_no_leak(name: str) -> None:
    check = StrategyCheck(get_domain(name).load(None, Sizes(), seed=0))
    for strategy in ("python", "scheduling"):
        assert check.leaks(prompts.load_strategy_file(strategy)) == []


ALIKE = str.maketrans("aeopcxyis", "\u0430\u0435\u043e\u0440\u0441\u0445\u0443\u0456\u0455")
WIDE = str.maketrans({chr(code): chr(code + 0xFEE0) for code in range(33, 127)})
DISGUISES: dict[str, Callable[[str], str]] = {
    "variation selectors": "\ufe0f".join,
    "other selectors": "\U000e0101".join,
    "zero width": "\u200d".join,
    "blank letters": "\u3164".join,
    "other blank letters": "\u115f".join,
    "a Braille blank": "\u2800".join,
    "soft hyphens": "\u00ad".join,
    "combining marks": "\u0336".join,
    "accents": lambda text: "".join(c + "\u0301" for c in text),
    "Cyrillic": lambda text: text.translate(ALIKE),
    "a Cyrillic letter per word": lambda text: " ".join(word[:-1] + word[-1].translate(ALIKE) for word in text.split()),
    "Greek": lambda text: text.translate(str.maketrans("aoivp", "\u03b1\u03bf\u03b9\u03bd\u03c1")),
    "full width": lambda text: text.translate(WIDE),
    "small capitals": lambda text: text.translate(str.maketrans("aemt", "\u1d00\u1d07\u1d0d\u1d1b")),
    "joined": lambda text: text.replace(" ", ""),
    "joined in pairs": lambda text: text.replace(" ", "", 2),
    "bold inside": lambda text: " ".join(f"**{word[:2]}**{word[2:]}" for word in text.split()),
    "tags inside": lambda text: " ".join(f"<b>{word[:2]}</b>{word[2:]}" for word in text.split()),
    "spelled": lambda text: " ".join("-".join(word) for word in text.split()),
    "spaced": " ".join,
    "dotted": lambda text: text.replace(" ", "."),
    "entities": lambda text: "".join(f"&#{ord(c)};" for c in text),
}


@pytest.mark.parametrize("disguise", DISGUISES)
def test_a_disguised_quotation_is_caught(disguise: str) -> None:
    for item in HELD_OUT[:8]:
        words_of = item.prompt.split("them: ")[1].split(".")[0]
        leaks = CHECK.leaks(f"{INNOCENT}\n- {DISGUISES[disguise](words_of)}")
        assert any(leak.kind == "words of a prompt" and item.id in leak.problem_ids for leak in leaks)


@pytest.mark.parametrize(
    "disguise", sorted(set(DISGUISES) - {"joined in pairs", "spelled", "spaced", "dotted", "a Braille blank"})
)
def test_a_disguised_answer_is_caught(disguise: str) -> None:
    for item in HELD_OUT[:8]:
        leaks = CHECK.leaks(f"{INNOCENT}\n- It is {DISGUISES[disguise](str(item.answer))} there.")
        assert any(leak.kind == "answer" and item.id in leak.problem_ids for leak in leaks), item.answer


def test_letters_within_other_words_are_no_quotation() -> None:
    item = HELD_OUT[0].model_copy(update={"prompt": "Take a list of numbers and add them."})
    check = StrategyCheck([*ITEMS, item])
    assert not check.leaks("- Check the data list of numbersand do not sort.")
    assert check.leaks("- Know alistofnumbersandadd.")


def test_texts_of_other_scripts_are_compared_as_before() -> None:
    russian = (
        "\u041d\u0430\u0439\u0434\u0438 "
        "\u0432\u0441\u0435 "
        "\u043f\u0440\u043e\u0441\u0442\u044b\u0435 "
        "\u0447\u0438\u0441\u043b\u0430 "
        "\u0434\u043e "
        "\u0441\u0442\u0430"
    )
    prompt = russian
    item = HELD_OUT[0].model_copy(update={"prompt": prompt})
    check = StrategyCheck([*ITEMS, item])
    assert check.leaks(f"- {prompt.upper()}") and check.leaks(f"- {prompt.replace(' ', '')}")
