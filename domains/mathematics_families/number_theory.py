"""Divisors, remainders, bases."""

from __future__ import annotations

from functools import partial
from random import Random

import sympy as sp

from domains.families import gather
from domains.mathematics_families.base import Draft, draft, family

number_theory = partial(family, "number_theory")


def euclid(a: int, b: int) -> list[str]:
    """The divisions of Euclid's algorithm, one a line."""
    steps = []
    while b:
        steps.append(f"{a} = {a // b} * {b} + {a % b}")
        a, b = b, a % b
    return steps


@number_theory("easy")
def greatest_common_divisor(rng: Random) -> Draft:
    g = rng.randint(2, 15)
    a, b = g * rng.randint(2, 12), g * rng.randint(2, 12)
    a, b = max(a, b), min(a, b)
    return draft(f"What is the greatest common divisor of {a} and {b}?", euclid(a, b), sp.gcd(a, b), (a, b))


@number_theory("medium")
def least_common_multiple(rng: Random) -> Draft:
    g = rng.randint(2, 9)
    a, b = g * rng.randint(2, 9), g * rng.randint(2, 9)
    common = int(sp.gcd(a, b))
    steps = [f"{a} * {b} = {a * b}", f"{a * b} / {common} = {a * b // common}"]
    question = f"The greatest common divisor of {a} and {b} is {common}. What is their least common multiple?"
    return draft(question, steps, sp.lcm(a, b), (a, b))


@number_theory("easy")
def remainder(rng: Random) -> Draft:
    b, q = rng.randint(3, 15), rng.randint(5, 40)
    a = b * q + rng.randint(0, b - 1)
    steps = [f"{q} * {b} = {q * b}", f"{a} - {q * b} = {a - q * b}"]
    return draft(f"What is the remainder when {a} is divided by {b}?", steps, sp.Mod(a, b), (a, b))


@number_theory("medium")
def divisor_count(rng: Random) -> Draft:
    p, q = rng.sample((2, 3, 5, 7), 2)
    i, j = rng.randint(1, 4), rng.randint(1, 3)
    n = p**i * q**j
    steps = [f"{n} = {p}^{i} * {q}^{j}", f"({i} + 1)({j} + 1) = {(i + 1) * (j + 1)}"]
    return draft(f"How many positive divisors does {n} have?", steps, sp.divisor_count(n), (n,))


@number_theory("medium")
def divisor_sum(rng: Random) -> Draft:
    p, q = rng.sample((2, 3, 5, 7, 11, 13, 17, 19, 23, 29), 2)
    i = rng.randint(1, 3)
    n, first = p**i * q, (p ** (i + 1) - 1) // (p - 1)
    terms = " + ".join(str(p**k) for k in range(i + 1))
    steps = [
        f"{n} = {p}^{i} * {q}",
        f"{terms} = {first}",
        f"1 + {q} = {q + 1}",
        f"{first} * {q + 1} = {first * (q + 1)}",
    ]
    return draft(f"What is the sum of all positive divisors of {n}?", steps, sp.divisor_sigma(n), (n,))


@number_theory("medium")
def units_digit(rng: Random) -> Draft:
    base, exponent = rng.choice((2, 3, 7, 8)), rng.randint(5, 60)
    cycle = [pow(base, k, 10) for k in (1, 2, 3, 4)]
    place = exponent % 4
    steps = [
        f"{exponent} = {exponent // 4} * 4 + {place}",
        f"The last digits repeat: {', '.join(map(str, cycle))}",
        f"Place {place or 4} of the cycle is {cycle[place - 1]}",
    ]
    gold = sp.Mod(sp.Integer(base) ** exponent, 10)
    return draft(f"What is the last digit of {base}^{exponent}?", steps, gold, (base, exponent))


@number_theory("medium")
def from_base(rng: Random) -> Draft:
    base = rng.randint(2, 7)
    digits = [rng.randint(1, base - 1), *(rng.randint(0, base - 1) for _ in range(2 if base > 3 else 3))]
    places = range(len(digits) - 1, -1, -1)
    parts = [d * base**k for d, k in zip(digits, places, strict=True)]
    steps = [f"{d} * {base}^{k} = {v}" for d, k, v in zip(digits, places, parts, strict=True)]
    steps.append(f"{' + '.join(map(str, parts))} = {sum(parts)}")
    numeral = "".join(map(str, digits))
    gold = sp.Poly(digits, sp.Symbol("b")).eval(base)
    return draft(f"Write {numeral} (base {base}) in base 10.", steps, gold, (base, numeral))


@number_theory("easy")
def count_multiples(rng: Random) -> Draft:
    k, n = rng.randint(3, 15), rng.randint(50, 300)
    q = n // k
    steps = [f"{q} * {k} = {q * k}", f"{n} - {q * k} = {n - q * k}"]
    question = f"How many positive multiples of {k} are at most {n}?"
    return draft(question, steps, sp.floor(sp.Rational(n, k)), (k, n))


@number_theory("easy")
def next_multiple(rng: Random) -> Draft:
    k, n = rng.randint(4, 19), rng.randint(40, 250)
    q = n // k
    steps = [f"{q} * {k} = {q * k}", f"{q * k} + {k} = {q * k + k}"]
    question = f"What is the smallest multiple of {k} that is greater than {n}?"
    return draft(question, steps, k * (sp.floor(sp.Rational(n, k)) + 1), (k, n))


@number_theory("easy")
def largest_prime_factor(rng: Random) -> Draft:
    p, q, r = rng.choice((2, 3)), rng.choice((3, 5, 7)), rng.choice((11, 13, 17, 19, 23, 29, 31, 37, 41, 43))
    n = p * q * r
    steps = [f"{n} / {p} = {n // p}", f"{n // p} / {q} = {r}", f"{n} = {p} * {q} * {r}"]
    return draft(f"What is the largest prime factor of {n}?", steps, sp.Integer(max(sp.factorint(n))), (n,))


@number_theory("hard", ood=True)
def modular_inverse(rng: Random) -> Draft:
    m = rng.choice((7, 11, 13, 17, 19, 23))
    a = rng.randint(2, m - 1)
    b = int(sp.mod_inverse(a, m))
    steps = [f"{a} * {b} = {a * b}", f"{a * b} = {a * b // m} * {m} + 1"]
    question = f"Which number b from 1 to {m - 1} gives {a} * b the remainder 1 when divided by {m}?"
    return draft(question, steps, sp.Integer(sp.mod_inverse(a, m)), (a, m))


@number_theory("hard", ood=True)
def trailing_zeros(rng: Random) -> Draft:
    n = rng.randint(10, 124)
    fives, more = n // 5, n // 25
    gold = sp.multiplicity(5, sp.factorial(n))
    steps = [f"Multiples of 5: {fives}", f"Multiples of 25: {more}", f"{fives} + {more} = {fives + more}"]
    return draft(f"How many zeros are at the end of {n}! ?", steps, sp.Integer(gold), (n,))


@number_theory("hard", ood=True)
def two_remainders(rng: Random) -> Draft:
    m, n = rng.choice(((3, 5), (3, 7), (4, 5), (5, 7), (4, 7), (5, 8), (7, 9), (5, 9), (7, 8), (5, 11), (7, 11)))
    value = rng.randint(1, m * n - 1)
    from sympy.ntheory.modular import crt

    gold = sp.Integer(int(crt([m, n], [value % m, value % n])[0]))
    steps = [f"{value} = {value // m} * {m} + {value % m}", f"{value} = {value // n} * {n} + {value % n}"]
    question = (
        f"What is the smallest positive number with remainder {value % m} when divided by {m} "
        f"and remainder {value % n} when divided by {n}?"
    )
    return draft(question, steps, gold, (m, n, value))


FAMILIES = gather(globals())
