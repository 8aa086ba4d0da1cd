"""Lengths, areas, angles, coordinates."""

from __future__ import annotations

from functools import partial
from random import Random

import sympy as sp

from domains.families import gather
from domains.mathematics_families.base import Draft, bracket, draft, family, several

geometry = partial(family, "geometry")
TRIPLES = ((3, 4, 5), (5, 12, 13), (8, 15, 17), (7, 24, 25))


@geometry("easy")
def rectangle_area(rng: Random) -> Draft:
    a, b = rng.randint(3, 20), rng.randint(3, 20)
    gold = sp.Polygon((0, 0), (a, 0), (a, b), (0, b)).area
    question = f"A rectangle is {a} cm long and {b} cm wide. What is its area in square centimetres?"
    return draft(question, [f"{a} * {b} = {a * b}"], gold, (a, b))


@geometry("easy")
def rectangle_side(rng: Random) -> Draft:
    a, b = rng.randint(3, 25), rng.randint(3, 25)
    p = 2 * (a + b)
    w = sp.Symbol("w")
    (gold,) = sp.solve(2 * (a + w) - p, w)
    steps = [f"{p} / 2 = {p // 2}", f"{p // 2} - {a} = {b}"]
    question = f"A rectangle has perimeter {p} and one side of length {a}. How long is the other side?"
    return draft(question, steps, gold, (a, b))


@geometry("easy")
def triangle_area(rng: Random) -> Draft:
    b, h = rng.randint(3, 20), 2 * rng.randint(2, 10)
    gold = abs(sp.Triangle((0, 0), (b, 0), (1, h)).area)
    steps = [f"{b} * {h} = {b * h}", f"{b * h} / 2 = {b * h // 2}"]
    return draft(f"A triangle has base {b} and height {h}. What is its area?", steps, gold, (b, h))


@geometry("easy")
def third_angle(rng: Random) -> Draft:
    a, b = rng.randint(20, 90), rng.randint(20, 80)
    t = sp.Symbol("t")
    (gold,) = sp.solve(a + b + t - 180, t)
    steps = [f"{a} + {b} = {a + b}", f"180 - {a + b} = {180 - a - b}"]
    question = f"Two angles of a triangle are {a} and {b} degrees. How many degrees has the third?"
    return draft(question, steps, gold, (a, b))


@geometry("medium")
def hypotenuse(rng: Random) -> Draft:
    k = rng.randint(1, 9)
    a, b, c = (k * side for side in rng.choice(TRIPLES))
    steps = [f"{a}^2 + {b}^2 = {a * a} + {b * b} = {c * c}", f"{c}^2 = {c * c}"]
    question = f"A right triangle has legs {a} and {b}. How long is the hypotenuse?"
    return draft(question, steps, sp.sqrt(a**2 + b**2), (a, b))


@geometry("easy")
def circle_area(rng: Random) -> Draft:
    r, asked = rng.randint(2, 30), rng.choice(("radius", "diameter"))
    given = r if asked == "radius" else 2 * r
    steps = ([] if asked == "radius" else [f"{given} / 2 = {r}"]) + [f"{r}^2 = {r * r}"]
    question = f"A circle has {asked} {given}. What is its area? Leave \\pi in the answer."
    return draft(question, steps, sp.Circle((0, 0), r).area, (given, asked))


@geometry("easy")
def circumference(rng: Random) -> Draft:
    r, thing = rng.randint(2, 40), rng.choice(("circle", "wheel", "pond"))
    question = f"A {thing} has radius {r}. What is its circumference? Leave \\pi in the answer."
    return draft(question, [f"2 * {r} = {2 * r}"], sp.Circle((0, 0), r).circumference, (r, thing))


@geometry("easy")
def box_volume(rng: Random) -> Draft:
    a, b, c = rng.randint(2, 12), rng.randint(2, 12), rng.randint(2, 9)
    steps = [f"{a} * {b} = {a * b}", f"{a * b} * {c} = {a * b * c}"]
    return draft(f"A box has edges {a}, {b} and {c}. What is its volume?", steps, sp.prod([a, b, c]), (a, b, c))


@geometry("medium")
def polygon_angles(rng: Random) -> Draft:
    n, asked = rng.randint(4, 20), rng.choice(("interior angles", "diagonals"))
    if asked == "diagonals":
        steps = [f"{n} * {n - 3} = {n * (n - 3)}", f"{n * (n - 3)} / 2 = {n * (n - 3) // 2}"]
        return draft(f"How many diagonals has a polygon with {n} sides?", steps, sp.binomial(n, 2) - n, (n, asked))
    steps = [f"{n} - 2 = {n - 2}", f"{n - 2} * 180 = {180 * (n - 2)}"]
    question = f"How many degrees do the interior angles of a polygon with {n} sides have together?"
    return draft(question, steps, n * (180 - sp.Rational(360, n)), (n, asked))


@geometry("easy")
def midpoint(rng: Random) -> Draft:
    a, b = rng.randint(-9, 9), rng.randint(-9, 9)
    c, d = a + 2 * rng.randint(1, 8), b + 2 * rng.randint(1, 8)
    found = sp.Point(a, b).midpoint(sp.Point(c, d))
    steps = [f"({a} + {bracket(c)})/2 = {(a + c) // 2}", f"({b} + {bracket(d)})/2 = {(b + d) // 2}"]
    question = f"What is the midpoint of ({a}, {b}) and ({c}, {d})?"
    return several(question, steps, [found.x, found.y], (a, b, c, d), "tuple")


@geometry("easy")
def slope(rng: Random) -> Draft:
    a, b, run, m = rng.randint(0, 9), rng.randint(0, 9), rng.randint(1, 6), rng.choice((-4, -3, -2, 2, 3, 4, 5))
    c, d = a + run, b + m * run
    gold = sp.Line((a, b), (c, d)).slope
    steps = [f"{d} - {b} = {d - b}", f"{c} - {a} = {run}", f"{d - b} / {run} = {m}"]
    return draft(f"What is the slope of the line through ({a}, {b}) and ({c}, {d})?", steps, gold, (a, b, c, d))


@geometry("medium")
def trapezoid_area(rng: Random) -> Draft:
    a, b, h = rng.randint(3, 15), rng.randint(3, 15), 2 * rng.randint(1, 6)
    gold = abs(sp.Polygon((0, 0), (a, 0), (b, h), (0, h)).area)
    steps = [f"{a} + {b} = {a + b}", f"{a + b} * {h} = {(a + b) * h}", f"{(a + b) * h} / 2 = {(a + b) * h // 2}"]
    question = f"A trapezoid has parallel sides {a} and {b} and height {h}. What is its area?"
    return draft(question, steps, gold, (a, b, h))


@geometry("medium", ood=True)
def cylinder_volume(rng: Random) -> Draft:
    r, h = rng.randint(2, 9), rng.randint(2, 12)
    z = sp.Symbol("z")
    gold = sp.integrate(sp.pi * r**2, (z, 0, h))
    steps = [f"{r}^2 = {r * r}", f"{r * r} * {h} = {r * r * h}"]
    question = f"A cylinder has radius {r} and height {h}. What is its volume? Leave \\pi in the answer."
    return draft(question, steps, gold, (r, h))


@geometry("medium", ood=True)
def box_surface(rng: Random) -> Draft:
    a, b, c = rng.randint(2, 9), rng.randint(2, 9), rng.randint(2, 9)
    half = a * b + b * c + a * c
    steps = [
        f"{a} * {b} + {b} * {c} + {a} * {c} = {a * b} + {b * c} + {a * c} = {half}",
        f"2 * {half} = {2 * half}",
    ]
    gold = sp.Integer(2) * sum(p * q for p, q in ((a, b), (b, c), (a, c)))
    return draft(f"A box has edges {a}, {b} and {c}. What is its surface area?", steps, gold, (a, b, c))


@geometry("medium", ood=True)
def similar_triangles(rng: Random) -> Draft:
    a, b, k = rng.randint(2, 12), rng.randint(2, 12), rng.randint(2, 6)
    s = sp.Symbol("s")
    (gold,) = sp.solve(sp.Rational(a, a * k) - b / s, s)
    steps = [f"{a * k} / {a} = {k}", f"{b} * {k} = {b * k}"]
    question = (
        f"Two triangles are similar. Sides {a} and {b} of the small one belong to sides {a * k} and s of the large "
        "one. What is s?"
    )
    return draft(question, steps, gold, (a, b, k))


FAMILIES = gather(globals())
