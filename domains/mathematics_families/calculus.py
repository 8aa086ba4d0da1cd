"""Derivatives, integrals, limits."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from random import Random

import sympy as sp

from domains.families import gather
from domains.mathematics_families.base import Draft, draft, family, show, signed, term, x

calculus = partial(family, "calculus")
C = sp.Symbol("C")


@calculus("easy")
def derivative(rng: Random) -> Draft:
    a, n, b = rng.randint(2, 9), rng.randint(2, 5), rng.randint(1, 12)
    f = a * x**n + b * x
    steps = [f"{a} * {n} = {a * n}", f"{n} - 1 = {n - 1}"]
    return draft(f"What is the derivative of {show(f)}?", steps, sp.diff(f, x), (a, n, b))


@calculus("medium")
def derivative_at(rng: Random) -> Draft:
    a, b, p = rng.randint(1, 9), rng.randint(-9, 9) or 4, rng.randint(1, 9)
    f = a * x**2 + b * x
    slope = 2 * a * p
    steps = [f"f'(x) = {2 * a}x {signed(b)}", f"{2 * a} * {p} = {slope}", f"{slope} {signed(b)} = {slope + b}"]
    question = f"Let f(x) = {term(a, 'x^2')} {signed(b)}x. What is f'({p})?"
    return draft(question, steps, sp.diff(f, x).subs(x, p), (a, b, p))


@calculus("easy")
def second_derivative(rng: Random) -> Draft:
    a, b, c = rng.randint(1, 6), rng.randint(1, 9), rng.randint(1, 9)
    f = a * x**3 + b * x**2 + c * x
    steps = [f"f'(x) = {3 * a}x^2 + {2 * b}x + {c}", f"2 * {3 * a} = {6 * a}"]
    question = f"What is the second derivative of {term(a, 'x^3')} + {term(b, 'x^2')} + {term(c, 'x')}?"
    return draft(question, steps, sp.diff(f, x, 2), (a, b, c))


@calculus("medium")
def antiderivative(rng: Random) -> Draft:
    n, k, b = rng.randint(2, 4), rng.randint(1, 6), rng.randint(1, 12)
    a = (n + 1) * k
    f = a * x**n + b
    steps = [f"{n} + 1 = {n + 1}", f"{a} / {n + 1} = {k}"]
    question = f"Find the antiderivative of {show(f)}, with the constant C."
    found = draft(question, steps, sp.integrate(f, x) + C, (n, k, b))
    return replace(found, answer=f"{term(k, f'x^{n + 1}')} + {b}x + C")


@calculus("medium")
def definite_integral(rng: Random) -> Draft:
    a, b, p = 2 * rng.randint(1, 5), rng.randint(1, 9), rng.randint(1, 8)
    half = a // 2
    steps = [
        f"{a} / 2 = {half}",
        f"{half} * {p}^2 = {half * p * p}",
        f"{b} * {p} = {b * p}",
        f"{half * p * p} + {b * p} = {half * p * p + b * p}",
    ]
    gold = sp.integrate(a * x + b, (x, 0, p))
    return draft(f"What is the integral of {a}x + {b} from 0 to {p}?", steps, gold, (a, b, p))


@calculus("medium")
def limit_of_quotient(rng: Random) -> Draft:
    a, b = rng.randint(1, 20), rng.randint(1, 20)
    f = sp.expand((x - a) * (x + b))
    gold = sp.limit(f / (x - a), x, a)
    steps = [f"{show(f)} = (x - {a})(x + {b})", f"{a} + {b} = {a + b}"]
    return draft(f"What is the limit of ({show(f)}) / (x - {a}) as x goes to {a}?", steps, gold, (a, b))


@calculus("easy")
def limit_at_infinity(rng: Random) -> Draft:
    q, k, b, d = rng.randint(2, 9), rng.randint(2, 9), rng.randint(1, 20), rng.randint(1, 20)
    gold = sp.limit((q * k * x + b) / (q * x + d), x, sp.oo)
    question = f"What is the limit of ({q * k}x + {b}) / ({q}x + {d}) as x goes to infinity?"
    return draft(question, [f"{q * k} / {q} = {k}"], gold, (q, k, b, d))


@calculus("medium")
def minimum(rng: Random) -> Draft:
    p, c = rng.randint(1, 12), rng.randint(1, 200)
    f = x**2 - 2 * p * x + c
    (place,) = sp.solve(sp.diff(f, x), x)
    steps = [f"{2 * p} / 2 = {p}", f"{p}^2 - {2 * p} * {p} + {c} = {c - p * p}"]
    return draft(f"What is the smallest value of x^2 - {2 * p}x + {c}?", steps, f.subs(x, place), (p, c))


@calculus("medium")
def velocity(rng: Random) -> Draft:
    a, b, t = rng.randint(1, 5), rng.randint(1, 12), rng.randint(1, 6)
    s = sp.Symbol("t")
    gold = sp.diff(a * s**3 + b * s, s).subs(s, t)
    cube = 3 * a * t * t
    steps = [f"3 * {a} = {3 * a}", f"{3 * a} * {t}^2 = {cube}", f"{cube} + {b} = {cube + b}"]
    question = (
        f"A point is at {term(a, 't^3')} + {term(b, 't')} metres after t seconds. How fast is it after {t} seconds?"
    )
    return draft(question, steps, gold, (a, b, t))


@calculus("medium")
def tangent_line(rng: Random) -> Draft:
    a, p = rng.randint(1, 6), rng.randint(1, 9)
    f = a * x**2
    gold = sp.expand(sp.diff(f, x).subs(x, p) * (x - p) + f.subs(x, p))
    m, at = 2 * a * p, a * p * p
    steps = [f"2 * {a} * {p} = {m}", f"{a} * {p}^2 = {at}", f"{at} - {m} * {p} = {at - m * p}"]
    question = f"The tangent of y = {term(a, 'x^2')} at x = {p} is y = mx + b. What is mx + b?"
    return draft(question, steps, gold, (a, p))


@calculus("hard", ood=True)
def chain_rule(rng: Random) -> Draft:
    a, b, n = rng.randint(2, 6), rng.randint(1, 9), rng.randint(2, 4)
    f = (a * x + b) ** n
    gold = sp.diff(f, x).subs(x, 0)
    steps = [
        f"{n} * {a} = {n * a}",
        f"{b}^{n - 1} = {b ** (n - 1)}",
        f"{n * a} * {b ** (n - 1)} = {n * a * b ** (n - 1)}",
    ]
    return draft(f"Let f(x) = ({a}x + {b})^{n}. What is f'(0)?", steps, gold, (a, b, n))


@calculus("hard", ood=True)
def area_between(rng: Random) -> Draft:
    size = 6 * rng.randint(1, 40)
    gold = sp.integrate(size * x - size * x**2, (x, 0, 1))
    steps = [f"{size}/2 - {size}/3 = {size // 2} - {size // 3} = {size // 6}"]
    question = f"What is the area between y = {size}x and y = {size}x^2 from x = 0 to x = 1?"
    return draft(question, steps, gold, (size,))


@calculus("hard", ood=True)
def exponential_derivative(rng: Random) -> Draft:
    a, b, c = rng.randint(2, 9), rng.randint(2, 9), rng.randint(1, 15)
    gold = sp.diff(a * sp.exp(b * x) + c * x, x).subs(x, 0)
    steps = [f"{a} * {b} = {a * b}", f"{a * b} + {c} = {a * b + c}"]
    return draft(f"Let f(x) = {a}e^{{{b}x}} + {term(c, 'x')}. What is f'(0)?", steps, gold, (a, b, c))


FAMILIES = gather(globals())
