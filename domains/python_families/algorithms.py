"""Small algorithms over numbers and sequences."""

from __future__ import annotations

from functools import partial
from random import Random

from domains.families import gather
from domains.python_families.base import Draft, compare, each, family, function
from domains.python_families.containers import near

algorithms = partial(family, "algorithms")

WORDS = ("Fizz", "Buzz", "Ping", "Pong", "Tick", "Tock", "Zip", "Zap", "Red", "Blue", "Left", "Right")


@algorithms("easy")
def fizz_words(rng: Random) -> Draft:
    a, b = rng.choice([(a, b) for a in range(2, 12) for b in range(2, 12) if b % a])
    first, second = rng.sample(WORDS, 2)
    body = f"if n % {a} == 0:\n    return {first!r}\nif n % {b} == 0:\n    return {second!r}\nreturn str(n)"
    return function(
        rng.choice(("name_number", "say", "fizz", "word_for")),
        "n",
        f"returns {first!r} if n is divisible by {a}, else {second!r} if it is divisible by {b}, else str(n)",
        body,
        (a, b, first, second),
        each(b, 0, 1, a, a * b, -a, -b, a * b + 1),
    )


@algorithms("easy")
def sum_powers(rng: Random) -> Draft:
    start, step, power = rng.randint(0, 6), rng.randint(1, 6), rng.randint(1, 4)
    return function(
        rng.choice(("sum_powers", "power_sum", "series", "add_series")),
        "n",
        f"returns the sum of i ** {power} for i in range({start}, n + 1, {step})",
        f"return sum(i ** {power} for i in range({start}, n + 1, {step}))",
        (start, step, power),
        each(start + step, 0, 1, -5, start, start + 1, start + 3 * step, start + 4 * step - 1, 20, 33, 50),
    )


@algorithms("hard")
def recurrence(rng: Random) -> Draft:
    x, y, p, q = rng.randint(0, 5), rng.randint(1, 6), rng.randint(1, 4), rng.randint(1, 4)
    body = f"a, b = {x}, {y}\nfor _ in range(n):\n    a, b = b, {p} * b + {q} * a\nreturn a"
    return function(
        rng.choice(("sequence", "term", "nth_term", "recur")),
        "n",
        f"returns term n of the sequence a(0) = {x}, a(1) = {y}, a(n) = {p} * a(n-1) + {q} * a(n-2)",
        body,
        (x, y, p, q),
        each(4, 0, 1, 2, 3, 7, 12),
    )


@algorithms("easy")
def digit_sum(rng: Random) -> Draft:
    (words, sign), limit, factor = compare(rng), rng.randint(2, 8), rng.randint(1, 9)
    times = "" if factor == 1 else f" multiplied by {factor}"
    code = f"sum(int(d) for d in str(n) if int(d) {sign} {limit})"
    return function(
        rng.choice(("digit_sum", "sum_digits", "add_digits", "digits")),
        "n",
        f"returns the sum of the digits of n that are {words} {limit}{times}",
        "return " + (code if factor == 1 else f"{code} * {factor}"),
        (sign, limit, factor),
        each(1729, 0, limit, 10 * limit + limit, 1234567890, 999, 8642, 13579),
    )


@algorithms("easy")
def grade(rng: Random) -> Draft:
    low = rng.randint(20, 60)
    high = low + rng.randint(5, 35)
    best, middle, worst = rng.choice((("A", "B", "C"), ("high", "medium", "low"), ("gold", "silver", "none")))
    body = f"if score >= {high}:\n    return {best!r}\nif score >= {low}:\n    return {middle!r}\nreturn {worst!r}"
    return function(
        rng.choice(("grade", "level", "rate_score", "rank")),
        "score",
        f"returns {best!r} if score is at least {high}, {middle!r} if it is at least {low}, and {worst!r} otherwise",
        body,
        (high, low, best),
        each(high + 1, 0, -5, low, high, low - 1, high - 1, 1000),
    )


@algorithms("medium")
def running_total(rng: Random) -> Draft:
    start, limit = rng.randint(0, 15), rng.randint(20, 100)
    bound, call = rng.choice((("above", "min"), ("below", "max")))
    limit = limit if call == "min" else -limit
    body = (
        f"total = {start}\nresult = []\nfor n in numbers:\n"
        f"    total = {call}(total + n, {limit})\n    result.append(total)\nreturn result"
    )
    return function(
        rng.choice(("running_total", "running_sum", "levels", "track")),
        "numbers",
        f"starts with a total of {start}, adds each number in turn but never lets the total go {bound} {limit}, "
        "and returns the list of totals",
        body,
        (start, limit),
        each([4, -2, limit], [], [0], [limit, limit, 1], [-limit, 5, -5], [-200, 200, -1], [1, 1, 1, 1]),
    )


@algorithms("easy")
def first_index(rng: Random) -> Draft:
    (words, sign), limit = compare(rng), rng.randint(-20, 50)
    body = f"for i, n in enumerate(numbers):\n    if n {sign} {limit}:\n        return i\nreturn -1"
    low, high = [limit - 3, limit - 2], [limit + 3, limit + 2]
    return function(
        rng.choice(("first_index", "find_first", "position", "index_of")),
        "numbers",
        f"returns the index of the first number that is {words} {limit}, or -1 if there is none",
        body,
        (sign, limit),
        each(
            [*low, limit + 1, limit - 5, limit + 9],
            [],
            [limit],
            [*high, limit, limit - 1],
            [*low, limit],
            low * 2,
            high * 2,
            [*high, *low],
            [limit + 1, limit, limit - 1],
            [limit - 1, limit, limit + 1],
            [limit + 1, limit + 9],
        ),
    )


@algorithms("medium")
def count_divisions(rng: Random) -> Draft:
    limit, k = rng.randint(1, 40), rng.randint(2, 9)
    body = f"steps = 0\nwhile n > {limit}:\n    n = n // {k}\n    steps += 1\nreturn steps"
    return function(
        rng.choice(("count_steps", "steps", "divisions", "halvings")),
        "n",
        f"divides n by {k} with // until it is no longer greater than {limit} and returns the number of divisions",
        body,
        (limit, k),
        each(1000, 0, limit, limit + 1, limit * k, (limit + 1) * k, 10**6, -7),
    )


@algorithms("hard")
def window_sums(rng: Random) -> Draft:
    size, (name, call) = rng.randint(2, 9), rng.choice((("largest", "max"), ("smallest", "min")))
    empty = rng.choice((0, -1, 1, 99, -100, 1000))
    body = f"sums = [sum(numbers[i:i + {size}]) for i in range(len(numbers) - {size - 1})]\n"
    return function(
        rng.choice(("window_sum", "best_window", "window", "block_sum")),
        "numbers",
        f"returns the {name} sum of {size} neighbouring numbers, or {empty} if there are fewer than {size} numbers",
        body + f"return {call}(sums, default={empty})",
        (size, name, empty),
        each(
            list(range(size + 2)),
            [],
            [1],
            [2] * size,
            [3] * (size - 1),
            list(range(12, -12, -1)),
            [5, -9, 4, 4, -1, 8, 0, 2, 7, -3, 6, 1],
            [-4] * 10,
        ),
    )


@algorithms("medium", ood=True)
def last_match(rng: Random) -> Draft:
    (words, sign), limit, empty = compare(rng), rng.randint(-20, 50), rng.choice((0, -1, None, 99))
    body = f"result = {empty}\nfor n in numbers:\n    if n {sign} {limit}:\n        result = n\nreturn result"
    return function(
        rng.choice(("last_match", "find_last", "last_number")),
        "numbers",
        f"returns the last number that is {words} {limit}, or {empty} if there is none",
        body,
        (sign, limit, empty),
        each(
            [limit + 1, limit - 1, limit, limit + 7],
            [],
            [limit],
            near(limit),
            near(limit)[::-1],
            [limit, limit + 1, limit + 2],
            [500],
            [-500],
            [7] * 3,
        ),
    )


@algorithms("easy", ood=True)
def discount(rng: Random) -> Draft:
    limit, off = rng.randint(20, 90), rng.randint(2, 19)
    return function(
        rng.choice(("discount", "final_price", "reduce_price")),
        "price",
        f"returns price minus {off} if price is at least {limit}, otherwise price unchanged",
        f"if price >= {limit}:\n    return price - {off}\nreturn price",
        (limit, off),
        each(limit + 5, 0, limit, limit - 1, limit + 1, -limit, 1000),
    )


@algorithms("medium", ood=True)
def count_divisible(rng: Random) -> Draft:
    a, b = sorted(rng.sample(range(2, 13), 2))
    word = rng.choice(("and", "or"))
    return function(
        rng.choice(("count_divisible", "divisible", "count_up_to")),
        "n",
        f"returns how many integers from 1 to n are divisible by {a} {word} by {b}",
        f"return sum(1 for i in range(1, n + 1) if i % {a} == 0 {word} i % {b} == 0)",
        (a, b, word),
        each(30, 0, 1, -3, a, b, a * b, a * b - 1, a * b // 2, 3 * a * b + 7, 50, 100, 200),
    )


FAMILIES = gather(globals())
