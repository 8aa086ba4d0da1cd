"""Counting."""

from __future__ import annotations

from functools import partial
from math import comb, factorial
from random import Random

import sympy as sp

from domains.families import gather
from domains.mathematics_families.base import Draft, draft, family

combinatorics = partial(family, "combinatorics")
THINGS = ("books", "cups", "cards", "toys", "flags", "lamps")


def falling(n: int, k: int) -> str:
    """`n * (n-1) * …` with k factors."""
    return " * ".join(str(n - i) for i in range(k))


def choose_steps(n: int, k: int) -> list[str]:
    """How C(n, k) is worked out."""
    top, bottom = factorial(n) // factorial(n - k), factorial(k)
    return [f"{falling(n, k)} = {top}", f"{falling(k, k)} = {bottom}", f"{top} / {bottom} = {comb(n, k)}"]


@combinatorics("easy")
def orders(rng: Random) -> Draft:
    n, thing = rng.randint(3, 7), rng.choice(THINGS)
    steps = [f"{falling(n, n)} = {factorial(n)}"]
    return draft(f"In how many orders can {n} different {thing} stand?", steps, sp.factorial(n), (n, thing))


@combinatorics("easy")
def ordered_choice(rng: Random) -> Draft:
    n, k = rng.randint(5, 12), rng.randint(2, 3)
    steps = [f"{falling(n, k)} = {factorial(n) // factorial(n - k)}"]
    places = "first and second" if k == 2 else "first, second and third"
    gold = sp.factorial(n) / sp.factorial(n - k)
    return draft(f"In how many ways can {n} runners take the {places} place?", steps, gold, (n, k))


@combinatorics("easy")
def choose(rng: Random) -> Draft:
    n, k, thing = rng.randint(5, 10), rng.randint(2, 3), rng.choice(THINGS)
    question = f"In how many ways can {k} of {n} {thing} be chosen, if order does not matter?"
    return draft(question, choose_steps(n, k), sp.binomial(n, k), (n, k, thing))


@combinatorics("easy")
def product_rule(rng: Random) -> Draft:
    a, b, c = rng.randint(2, 9), rng.randint(2, 9), rng.randint(2, 6)
    steps = [f"{a} * {b} = {a * b}", f"{a * b} * {c} = {a * b * c}"]
    question = f"A shop sells {a} shirts, {b} trousers and {c} hats. How many outfits of one each are there?"
    return draft(question, steps, sp.prod([a, b, c]), (a, b, c))


@combinatorics("easy")
def handshakes(rng: Random) -> Draft:
    n = rng.randint(4, 40)
    steps = [f"{n} * {n - 1} = {n * (n - 1)}", f"{n * (n - 1)} / 2 = {n * (n - 1) // 2}"]
    question = f"Each of {n} people shakes hands once with each other. How many handshakes are there?"
    return draft(question, steps, sp.binomial(n, 2), (n,))


@combinatorics("medium")
def committee(rng: Random) -> Draft:
    men, women = rng.randint(3, 8), rng.randint(3, 8)
    first, second = comb(men, 2), comb(women, 2)
    steps = [
        f"{men} * {men - 1} / 2 = {first}",
        f"{women} * {women - 1} / 2 = {second}",
        f"{first} * {second} = {first * second}",
    ]
    question = f"How many committees of 2 men and 2 women can be made from {men} men and {women} women?"
    return draft(question, steps, sp.binomial(men, 2) * sp.binomial(women, 2), (men, women))


@combinatorics("medium")
def repeated_letters(rng: Random) -> Draft:
    a, b, c = rng.randint(2, 3), rng.randint(1, 2), rng.randint(1, 2)
    letters = rng.sample("ABCDEFGH", 3)
    word = "".join(letter * n for letter, n in zip(letters, (a, b, c), strict=True))
    n, below = a + b + c, factorial(a) * factorial(b) * factorial(c)
    steps = [
        f"{n}! = {factorial(n)}",
        f"{a}! * {b}! * {c}! = {below}",
        f"{factorial(n)} / {below} = {factorial(n) // below}",
    ]
    gold = sp.factorial(n) / (sp.factorial(a) * sp.factorial(b) * sp.factorial(c))
    return draft(f"In how many ways can the letters {word} be ordered?", steps, gold, (word,))


@combinatorics("medium")
def binary_strings(rng: Random) -> Draft:
    n, k = rng.randint(4, 10), rng.randint(2, 3)
    question = f"How many strings of {n} zeros and ones have exactly {k} ones?"
    return draft(question, choose_steps(n, k), sp.binomial(n, k), (n, k))


@combinatorics("medium")
def grid_paths(rng: Random) -> Draft:
    right, up = rng.randint(3, 9), rng.randint(2, 3)
    steps = [f"{right} + {up} = {right + up}", *choose_steps(right + up, up)]
    question = f"How many paths go {right} steps right and {up} steps up, one step at a time?"
    return draft(question, steps, sp.binomial(right + up, up), (right, up))


@combinatorics("medium")
def either_or(rng: Random) -> Draft:
    both = rng.randint(2, 10)
    a, b = both + rng.randint(1, 20), both + rng.randint(1, 20)
    steps = [f"{a} + {b} = {a + b}", f"{a + b} - {both} = {a + b - both}"]
    question = f"{a} pupils play chess, {b} play go and {both} play both. How many play at least one of them?"
    gold = sp.Integer(len(set(range(a)) | set(range(a - both, a - both + b))))
    return draft(question, steps, gold, (a, b, both))


@combinatorics("easy")
def codes(rng: Random) -> Draft:
    symbols, length = rng.randint(2, 10), rng.randint(2, 4)
    steps = [f"{' * '.join([str(symbols)] * length)} = {symbols**length}"]
    question = f"How many codes of {length} places can be made of {symbols} symbols that may repeat?"
    return draft(question, steps, sp.Integer(symbols) ** length, (symbols, length))


@combinatorics("medium", ood=True)
def round_table(rng: Random) -> Draft:
    n = rng.randint(4, 8)
    names = rng.choice(("people", "knights", "guests", "friends", "players", "pupils", "cousins", "singers"))
    steps = [f"{n} - 1 = {n - 1}", f"{falling(n - 1, n - 1)} = {factorial(n - 1)}"]
    question = f"In how many ways can {n} {names} sit at a round table, if turning the table changes nothing?"
    return draft(question, steps, sp.factorial(n) / n, (n, names))


@combinatorics("hard", ood=True)
def shared_sweets(rng: Random) -> Draft:
    n, children = rng.randint(3, 12), rng.randint(2, 4)
    total, k = n + children - 1, children - 1
    steps = [f"{n} + {children} - 1 = {total}", *choose_steps(total, k)]
    question = f"In how many ways can {n} equal sweets be shared among {children} children (some may get none)?"
    return draft(question, steps, sp.binomial(total, k), (n, children))


@combinatorics("medium", ood=True)
def pigeonholes(rng: Random) -> Draft:
    colours, wanted = rng.randint(3, 12), rng.randint(2, 6)
    steps = [
        f"{wanted} - 1 = {wanted - 1}",
        f"{colours} * {wanted - 1} = {colours * (wanted - 1)}",
        f"{colours * (wanted - 1)} + 1 = {colours * (wanted - 1) + 1}",
    ]
    question = (
        f"A drawer holds many socks of {colours} colours. How many must be taken, without looking, "
        f"to be sure of {wanted} of one colour?"
    )
    gold = next(n for n in range(1, 200) if sp.ceiling(sp.Rational(n, colours)) == wanted)
    return draft(question, steps, sp.Integer(gold), (colours, wanted))


FAMILIES = gather(globals())
