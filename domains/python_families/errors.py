"""Handling and raising errors."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from random import Random
from typing import Any

from domains.families import gather
from domains.python_families.base import Draft, compare, each, family, function

errors = partial(family, "errors")

DEFAULTS = (0, -1, None, "error", "none", "bad", 100, 99, "?", 1, 404, "invalid", "")
TYPED_VALUES: dict[str, tuple[Any, ...]] = {
    "int": (3, "3", None, 2.5, 0, -7, [1]),
    "str": ("ab", 5, None, "", "é", b"x", ["a"]),
    "list": ([1, 2], (1, 2), None, [], "ab", [0, 0], {1: 2}),
}
EXCEPTIONS = ("ValueError", "TypeError", "RuntimeError", "KeyError", "LookupError", "ArithmeticError")


def may_raise(draft: Draft) -> Draft:
    """The same draft where a test may expect an exception."""
    return replace(draft, cases=tuple(replace(case, raises=True) for case in draft.cases))


@errors("easy")
def safe_divide(rng: Random) -> Draft:
    default, sign, factor = rng.choice(DEFAULTS), rng.choice(("/", "//", "%")), rng.randint(1, 9)
    times = "" if factor == 1 else f"{factor} * "
    body = f"try:\n    return {times}a {sign} b\nexcept ZeroDivisionError:\n    return {default!r}"
    return function(
        rng.choice(("safe_divide", "divide", "ratio", "try_divide")),
        "a, b",
        f"returns {times}a {sign} b, or {default!r} if that divides by zero",
        body,
        (default, sign, factor),
        [(9, 2), (1, 0), (0, 0), (0, 5), (-7, 2), (8, -4), (1000, 7), (5.0, 2)],
        "float",
    )


@errors("easy")
def parse_number(rng: Random) -> Draft:
    default, extra, kind = rng.choice(DEFAULTS), rng.randint(1, 20), rng.choice(("int", "float"))
    sign, words = rng.choice((("+", "plus"), ("*", "times"), ("-", "minus")))
    return function(
        rng.choice(("parse_number", "to_number", "read_number", "convert")),
        "text",
        f"returns {kind}(text) {words} {extra}, or {default!r} if text is not a valid {kind}",
        f"try:\n    return {kind}(text) {sign} {extra}\nexcept ValueError:\n    return {default!r}",
        (default, extra, kind, sign),
        each("12", "x", "", "0", "-3", " 7 ", "4.5", "1e3", "１２"),
        "float",
    )


@errors("medium")
def check_limit(rng: Random) -> Draft:
    (words, sign), limit, error = compare(rng), rng.randint(-10, 60), rng.choice(EXCEPTIONS)
    factor = rng.randint(2, 9)
    return may_raise(
        function(
            rng.choice(("check_limit", "check_number", "validate", "require")),
            "n",
            f"raises {error} if n is {words} {limit}, otherwise returns n * {factor}",
            f"if n {sign} {limit}:\n    raise {error}('bad number')\nreturn n * {factor}",
            (sign, limit, error, factor),
            each(limit - 3 if sign[0] == ">" else limit + 3, limit, limit - 1, limit + 1, 0, -1000, 1000, limit + 0.5),
        )
    )


@errors("easy")
def get_key(rng: Random) -> Draft:
    key = rng.choice(("name", "age", "city", "id", "price", "email", "size", "color", "count", "code"))
    default = rng.choice(DEFAULTS)
    data = {key: 5, "other": 1}
    return function(
        rng.choice(("get_value", "read_key", "fetch", "get_field")),
        "data",
        f"returns data[{key!r}], or {default!r} if the key is missing",
        f"try:\n    return data[{key!r}]\nexcept KeyError:\n    return {default!r}",
        (key, default),
        each(data, {}, {key: None}, {key.upper(): 3}, {"other": 2}, {key: [1, 2]}, {key: 0, "b": 1}),
    )


@errors("easy")
def get_item(rng: Random) -> Draft:
    index, default, factor = rng.randint(0, 6), rng.choice(DEFAULTS), rng.randint(2, 9)
    return function(
        rng.choice(("get_item", "item_at", "safe_get", "pick_item")),
        "items",
        f"returns items[{index}] * {factor}, or {default!r} if the list items is too short",
        f"try:\n    return items[{index}] * {factor}\nexcept IndexError:\n    return {default!r}",
        (index, default, factor),
        each(list(range(3, 11)), [], [5], [7] * index, [8] * (index + 1), list("abcdefgh"), [-1] * 9, [0] * 20),
    )


@errors("medium")
def check_type(rng: Random) -> Draft:
    kind = rng.choice(sorted(TYPED_VALUES))
    values = TYPED_VALUES[kind]
    factor, error = rng.randint(2, 12), rng.choice(EXCEPTIONS)
    return may_raise(
        function(
            rng.choice(("repeat", "check_type", "multiply", "times")),
            "value",
            f"raises {error} if value is not of type {kind}, otherwise returns value * {factor}",
            f"if not isinstance(value, {kind}):\n    raise {error}('wrong type')\nreturn value * {factor}",
            (kind, factor, error),
            each(values[0], *values),
        )
    )


@errors("hard")
def own_error(rng: Random) -> Draft:
    error = rng.choice(("LimitError", "RangeError", "InputError", "QuotaError", "BudgetError", "SizeError"))
    (words, sign), limit, extra = compare(rng), rng.randint(0, 60), rng.randint(1, 9)
    return may_raise(
        function(
            rng.choice(("check", "apply_limit", "test_value", "guard")),
            "n",
            f"raises your own exception {error} if n is {words} {limit}, otherwise returns n + {extra}",
            f"if n {sign} {limit}:\n    raise {error}('not allowed')\nreturn n + {extra}",
            (error, sign, limit, extra),
            each(limit - 3 if sign[0] == ">" else limit + 3, limit, limit - 1, limit + 1, 0, -1000, 1000, 77),
            before=f"class {error}(Exception):\n    pass\n\n\n",
        )
    )


@errors("medium")
def sum_valid(rng: Random) -> Draft:
    kind, factor, start = rng.choice(("int", "float")), rng.randint(1, 9), rng.randint(0, 30)
    times = "" if factor == 1 else f" * {factor}"
    words = "" if factor == 1 else f", each multiplied by {factor}"
    body = (
        f"total = {start}\nfor text in texts:\n    try:\n        total += {kind}(text){times}\n"
        "    except ValueError:\n        pass\nreturn total"
    )
    return function(
        rng.choice(("sum_valid", "add_numbers", "total_valid", "sum_texts")),
        "texts",
        f"starts at {start} and adds every string in texts that is a valid {kind}{words}, ignoring the others",
        body,
        (kind, factor, start),
        each(["1", "x", "3"], [], ["5"], ["a", ""], ["-2", "2", "2"], ["1.5", "4"], [" 8 ", "9z"], ["0"]),
        "float",
    )


@errors("hard")
def convert_list(rng: Random) -> Draft:
    default, factor, kind = rng.choice(DEFAULTS), rng.randint(2, 9), rng.choice(("int", "float"))
    body = (
        f"result = []\nfor text in texts:\n    try:\n        result.append({kind}(text) * {factor})\n"
        f"    except ValueError:\n        result.append({default!r})\nreturn result"
    )
    return function(
        rng.choice(("convert_list", "to_numbers", "parse_list", "convert_texts")),
        "texts",
        f"returns a list with {kind}(text) * {factor} for each string in texts, "
        f"or {default!r} where it is not a valid {kind}",
        body,
        (default, factor, kind),
        each(["1", "x"], [], ["5"], ["a", ""], ["-2", "2", "2"], ["1.5", "4"], [" 8 ", "9z"], ["0", "0"]),
        "float",
    )


@errors("easy", ood=True)
def parse_both(rng: Random) -> Draft:
    default, extra = rng.choice(DEFAULTS), rng.randint(1, 20)
    sign, words = rng.choice((("+", "plus"), ("*", "times"), ("-", "minus")))
    return function(
        rng.choice(("safe_int", "value_of", "number_or")),
        "value",
        f"returns int(value) {words} {extra}, or {default!r} if that raises ValueError or TypeError",
        f"try:\n    return int(value) {sign} {extra}\nexcept (ValueError, TypeError):\n    return {default!r}",
        (default, extra, sign),
        each("12", None, "", 0, "-3", [], 4.9, "4.9", "x"),
    )


@errors("medium", ood=True)
def check_length(rng: Random) -> Draft:
    (words, sign), limit, error = compare(rng), rng.randint(2, 12), rng.choice(EXCEPTIONS)
    texts = ["x" * limit, "y" * (limit - 1), "z" * (limit + 1), "", "a", "é" * 40, "two words"]
    return may_raise(
        function(
            rng.choice(("check_length", "check_text", "validate_text")),
            "text",
            f"raises {error} if the length of text is {words} {limit}, otherwise returns text",
            f"if len(text) {sign} {limit}:\n    raise {error}('bad length')\nreturn text",
            (sign, limit, error),
            each("b" if sign[0] == ">" else "b" * 30, *texts),
        )
    )


@errors("medium", ood=True)
def nested_value(rng: Random) -> Draft:
    key, index = rng.choice(("scores", "items", "sizes", "names", "pages", "codes")), rng.randint(0, 4)
    default = rng.choice(DEFAULTS)
    full: list[Any] = [4, 5, 6, 7, 8, 9]
    return function(
        rng.choice(("nested_value", "find_value", "get_nested")),
        "data",
        f"returns data[{key!r}][{index}], or {default!r} if the key is missing or the list is too short",
        f"try:\n    return data[{key!r}][{index}]\nexcept (KeyError, IndexError):\n    return {default!r}",
        (key, index, default),
        each(
            {key: full},
            {},
            {key: []},
            {key: [1]},
            {"other": full},
            {key: full[: index + 1]},
            {key: full[:index]},
            {key: [7] * 6},
            {key: [3] * 9},
        ),
    )


FAMILIES = gather(globals())
