"""Equations, polynomials, sequences."""

from __future__ import annotations

from functools import partial
from random import Random

import sympy as sp

from domains.families import gather
from domains.mathematics_families.base import (
    Draft,
    draft,
    family,
    integer,
    relation,
    several,
    signed,
    term,
    x,
)

algebra = partial(family, "algebra")


@algebra("easy")
def linear_equation(rng: Random) -> Draft:
    a, b, root = rng.randint(2, 9), rng.randint(-12, 12) or 5, rng.randint(-9, 12)
    c = a * root + b
    (gold,) = sp.solve(a * x + b - c, x)
    steps = [f"{a}x = {c} {signed(-b)} = {c - b}", f"x = {c - b} / {a} = {root}"]
    return draft(f"Solve {a}x {signed(b)} = {c} for x.", steps, gold, (a, b, c))


@algebra("medium")
def linear_both_sides(rng: Random) -> Draft:
    c, extra, root = rng.randint(1, 5), rng.randint(2, 6), rng.randint(1, 12)
    a, b = c + extra, rng.randint(1, 15)
    d = a * root + b - c * root
    (gold,) = sp.solve(a * x + b - c * x - d, x)
    steps = [f"{a} - {c} = {extra}", f"{d} - {b} = {d - b}", f"x = {d - b} / {extra} = {root}"]
    return draft(f"Solve {a}x + {b} = {term(c, 'x')} + {d} for x.", steps, gold, (a, b, c, d))


@algebra("medium")
def quadratic_roots(rng: Random) -> Draft:
    p, q = sorted(rng.sample(range(1, 13), 2))
    roots = sorted(sp.solve(x**2 - (p + q) * x + p * q, x))
    steps = [f"{p} + {q} = {p + q}", f"{p} * {q} = {p * q}", f"x^2 - {p + q}x + {p * q} = (x - {p})(x - {q})"]
    return several(f"Find both solutions of x^2 - {p + q}x + {p * q} = 0.", steps, roots, (p, q), "set")


@algebra("easy")
def evaluate_polynomial(rng: Random) -> Draft:
    a, b, c, n = rng.randint(2, 6), rng.randint(1, 9), rng.randint(1, 12), rng.randint(2, 9)
    gold = (a * x**2 + b * x + c).subs(x, n)
    steps = [
        f"{n}^2 = {n * n}",
        f"{a} * {n * n} = {a * n * n}",
        f"{b} * {n} = {b * n}",
        f"{a * n * n} + {b * n} + {c} = {a * n * n + b * n + c}",
    ]
    return draft(f"Let f(x) = {a}x^2 + {term(b, 'x')} + {c}. What is f({n})?", steps, gold, (a, b, c, n))


@algebra("easy")
def expand_product(rng: Random) -> Draft:
    a, b = rng.randint(1, 12), rng.randint(1, 12)
    gold = sp.expand((x + a) * (x + b))
    return draft(f"Expand (x + {a})(x + {b}).", [f"{a} + {b} = {a + b}", f"{a} * {b} = {a * b}"], gold, (a, b))


@algebra("medium")
def sum_and_difference(rng: Random) -> Draft:
    y = rng.randint(1, 20)
    first = y + rng.randint(1, 20)
    s, d = first + y, first - y
    b = sp.Symbol("y")
    found = sp.solve((x + b - s, x - b - d), (x, b))
    steps = [f"{s} + {d} = {s + d}", f"x = {s + d} / 2 = {first}", f"y = {s} - {first} = {y}"]
    question = f"Solve x + y = {s} and x - y = {d}. Give (x, y)."
    return several(question, steps, [found[x], found[b]], (s, d), "tuple")


@algebra("easy")
def arithmetic_term(rng: Random) -> Draft:
    a, d, n = rng.randint(1, 20), rng.randint(2, 12), rng.randint(5, 30)
    gold = sp.Integer(a) + (n - 1) * d
    steps = [f"{n} - 1 = {n - 1}", f"{n - 1} * {d} = {(n - 1) * d}", f"{a} + {(n - 1) * d} = {a + (n - 1) * d}"]
    question = f"An arithmetic sequence starts with {a} and has common difference {d}. What is term number {n}?"
    return draft(question, steps, gold, (a, d, n))


@algebra("easy")
def geometric_term(rng: Random) -> Draft:
    a, r, n = rng.randint(1, 9), rng.randint(2, 4), rng.randint(3, 5)
    gold = sp.Integer(a) * sp.Integer(r) ** (n - 1)
    power = r ** (n - 1)
    steps = [f"{n} - 1 = {n - 1}", f"{r}^{n - 1} = {power}", f"{a} * {power} = {a * power}"]
    question = f"A geometric sequence starts with {a} and has common ratio {r}. What is term number {n}?"
    return draft(question, steps, gold, (a, r, n))


@algebra("medium")
def sum_to_n(rng: Random) -> Draft:
    n, k = rng.randint(5, 30), rng.randint(2, 6)
    i = sp.Symbol("i")
    gold = sp.summation(k * i, (i, 1, n))
    product, total = n * (n + 1), n * (n + 1) // 2
    steps = [f"{n} * {n + 1} = {product}", f"{product} / 2 = {total}", f"{k} * {total} = {k * total}"]
    question = f"What is the sum of the first {n} positive multiples of {k}?"
    return draft(question, steps, gold, (n, k))


@algebra("easy")
def powers(rng: Random) -> Draft:
    base, first, second = rng.randint(2, 5), rng.randint(3, 7), rng.randint(2, 6)
    third = first + second - rng.randint(1, 4)
    gold = sp.Integer(base) ** first * sp.Integer(base) ** second / sp.Integer(base) ** third
    left = first + second
    steps = [
        f"{first} + {second} = {left}",
        f"{left} - {third} = {left - third}",
        f"{base}^{left - third} = {base ** (left - third)}",
    ]
    question = f"What is {base}^{first} * {base}^{second} / {base}^{third}?"
    return draft(question, steps, gold, (base, first, second, third))


@algebra("easy")
def linear_inequality(rng: Random) -> Draft:
    a, b, bound = rng.randint(2, 9), rng.randint(1, 15), rng.randint(-6, 12)
    sign = rng.choice(("<", ">"))
    c = a * bound + b
    solved = integer(sp.solve(a * x + b - c, x)[0])
    steps = [f"{c} - {b} = {c - b}", f"{c - b} / {a} = {bound}"]
    other = "<" if sign == ">" else ">"
    wrong = (f"x {other} {solved}", f"x {sign} {solved + 1}", f"x {sign}= {solved}")
    return relation(f"Solve {a}x + {b} {sign} {c} for x.", steps, f"x {sign} {solved}", wrong, (a, b, c, sign))


@algebra("medium")
def compose_functions(rng: Random) -> Draft:
    a, b, c, n = rng.randint(2, 7), rng.randint(1, 9), rng.randint(1, 9), rng.randint(1, 8)
    gold = (a * x + b).subs(x, sp.Integer(n) + c)
    inner = n + c
    steps = [f"{n} + {c} = {inner}", f"{a} * {inner} = {a * inner}", f"{a * inner} + {b} = {a * inner + b}"]
    question = f"Let f(x) = {a}x + {b} and g(x) = x + {c}. What is f(g({n}))?"
    return draft(question, steps, gold, (a, b, c, n))


@algebra("medium", ood=True)
def absolute_equation(rng: Random) -> Draft:
    a, b = rng.randint(1, 15), rng.randint(1, 15)
    roots = sorted(sp.solve(sp.Abs(sp.Symbol("t", real=True) - a) - b))
    steps = [f"{a} - {b} = {a - b}", f"{a} + {b} = {a + b}"]
    return several(f"Find both solutions of |x - {a}| = {b}.", steps, roots, (a, b), "set")


@algebra("hard", ood=True)
def sum_of_squares(rng: Random) -> Draft:
    p, q = rng.randint(1, 12), rng.randint(1, 12)
    s, t = p + q, p * q
    gold = sp.expand((x**2).subs(x, s)) - 2 * t
    steps = [f"{s}^2 = {s * s}", f"2 * {t} = {2 * t}", f"{s * s} - {2 * t} = {s * s - 2 * t}"]
    question = f"Two numbers have sum {s} and product {t}. What is the sum of their squares?"
    return draft(question, steps, gold, (s, t))


@algebra("medium", ood=True)
def logarithm_equation(rng: Random) -> Draft:
    base, k, shift = rng.randint(2, 5), rng.randint(2, 4), rng.randint(1, 20)
    (gold,) = sp.solve(sp.log(x + shift, base) - k, x)
    steps = [f"{base}^{k} = {base**k}", f"{base**k} - {shift} = {base**k - shift}"]
    return draft(f"Solve \\log_{base}(x + {shift}) = {k} for x.", steps, gold, (base, k, shift))


FAMILIES = gather(globals())
