"""Lists, dicts and sets."""

from __future__ import annotations

from functools import partial
from random import Random
from typing import Any

from domains.families import gather
from domains.python_families.base import Draft, compare, each, family, function

containers = partial(family, "containers")

NUMBER_FIELDS = ("age", "price", "score", "weight", "stock", "year", "speed", "pages", "points", "height")
TEXT_FIELDS = ("name", "title", "city", "team", "color", "brand", "author", "kind", "label", "owner")


def near(k: int) -> list[int]:
    """Numbers on both sides of k, with k itself twice."""
    return [k, k - 1, k + 1, -k, 0, k, k + 20, 2 * k]


def rows(text: str, number: str, *values: int) -> list[dict[str, Any]]:
    """Records with one text and one number field."""
    return [{text: "bdacfe"[i % 6] * (1 + i % 3), number: value} for i, value in enumerate(values)]


@containers("easy")
def filter_numbers(rng: Random) -> Draft:
    (words, sign), limit = compare(rng), rng.randint(-10, 50)
    order, body = rng.choice(
        (
            ("in their order", "[n for n in numbers if n {}]"),
            ("sorted", "sorted(n for n in numbers if n {})"),
            ("sorted from large to small", "sorted((n for n in numbers if n {}), reverse=True)"),
        )
    )
    return function(
        rng.choice(("filter_numbers", "keep_numbers", "select_numbers", "pick")),
        "numbers",
        f"returns a list of the numbers that are {words} {limit}, {order}",
        "return " + body.format(f"{sign} {limit}"),
        (sign, limit, order),
        each(
            [limit + 5, limit - 5, limit],
            [],
            [limit],
            near(limit),
            near(-limit),
            [-100, 100, -50, 50],
            [limit] * 3,
            list(range(60)),
        ),
    )


@containers("easy")
def sum_multiples(rng: Random) -> Draft:
    k, (words, sign) = rng.randint(2, 12), compare(rng)
    limit = k * rng.randint(3, 12)
    values = [k * i for i in range(-3, 60 // k + 3)]
    return function(
        rng.choice(("sum_multiples", "add_multiples", "total_of", "sum_selected")),
        "numbers",
        f"returns the sum of the numbers that are divisible by {k} and {words} {limit}",
        f"return sum(n for n in numbers if n % {k} == 0 and n {sign} {limit})",
        (k, limit, sign),
        each([*values[2:9], limit + 1], [], [k], values, near(limit), [limit, limit, limit - k], list(range(100))),
    )


@containers("easy")
def scale_numbers(rng: Random) -> Draft:
    k, b = rng.randint(2, 12), rng.randint(1, 20)
    verb, sign = rng.choice((("adds", "+"), ("subtracts", "-")))
    return function(
        rng.choice(("scale", "transform", "convert_all", "map_numbers")),
        "numbers",
        f"multiplies each number by {k}, then {verb} {b}, and returns the results as a list",
        f"return [n * {k} {sign} {b} for n in numbers]",
        (k, b, sign),
        each([1, 2, 3], [], [0], [-4], [5, 5, 5], [100, -100, 7], list(range(6))),
    )


@containers("medium")
def sum_by_field(rng: Random) -> Draft:
    key, value = rng.choice(TEXT_FIELDS), rng.choice(NUMBER_FIELDS)
    body = (
        "totals = {}\n"
        "for row in rows:\n"
        f"    totals[row[{key!r}]] = totals.get(row[{key!r}], 0) + row[{value!r}]\n"
        "return totals"
    )
    twice = rows(key, value, 1, 2, 3) + rows(key, value, 40, 50)
    return function(
        rng.choice(("sum_by", "totals", "group_totals", "add_up")),
        "rows",
        f"returns a dict that maps each {key!r} in the rows to the sum of their {value!r}; rows is a list of dicts",
        body,
        (key, value),
        each(
            twice[1:4], [], rows(key, value, 7), twice, rows(key, value, 0, 0), rows(key, value, -5, 5, -1), twice * 2
        ),
    )


@containers("medium")
def names_where(rng: Random) -> Draft:
    text, number, (words, sign), limit = (
        rng.choice(TEXT_FIELDS),
        rng.choice(NUMBER_FIELDS),
        compare(rng),
        rng.randint(5, 60),
    )
    sets = ((limit + 3, limit - 3), (), (limit,), (limit - 1, limit, limit + 1), (0, 100, 0), (-limit, limit, limit))
    return function(
        rng.choice(("names_where", "select", "find_all", "pick_rows")),
        "rows",
        f"returns a list with the {text!r} of each dict in rows whose {number!r} is {words} {limit}",
        f"return [row[{text!r}] for row in rows if row[{number!r}] {sign} {limit}]",
        (text, number, sign, limit),
        each(*(rows(text, number, *values) for values in sets), rows(text, number, *near(limit))),
    )


@containers("medium")
def best_rows(rng: Random) -> Draft:
    number, count = rng.choice(NUMBER_FIELDS), rng.randint(1, 6)
    order, ending = rng.choice((("smallest first", ""), ("largest first", ", reverse=True")))
    return function(
        rng.choice(("top_rows", "best_rows", "first_rows", "rank")),
        "rows",
        f"sorts the dicts in rows by {number!r}, {order}, and returns the first {count}",
        f"return sorted(rows, key=lambda row: row[{number!r}]{ending})[:{count}]",
        (number, count, order),
        each(
            rows("id", number, 3, 9, 5),
            [],
            rows("id", number, 4),
            [{number: 7}] * 7,
            rows("id", number, -1, 0, 1, -2, 2, -3, 3, -4),
            rows("id", number, 8, 6, 7, 5, 3, 0, 9),
            rows("id", number, 2, 1),
        ),
    )


@containers("medium")
def distinct_extremes(rng: Random) -> Draft:
    count, limit, (words, sign) = rng.randint(2, 7), rng.randint(-5, 20), compare(rng)
    order, ending = rng.choice((("smallest", ""), ("largest", ", reverse=True")))
    return function(
        rng.choice(("distinct", "extremes", "top_numbers", "unique_numbers")),
        "numbers",
        f"returns a list of the {count} {order} distinct numbers that are {words} {limit}, {order} first",
        f"return sorted({{n for n in numbers if n {sign} {limit}}}{ending})[:{count}]",
        (count, limit, sign, order),
        each(
            [limit + 2, limit - 2, limit + 2],
            [],
            [limit],
            near(limit),
            list(range(-20, 40)),
            [limit + 1] * 5 + [limit - 1] * 5,
            [9, 3, 9, 1, 30, -7, -30],
        ),
    )


@containers("easy")
def combine_sets(rng: Random) -> Draft:
    words, sign = rng.choice(
        (
            ("in both lists", "&"),
            ("in a but not in b", "-"),
            ("in at least one list", "|"),
            ("in exactly one list", "^"),
        )
    )
    order, ending = rng.choice((("smallest first", ""), ("largest first", ", reverse=True")))
    count = rng.randint(2, 9)
    return function(
        rng.choice(("combine", "merge_sets", "compare_lists", "shared")),
        "a, b",
        f"returns the first {count} of the distinct numbers that are {words}, sorted {order}",
        f"return sorted(set(a) {sign} set(b){ending})[:{count}]",
        (sign, order, count),
        [
            ([3, 1, 2], [2, 3, 4]),
            ([], []),
            ([1], []),
            ([], [5]),
            ([1, 1, 2], [2, 2, 1]),
            ([-3, -2, 0], [0, -3, 7]),
            (list(range(15)), list(range(0, 30, 2))),
            (list(range(20)), [40]),
            ([9, 8, 7, 6, 5, 4, 3, 2, 1, 0], list(range(-12, 8))),
        ],
    )


@containers("medium")
def filter_dict(rng: Random) -> Draft:
    (words, sign), limit, extra = compare(rng), rng.randint(2, 40), rng.randint(2, 15)
    verb, operator = rng.choice((("added", "+"), ("subtracted", "-")))
    data = {"a": limit, "b": limit - 1, "c": limit + 1}
    return function(
        rng.choice(("filter_prices", "adjust", "update_values", "keep_entries")),
        "data",
        f"returns a dict with the entries of data whose value is {words} {limit}, with {extra} {verb} "
        f"{'to' if operator == '+' else 'from'} each value",
        f"return {{k: v {operator} {extra} for k, v in data.items() if v {sign} {limit}}}",
        (sign, limit, extra, operator),
        each(
            {"x": limit + 4, "y": limit - 4},
            {},
            {"k": limit},
            data,
            {**data, "d": 0, "e": 100},
            {"neg": -limit},
            {"ä": 1000, "ö": -1000},
        ),
    )


@containers("easy", ood=True)
def count_numbers(rng: Random) -> Draft:
    (words, sign), limit = compare(rng), rng.randint(-10, 50)
    return function(
        rng.choice(("count_numbers", "how_many", "count_if")),
        "numbers",
        f"returns how many of the numbers are {words} {limit}",
        f"return sum(1 for n in numbers if n {sign} {limit})",
        (sign, limit),
        each(
            [limit + 5, limit - 5, limit],
            [],
            [limit],
            near(limit),
            near(-limit),
            [-100, 100, -50, 50],
            [limit] * 3,
            list(range(60)),
        ),
    )


@containers("easy", ood=True)
def keys_where(rng: Random) -> Draft:
    (words, sign), limit = compare(rng), rng.randint(1, 50)
    data = {"b": limit, "a": limit - 1, "c": limit + 1}
    return function(
        rng.choice(("keys_where", "find_keys", "select_keys")),
        "data",
        f"returns a sorted list of the keys of the dict data whose value is {words} {limit}",
        f"return sorted(k for k, v in data.items() if v {sign} {limit})",
        (sign, limit),
        each(
            {"x": limit + 4, "y": limit - 4, "w": limit + 9},
            {},
            {"k": limit},
            data,
            {**data, "d": 0, "e": 100},
            {"neg": -limit},
            {"ö": 1000, "ä": -1000, "z": limit},
        ),
    )


@containers("medium", ood=True)
def sum_where(rng: Random) -> Draft:
    text, number, wanted = rng.choice(TEXT_FIELDS), rng.choice(NUMBER_FIELDS), rng.choice(("red", "north", "b", "new"))
    twice = [{text: wanted, number: 4}, {text: "other", number: 10}, {text: wanted, number: 7}]
    return function(
        rng.choice(("sum_where", "total_where", "add_matching")),
        "rows",
        f"returns the sum of {number!r} over the dicts in rows whose {text!r} equals {wanted!r}",
        f"return sum(row[{number!r}] for row in rows if row[{text!r}] == {wanted!r})",
        (text, number, wanted),
        each(
            twice,
            [],
            [{text: wanted, number: 3}],
            [{text: "x", number: 3}],
            twice * 2,
            [{text: wanted.upper(), number: 5}, {text: wanted, number: -5}],
            [{text: wanted, number: 0}, {text: wanted, number: 1}],
        ),
    )


FAMILIES = gather(globals())
