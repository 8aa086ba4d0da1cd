"""Differences, code and numbers as they stand on a page."""

import pytest

from console.web import words
from console.web.plots import curve, intervals, tree


def test_differences_are_word_by_word_and_escaped() -> None:
    made = words.difference("check <b>one</b> case", "check <b>every</b> case")
    assert made == "check &lt;b&gt;<del>one</del><ins>every</ins>&lt;/b&gt; case"
    assert words.difference("same", "same") == "same"
    assert words.difference("all was other", "nothing is like it here") == (
        "<del>all was other</del> <ins>nothing is like it here</ins>"
    )


def test_bullets_are_kept_changed_added_and_removed() -> None:
    old = [{"id": n, "section": "s", "text": t} for n, t in (("b1", "stays"), ("b2", "old words"), ("b3", "goes"))]
    new = [{"id": n, "section": "s", "text": t} for n, t in (("b1", "stays"), ("b2", "new words"), ("b4", "comes"))]
    kinds = [(c["id"], c["kind"]) for c in words.bullet_changes(old, new)]
    assert kinds == [("b1", "kept"), ("b2", "changed"), ("b4", "added"), ("b3", "removed")]


def test_a_reply_is_prose_and_code() -> None:
    found = words.blocks(
        "Look:\n```python\nx = '<b>'\n```\nand\n```lean\ntheorem t : True\n```\n```\nopen end", "python"
    )
    assert [(b["kind"], b["language"]) for b in found] == [
        ("prose", ""), ("code", "python"), ("prose", ""), ("code", "lean"), ("code", "python"),
    ]  # fmt: skip
    assert "&lt;b&gt;" in found[1]["text"] and "<b>" not in found[1]["text"]


@pytest.mark.parametrize("text", ["```" * 5_000, "`" * 20_000, "```a\n" * 4_000, "x" * 1_000_000, "(" * 100_000])
def test_any_text_is_cut_before_it_is_compared_or_coloured(text: str) -> None:
    assert sum(len(block["text"]) for block in words.blocks(text, "python")) < 120_000
    assert len(words.difference(text, text[::-1] + "y")) < 50_000


def test_numbers_say_what_is_not_known() -> None:
    assert (words.dollars(None), words.dollars(0), words.dollars(0.5), words.dollars(12)) == (
        "unknown", "$0", "$0.5000", "$12.00",
    )  # fmt: skip
    assert words.percent(None) == words.points("x") == words.count(None) == "–" and words.interval(None) == ""
    assert (words.chance(0.0), words.chance(0.03), words.chance(None)) == ("< 0.0001", "0.0300", "–")
    assert words.duration(3671) == "1 h 01 min" and words.moment("not a time") == "not a time"


def test_pictures_escape_their_words() -> None:
    rows = [{"label": "<b>\x1b", "value": None, "ci": None}, {"label": "x", "value": 2.0, "ci": (-3, 5)}]
    node = {"id": "a", "parent": "a", "label": "<i>", "status": '"><x', "href": '"', "chosen": True}
    for svg in (intervals([("<g>", rows)], "<t>"), tree([node], "t"), curve([1.0, 0.5], "<t>", "<c>")):
        assert svg.startswith("<svg") and not any(bad in svg for bad in ("<b>", "<g>\n", "<i>", "<t>", "\x1b", "<x"))
    assert curve([1.0], "t", "c") == ""
