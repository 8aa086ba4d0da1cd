"""Averages and chances: the area `statistics`."""

from __future__ import annotations

from functools import partial
from random import Random

import sympy as sp
from sympy import Rational

from domains.families import gather
from domains.mathematics_families.base import Draft, draft, family, show

statistics = partial(family, "statistics")


def added(values: list[int]) -> str:
    """`a + b + c`."""
    return " + ".join(map(str, values))


def listed(values: list[int]) -> str:
    """`a, b, c`."""
    return ", ".join(map(str, values))


def reduced(top: int, bottom: int) -> list[str]:
    """The step that cancels a fraction, if there is one."""
    value = Rational(top, bottom)
    return [] if (value.p, value.q) == (top, bottom) else [f"{top}/{bottom} = {show(value)}"]


@statistics("easy")
def mean(rng: Random) -> Draft:
    n, average = rng.randint(3, 5), rng.randint(4, 20)
    values = [average + rng.randint(-3, 3) for _ in range(n - 1)]
    values.append(n * average - sum(values))
    steps = [f"{added(values)} = {n * average}", f"{n * average} / {n} = {average}"]
    return draft(f"What is the mean of {listed(values)}?", steps, Rational(sum(values), n), (listed(values),))


@statistics("easy")
def median(rng: Random) -> Draft:
    values = rng.sample(range(1, 40), 5)
    ordered = sorted(values)
    gold = sp.Integer(sorted(values, key=sp.Integer)[len(values) // 2])
    return draft(f"What is the median of {listed(values)}?", [f"In order: {listed(ordered)}"], gold, (listed(values),))


@statistics("medium")
def median_of_even(rng: Random) -> Draft:
    values = rng.sample(range(2, 40, 2), 4)
    ordered = sorted(values)
    low, high = ordered[1:3]
    steps = [f"In order: {listed(ordered)}", f"({low} + {high})/2 = {(low + high) // 2}"]
    return draft(f"What is the median of {listed(values)}?", steps, Rational(low + high, 2), (listed(values),))


@statistics("easy")
def range_of_data(rng: Random) -> Draft:
    values = rng.sample(range(1, 60), 5)
    steps = [f"{max(values)} - {min(values)} = {max(values) - min(values)}"]
    gold = sp.Max(*values) - sp.Min(*values)
    return draft(f"What is the range of {listed(values)}?", steps, gold, (listed(values),))


@statistics("easy")
def drawing_a_ball(rng: Random) -> Draft:
    red, blue = rng.randint(1, 12), rng.randint(1, 12)
    total = red + blue
    steps = [f"{red} + {blue} = {total}", *reduced(red, total)]
    question = f"A bag holds {red} red and {blue} blue balls. What is the probability of drawing a red one?"
    return draft(question, steps, Rational(red, total), (red, blue))


@statistics("medium")
def two_dice(rng: Random) -> Draft:
    total, sides = rng.randint(3, 11), rng.choice((6, 8))
    ways = sum(1 for a in range(1, sides + 1) if 1 <= total - a <= sides)
    steps = [f"{sides} * {sides} = {sides**2}", f"Ways to get {total}: {ways}", *reduced(ways, sides**2)]
    question = f"Two dice with {sides} sides are rolled. What is the probability that their sum is {total}?"
    pairs = [(a, b) for a in range(1, sides + 1) for b in range(1, sides + 1)]
    gold = sum((Rational(1, sides**2) for a, b in pairs if a + b == total), Rational(0))
    return draft(question, steps, gold, (total, sides))


@statistics("medium")
def expected_value(rng: Random) -> Draft:
    k, win, lose = rng.randint(2, 6), rng.randint(2, 12), rng.randint(1, 5)
    gain = k * win
    gold = Rational(1, k) * gain + Rational(k - 1, k) * k * lose
    rest = (k - 1) * lose
    steps = [f"{gain} / {k} = {win}", f"{k - 1} * {k * lose} / {k} = {rest}", f"{win} + {rest} = {win + rest}"]
    question = f"A game pays {gain} with probability 1/{k}, and {k * lose} otherwise. What is the expected payment?"
    return draft(question, steps, gold, (k, win, lose))


@statistics("medium")
def weighted_mean(rng: Random) -> Draft:
    a, b = rng.randint(1, 6), rng.randint(1, 6)
    total = a + b
    first = rng.randint(2, 20)
    second = first + total * rng.randint(1, 3)
    whole = a * first + b * second
    steps = [
        f"{a} * {first} + {b} * {second} = {a * first} + {b * second} = {whole}",
        f"{a} + {b} = {total}",
        f"{whole} / {total} = {whole // total}",
    ]
    question = f"{a} pupils scored {first} points each and {b} pupils {second} each. What is the mean score?"
    return draft(question, steps, Rational(whole, total), (a, first, b, second))


@statistics("hard")
def variance(rng: Random) -> Draft:
    centre, d, e = rng.randint(5, 20), rng.randint(1, 5), rng.randint(1, 5)
    values = [centre - d, centre + d, centre - e, centre + e]
    squares = [d * d, d * d, e * e, e * e]
    mean_ = Rational(sum(values), 4)
    gold = sum(((v - mean_) ** 2 for v in values), Rational(0)) / 4
    steps = [
        f"({added(values)})/4 = {centre}",
        f"{added(squares)} = {sum(squares)}",
        f"{sum(squares)} / 4 = {show(gold)}",
    ]
    question = f"What is the variance of {listed(values)} (divide by 4)?"
    return draft(question, steps, gold, (listed(values),))


@statistics("easy")
def complement(rng: Random) -> Draft:
    q = rng.randint(3, 20)
    p = rng.choice([k for k in range(1, q) if sp.gcd(k, q) == 1])
    event = rng.choice(("rain", "snow", "a win", "a delay"))
    steps = [f"{q} - {p} = {q - p}", f"1 - {p}/{q} = {q - p}/{q}"]
    question = f"The probability of {event} is {p}/{q}. What is the probability that it does not happen?"
    return draft(question, steps, 1 - Rational(p, q), (p, q, event))


@statistics("easy")
def percentage(rng: Random) -> Draft:
    p, n = 5 * rng.randint(1, 19), 20 * rng.randint(1, 20)
    steps = [f"{n} * {p} = {n * p}", f"{n * p} / 100 = {n * p // 100}"]
    return draft(f"What is {p}% of {n}?", steps, Rational(p, 100) * n, (p, n))


@statistics("hard", ood=True)
def two_draws(rng: Random) -> Draft:
    red, blue = rng.randint(2, 7), rng.randint(1, 7)
    total = red + blue
    top, bottom = red * (red - 1), total * (total - 1)
    steps = [f"{red} * {red - 1} = {top}", f"{total} * {total - 1} = {bottom}", *reduced(top, bottom)]
    question = (
        f"A bag holds {red} red and {blue} blue balls. Two are drawn, none is put back. "
        "What is the probability that both are red?"
    )
    return draft(question, steps, sp.binomial(red, 2) / sp.binomial(total, 2), (red, blue))


@statistics("medium", ood=True)
def missing_value(rng: Random) -> Draft:
    average, values = rng.randint(6, 20), [rng.randint(2, 9) for _ in range(3)]
    v = sp.Symbol("v")
    (gold,) = sp.solve((sum(values) + v) / 4 - average, v)
    total = 4 * average
    steps = [
        f"4 * {average} = {total}",
        f"{added(values)} = {sum(values)}",
        f"{total} - {sum(values)} = {total - sum(values)}",
    ]
    question = f"Four numbers have mean {average}. Three of them are {listed(values)}. What is the fourth?"
    return draft(question, steps, gold, (average, listed(values)))


@statistics("hard", ood=True)
def coin_flips(rng: Random) -> Draft:
    n = rng.randint(3, 7)
    k = rng.randint(1, n - 1)
    ways = int(sp.binomial(n, k))
    steps = [f"2^{n} = {2**n}", f"Ways to place {k} heads: {ways}", *reduced(ways, 2**n)]
    question = f"A fair coin is flipped {n} times. What is the probability of exactly {k} heads?"
    return draft(question, steps, sp.binomial(n, k) / 2**n, (n, k))


FAMILIES = gather(globals())
