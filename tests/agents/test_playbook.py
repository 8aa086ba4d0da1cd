"""Strategy text and bullets, edits, and the reading of hostile replies."""

import contextlib
import json
import time
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.edit_replies import parse_edits
from agents.plain_text import clean_text
from agents.playbook import (
    EditError,
    apply_edits,
    check_size,
    numbered,
    parse_strategy,
    strategy_text_in,
)
from records.nouns import Edit, Strategy

TEXT = """## Method
- Read the whole task first.
- Work step by step
  and write each step down.

## Checks
- Test the empty case.
"""


def strategy() -> Strategy:
    return parse_strategy(TEXT, name="test", origin=("t/1",))


def test_parse_gives_bullets_with_ids() -> None:
    parsed = strategy()
    assert [(b.id, b.section) for b in parsed.bullets] == [("b1", "Method"), ("b2", "Method"), ("b3", "Checks")]
    assert parsed.bullets[1].text == "Work step by step and write each step down."
    assert numbered(parsed).splitlines()[:2] == ["## Method", "[b1] Read the whole task first."]


@given(st.text(alphabet=st.sampled_from("ab #-*\n1.\t|<>\u202e\x00\ud800é[](:)\u0301\u094d\u200d●、"), max_size=200))
@settings(max_examples=300, deadline=None)
def test_any_text_parses_and_its_rendering_parses_to_itself(text: str) -> None:
    once = parse_strategy(text, name="x")
    twice = parse_strategy(once.text, name="x")
    assert twice.text == once.text
    assert twice.bullets == once.bullets


def test_rewriting_keeps_ids_and_origins_of_bullets_that_stay() -> None:
    parent = strategy()
    text = "## Checks\n- Test the empty case first.\n- Something new: units.\n## Method\n- Read the whole task first."
    edited = parse_strategy(text, name="edited", parent=parent)
    assert [bullet.id for bullet in edited.bullets] == ["b3", "b4", "b1"]
    assert edited.bullets[0].origin == ("t/1",)
    assert edited.bullets[1].origin == ()
    assert edited.parent == parent.hash


def test_a_text_without_bullets_is_refused_by_its_size() -> None:
    empty = parse_strategy("## Only a heading", name="x")
    assert empty.bullets == ()
    assert "0 tokens" in str(check_size(empty.text, lambda text: len(text.split())))


@pytest.mark.parametrize(("words", "fault"), [(299, "too few"), (300, None), (2000, None), (2001, "too many")])
def test_size_limits(words: int, fault: str | None) -> None:
    problem = check_size("word " * words, lambda text: len(text.split()))
    assert problem is None if fault is None else fault in str(problem)


def test_the_four_operations() -> None:
    before = strategy()
    edits = [
        Edit(operation="ADD", section="Checks", text="Test one item.", origin=("t/2",)),
        Edit(operation="REPLACE", bullet_ids=("b3",), text="Test the empty input.", origin=("t/3",)),
        Edit(operation="MERGE", bullet_ids=("b1", "b2"), text="Read, then work step by step.", origin=("t/4",)),
    ]
    after = apply_edits(before, edits, round=2)
    assert [(b.id, b.text, b.round) for b in after.bullets] == [
        ("b1", "Read, then work step by step.", 2),
        ("b3", "Test the empty input.", 2),
        ("b4", "Test one item.", 2),
    ]
    assert after.bullets[0].origin == ("t/1", "t/4")
    assert after.bullets[2].origin == ("t/2",)
    assert (after.parent, after.round) == (before.hash, 2)
    deleted = apply_edits(after, [Edit(operation="DELETE", bullet_ids=("b1",))], round=3)
    assert [bullet.id for bullet in deleted.bullets] == ["b3", "b4"]


def add(text: str) -> Edit:
    return Edit(operation="ADD", text=text)


@pytest.mark.parametrize(
    ("edits", "words"),
    [
        ([Edit(operation="REPLACE", bullet_ids=("b9",), text="x")], "no bullet 'b9'; there are: b1, b2, b3"),
        ([add(str(n)) for n in range(5)], "5 edits; at most 4"),
        ([add(" \x00 ")], "its text is empty"),
        ([Edit(operation="MERGE", bullet_ids=("b1",), text="x")], "two or more"),
        ([Edit(operation="MERGE", bullet_ids=("b1", "b1"), text="x")], "two or more"),
        ([Edit(operation="ADD", bullet_ids=("b1",), text="x")], "no bullet id"),
        ([Edit(operation="DELETE")], "needs bullet ids"),
        ([Edit(operation="DELETE", bullet_ids=("b1", "b2", "b3"))], "leave no bullet"),
        ([Edit(operation="REPLACE", bullet_ids=("b3",), text="Test the empty case.")], "change nothing"),
        ([add("Test the empty case.")], "the same thing twice"),
        (
            [Edit(operation="DELETE", bullet_ids=("b1",)), Edit(operation="REPLACE", bullet_ids=("b1",), text="x")],
            "edited twice",
        ),
    ],
)
def test_edits_that_do_not_fit_are_refused(edits: list[Edit], words: str) -> None:
    with pytest.raises(EditError, match=words):
        apply_edits(strategy(), edits, round=1)


GOOD = [{"operation": "add", "section": "Checks", "text": "Test a, b.", "origin": ["A1"], "reason": "because"}]
LABELS = {"A1": "lrl/x/1", "A2": "lrl/x/2"}


@pytest.mark.parametrize(
    "reply",
    [
        json.dumps(GOOD),
        json.dumps({"edits": GOOD}),
        json.dumps(GOOD[0]),
        "Here they are [as in b1]:\n```json\n" + json.dumps(GOOD) + "\n```\nDone.",
        "<think>maybe [{}]</think> The edits: " + json.dumps(GOOD, indent=1).replace('"because"', '"because",'),
        "I start from arr = []. " + json.dumps(GOOD) + " And {so on}.",
        "```\n" + json.dumps(GOOD)[:-1] + ",]\n```",
    ],
)
def test_edits_are_found_in_all_usual_wrappings(reply: str) -> None:
    (edit,) = parse_edits(reply, LABELS)
    assert edit == Edit(operation="ADD", section="Checks", text="Test a, b.", origin=("lrl/x/1",), reason="because")


def test_no_edits_is_an_answer() -> None:
    assert parse_edits("```json\n[]\n```", LABELS) == ()


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ("", "no JSON list was found"),
        ("I would rather not.", "no JSON list was found"),
        ('[{"operation": "ADD", "text": "cut', "the JSON is broken"),
        ('[{"operation": "ADD", "text": "one", "origin": ["A1"]}, {"operation": ', "the JSON is broken"),
        ("[{" * 200_00, "the JSON"),
        ('{"edits": ' + "[" * 20_000 + "{", "nested too deeply|broken"),
        ("x" * 60_001, "at most 60000 are read"),
        (json.dumps(GOOD * 5), "5 edits; at most 4"),
        (json.dumps([{"operation": "EXEC", "text": "x", "origin": ["A1"]}]), "edit 1: operation"),
        (json.dumps([{"operation": "ADD", "text": 5, "origin": ["A1"]}]), "edit 1: text"),
        (json.dumps([{"operation": "ADD", "text": "x", "origin": ["A1"], "run": "rm"}]), "edit 1: run: Extra"),
        (json.dumps([{"operation": "ADD", "text": "x" * 701, "origin": ["A1"]}]), "701 characters"),
        (
            json.dumps([{"operation": "ADD", "text": "x", "origin": ["A7"]}]),
            "no attempt 'A7'; the labels shown are A1, A2",
        ),
        (json.dumps([{"operation": "ADD", "text": "x"}]), "names no attempt"),
        (json.dumps([{"operation": "ADD", "text": "x<|im_end|>", "origin": ["A1"]}]), "chat-template markers"),
        (json.dumps([GOOD[0], "text"]), "edit 2: an object was expected, got str|no JSON list"),
    ],
)
def test_hostile_or_broken_replies_are_refused_with_the_reason(reply: str, words: str) -> None:
    with pytest.raises(EditError, match=words):
        parse_edits(reply, LABELS)


@given(st.text(max_size=300))
@settings(max_examples=200, deadline=None)
def test_any_reply_gives_edits_or_an_edit_error(reply: str) -> None:
    for wrapped in (reply, "[{" + reply, json.dumps([{"operation": "ADD", "text": reply, "origin": ["A1"]}])):
        try:
            edits = parse_edits(wrapped, LABELS)
        except EditError:
            continue
        assert len(edits) <= 4


@given(st.text(max_size=300))
def test_cleaned_text_is_one_harmless_line(text: str) -> None:
    cleaned = clean_text(text + "<|im_start|>")
    assert "<|im_start|>" not in cleaned
    assert len(cleaned.splitlines()) <= 1
    assert not any(unicodedata.category(c) in ("Cc", "Cf", "Cs") for c in cleaned if c not in "\u200c\u200d")


def test_markers_hidden_in_each_other_are_removed_too() -> None:
    assert "<|a|>" not in clean_text("<<|b|>|a|>" + "<|<|x|>a|>" + "x\u202ey")
    assert clean_text("- - ## text") == "text"


@pytest.mark.parametrize("piece", ["[", "{", '"', '\\"', ",", "\n", "```\n", "<think>", "<|", "- ", "[b1,", ", "])
def test_hostile_replies_cost_little_time(piece: str) -> None:
    reply = (piece * 60_000)[:60_000]
    started = time.process_time()
    for text in (reply, '[{"a": "' + reply[:59_000], "```\n" + reply[:59_000]):
        with contextlib.suppress(EditError):
            parse_edits(text, LABELS)
        parse_strategy(strategy_text_in(text), name="x", parent=strategy())
    assert time.process_time() - started < 3


MARKS = [
    "1、{}", "+ {}", "● {}", "– {}", "({}) {}", "Step 1: {}", "**Step 1:** {}", "[b1] {}", "a) {}", "(a) {}", "1) {}",
    "• {}",     "* {}", "| 1 | {} |", "①{}", "1️⃣ {}", "（1）{}", "1．{}", "- [ ] {}", "**1.** {}",
    "步骤1：{}", "ii) {}", "→ {}", "A. {}", "✅ {}",
]  # fmt: skip
ADVICE = ["Read the whole task.", "Name the edge cases.", "Write it down, then check.", "Run one case by hand."]


@pytest.mark.parametrize("mark", MARKS)
@pytest.mark.parametrize("heading", ["## Method\n", ""])
def test_every_usual_list_mark_gives_bullets(mark: str, heading: str) -> None:
    lines = [mark.replace("({})", f"({number})").replace("{}", text) for number, text in enumerate(ADVICE, 1)]
    reply = heading + "\n".join(lines)
    for text in (strategy_text_in(reply), strategy_text_in(f"```\n{reply}\n```"), reply):
        parsed = parse_strategy(text, name="x")
        assert [bullet.text for bullet in parsed.bullets] == ADVICE
        assert {bullet.section for bullet in parsed.bullets} == {"Method"}
        assert parse_strategy(parsed.text, name="x").bullets == parsed.bullets


@pytest.mark.parametrize("between", ["\n", "\n\n"])
def test_plain_lines_under_a_heading_are_bullets_of_their_own(between: str) -> None:
    text = strategy_text_in("Sure, here it is:\n\n**Method**\n" + between.join(ADVICE))
    assert [bullet.text for bullet in parse_strategy(text, name="x").bullets] == ADVICE


def test_a_wrapped_sentence_is_one_bullet() -> None:
    wrapped = "Work through the examples one by one, and for each of them\nwrite down what is asked.\nThen solve it."
    texts = [bullet.text for bullet in parse_strategy("## Method\n" + wrapped, name="x").bullets]
    assert texts == [wrapped.rsplit("\n", 1)[0].replace("\n", " "), "Then solve it."]


def test_a_table_gives_its_rows_without_its_head() -> None:
    table = "| # | Advice | Why |\n|---|:--|---|\n| 1 | Read. | It helps. |\n|2|Check `a\\|b`.||"
    texts = [bullet.text for bullet in parse_strategy("## Method\n\n" + table, name="x").bullets]
    assert texts == ["Read.: It helps.", "Check `a|b`."]


def test_a_long_bullet_is_split_and_nothing_of_it_is_lost() -> None:
    sentences = [f"Sentence {number} says what to do in the case of {number} items." for number in range(40)]
    bullets = parse_strategy("## Method\n- " + " ".join(sentences), name="x").bullets
    assert " ".join(bullet.text for bullet in bullets) == " ".join(sentences)
    assert all(len(bullet.text) <= 700 for bullet in bullets)
    unspaced = "".join(chr(0x4E00 + number) for number in range(1_500))
    assert "".join(b.text for b in parse_strategy("- " + unspaced, name="x").bullets) == unspaced


def test_talk_around_the_list_is_left_out() -> None:
    reply = "Here is what I learned.\n\n## Method\n1、Read it.\n2、Check it.\n\nLet me know if you want more."
    assert [b.text for b in parse_strategy(strategy_text_in(reply), name="x").bullets] == ["Read it.", "Check it."]
    assert strategy_text_in("I cannot help with that.\nSorry.") == ""


def test_a_fenced_example_is_not_taken_for_the_strategy() -> None:
    reply = "## Method\n- Read it.\n- Check it.\n- Write it.\n```\n- x\n```"
    assert len(parse_strategy(strategy_text_in(reply), name="x").bullets) >= 3


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (r"Write \frac{a}{b} first", r"Write \frac{a}{b} first"),
        (r"\beta and \binom{n}{k}", r"\beta and \binom{n}{k}"),
        (r"a \neq b, \nabla f, x\not= y", r"a \neq b, \nabla f, x\not= y"),
        (r"\rho, \right) and \rangle", r"\rho, \right) and \rangle"),
        (r"\theta \times \text{cm} \to \tan x", r"\theta \times \text{cm} \to \tan x"),
        (r"\underline{x} and \uparrow", r"\underline{x} and \uparrow"),
        (r"\sqrt{2}, \omega, \( x \), \, and 50\%", r"\sqrt{2}, \omega, \( x \), \, and 50\%"),
        (r"the frequency $\nu$ and \nu_1, not \neg p", r"the frequency $\nu$ and \nu_1, not \neg p"),
        (r"\\frac{a}{b} and \\neq", r"\frac{a}{b} and \neq"),
        (r"first\nthen\tnext\r\nlast", "first then next last"),
        (
            r"Read it.\nNot twice:\neg five\nu turns\nno more\nexists",
            "Read it. Not twice: eg five u turns no more exists",
        ),
        (r"say \"so\", it\'s \u00e9 a\/b", 'say "so", it\'s é a/b'),
    ],
)
def test_latex_in_json_survives_and_a_new_line_stays_one(written: str, meant: str) -> None:
    (edit,) = parse_edits('[{"operation": "ADD", "text": "' + written + '", "origin": ["A1"]}]', LABELS)
    assert edit.text == meant


def listed(*texts: str, operation: str = "ADD", ids: tuple[str, ...] = ()) -> str:
    return json.dumps([{"operation": operation, "bullet_ids": ids, "text": t, "origin": ["A1"]} for t in texts])


@pytest.mark.parametrize(
    ("reply", "texts"),
    [
        (listed("one") + "\nand\n" + listed("two"), ["one", "two"]),
        (f"```json\n{listed('one')}\n```\nand\n```json\n{listed('two')}\n```\n", ["one", "two"]),
        (listed("one")[1:-1] + "\n" + listed("two")[1:-1], ["one", "two"]),
        (listed("one") + " Once more: " + listed("one"), ["one"]),
        ("Draft: " + listed("x", operation="REPLACE", ids=("b1",)) + "\nFinal: "
         + listed("y", operation="REPLACE", ids=("b1",)), ["y"]),
        ("[]\n" + listed("one"), ["one"]),
        ('The task had [{"start": 1}], so:\n' + listed("one"), ["one"]),
    ],
)  # fmt: skip
def test_all_lists_of_edits_count_and_a_later_one_revises_an_earlier_one(reply: str, texts: list[str]) -> None:
    assert [edit.text for edit in parse_edits(reply, LABELS)] == texts


def test_more_edits_in_several_lists_than_are_allowed_are_refused() -> None:
    with pytest.raises(EditError, match="5 edits; at most 4"):
        parse_edits(listed("a", "b", "c") + listed("d", "e"), LABELS)


@pytest.mark.parametrize("text", ["क्‍ष", "می‌خواهم", "നന്‍മ", "ক্‌ষ", "👩‍💻", "❤️‍🔥 fine", "র‍্য", "Tiếng Việt", "x̄ and p̂"])
def test_joiners_and_marks_that_a_script_needs_stay(text: str) -> None:
    text = unicodedata.normalize("NFC", text)
    assert clean_text(text) == text
    assert parse_strategy("- " + text, name="x").bullets[0].text == text


BLANKS = "\u200b\u200c\u200d\u2060\ufe0f\ufe00\U000e0101\u034f\u3164\u115f\u1160\uffa0\u2800" + (
    "\u00ad\u061c\u17b4\U000e0073\ufeff"
)


@pytest.mark.parametrize("blank", BLANKS)
def test_signs_that_nobody_sees_are_taken_out_of_advice(blank: str) -> None:
    assert clean_text(blank.join("solve this") + blank) == "solve this"


def test_a_letter_is_not_buried_under_marks() -> None:
    assert clean_text("s" + "\u0336\u0489\u0301" * 30 + "o")[-1] == "o"
    assert len(clean_text("s" + "\u0336" * 600)) == 3


def test_bold_lines_that_head_nothing_are_items() -> None:
    reply = "## Method\n**Read the task.**\n**Check it**\n\n**Checks**\n- Test one.\n\n**Step 2: Run it.**"
    parsed = parse_strategy(strategy_text_in(reply), name="x")
    expected = [("Method", "Read the task."), ("Method", "Check it"), ("Checks", "Test one."), ("Checks", "Run it.")]
    assert [(b.section, b.text) for b in parsed.bullets] == expected


def test_what_stands_under_a_heading_or_is_indented_under_an_item_is_kept() -> None:
    reply = "Talk.\n\n## Method\nAlways read.\n1. One.\n\n   More of one.\n2. Two.\n\nDone, tell me more."
    texts = [bullet.text for bullet in parse_strategy(strategy_text_in(reply), name="x").bullets]
    assert texts == ["Always read.", "One.", "More of one.", "Two."]
