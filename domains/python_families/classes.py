"""Small classes. A test builds an object in its set-up and asks it one question."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from random import Random

from pydantic import JsonValue

from domains.families import gather
from domains.python_families.base import Case, Draft, compare, family

classes = partial(family, "classes")

VERBS = ("add", "push", "put", "store", "insert", "append", "keep")
FIELDS = ("x", "y", "size", "price", "count", "width", "height", "age", "score", "weight", "level", "speed")


def drafted(name: str, task: str, code: str, params: Sequence[JsonValue], cases: Sequence[tuple[str, str]]) -> Draft:
    """A draft of one class; `cases` are pairs of set-up statements and a call."""
    tests = tuple(Case(question, setup) for setup, question in cases)
    return Draft(name, f"Write a Python class `{name}` {task}.", code, tuple(params), tests)


@classes("easy")
def counter(rng: Random) -> Draft:
    name = rng.choice(("Counter", "Meter", "Tally", "Clicker"))
    method, start, step = rng.choice(("tick", "press", "step", "hit")), rng.randint(0, 20), rng.randint(1, 12)
    verb, sign = rng.choice((("adds", "+"), ("subtracts", "-")))
    side = "to" if sign == "+" else "from"
    return drafted(
        name,
        f"with an attribute `value` that starts at {start} and a method `{method}()` that {verb} {step} {side} it",
        f"class {name}:\n    def __init__(self):\n        self.value = {start}\n\n"
        f"    def {method}(self):\n        self.value {sign}= {step}",
        (start, step, sign),
        [(f"c = {name}()" + f"\nc.{method}()" * n, "c.value") for n in (0, 1, 2, 3, 7)]
        + [(f"c, d = {name}(), {name}()\nd.{method}()", "(c.value, d.value)")],
    )


@classes("medium")
def account(rng: Random) -> Draft:
    name, fee, limit = rng.choice(("Account", "Wallet", "Purse", "Card")), rng.randint(1, 9), rng.randint(0, 40)
    method = rng.choice(("withdraw", "pay", "spend", "take"))
    code = (
        f"class {name}:\n    def __init__(self, balance):\n        self.balance = balance\n\n"
        f"    def {method}(self, amount):\n        if self.balance - amount - {fee} >= {limit}:\n"
        f"            self.balance -= amount + {fee}"
    )
    amounts = ((10,), (), (100 - limit - fee,), (101 - limit - fee,), (0,), (30, 30), (1000, 5))
    return drafted(
        name,
        f"created with a `balance`; its method `{method}(amount)` subtracts amount plus a fee of {fee} from the "
        f"balance, but only if at least {limit} would be left",
        code,
        (fee, limit),
        [(f"a = {name}(100)" + "".join(f"\na.{method}({n})" for n in values), "a.balance") for values in amounts],
    )


@classes("medium")
def bounded_list(rng: Random) -> Draft:
    name, method, size = rng.choice(("Stack", "Basket", "Shelf", "Box")), rng.choice(VERBS), rng.randint(2, 8)
    field = rng.choice(("items", "values", "data", "things", "parts"))
    code = (
        f"class {name}:\n    def __init__(self):\n        self.{field} = []\n\n    def {method}(self, item):\n"
        f"        if len(self.{field}) < {size}:\n            self.{field}.append(item)"
    )
    return drafted(
        name,
        f"with a list `{field}` that starts empty and a method `{method}(item)` that appends item "
        f"unless the list already has {size} items",
        code,
        (size, field, method),
        [
            (f"b = {name}()\nfor i in {values}:\n    b.{method}(i)", f"b.{field}")
            for values in (
                "[1, 2]",
                "[]",
                "[None]",
                f"range({size})",
                f"range({size + 1})",
                f"'ab' * {size}",
                "[0, 0]",
                "range(50)",
            )
        ],
    )


@classes("easy")
def converter(rng: Random) -> Draft:
    name, target = (
        rng.choice(("Length", "Unit", "Measure", "Amount")),
        rng.choice(("scaled", "converted", "other", "total")),
    )
    field, factor, offset = rng.choice(("value", "size", "number", "base")), rng.randint(2, 20), rng.randint(1, 40)
    return drafted(
        name,
        f"created with a `{field}` and with a method `{target}()` that returns {field} times {factor} plus {offset}",
        f"class {name}:\n    def __init__(self, {field}):\n        self.{field} = {field}\n\n"
        f"    def {target}(self):\n        return self.{field} * {factor} + {offset}",
        (factor, offset),
        [(f"u = {name}({n})", f"u.{target}()") for n in (3, 0, 1, -2, 1000)]
        + [(f"u = {name}(4)", f"u.{field}"), (f"u = {name}(1)\nu.{field} = 9", f"u.{target}()")],
    )


@classes("medium")
def filtered_bag(rng: Random) -> Draft:
    name, method, (words, sign), limit = (
        rng.choice(("Bag", "Group", "Pool", "Pile")),
        rng.choice(VERBS),
        compare(rng),
        rng.randint(-5, 40),
    )
    code = (
        f"class {name}:\n    def __init__(self):\n        self.items = []\n\n    def {method}(self, n):\n"
        f"        if n {sign} {limit}:\n            self.items.append(n)\n\n"
        "    def __len__(self):\n        return len(self.items)"
    )
    inputs = ((limit - 1, limit, limit + 1), (), (limit,), (limit + 5, limit + 5), (limit - 5, limit - 6), (0, -50, 50))
    return drafted(
        name,
        f"with a list `items`, a method `{method}(n)` that stores n in it only if n is {words} {limit}, "
        f"and `len()` giving the number of stored items",
        code,
        (sign, limit),
        [
            (f"b = {name}()" + "".join(f"\nb.{method}({n})" for n in values), question)
            for values, question in zip(
                inputs, ("b.items", "len(b)", "len(b)", "b.items", "len(b)", "b.items"), strict=True
            )
        ],
    )


@classes("easy")
def text_form(rng: Random) -> Draft:
    name = rng.choice(("Point", "Pair", "Spot", "Cell"))
    a, b = rng.sample(FIELDS, 2)
    between = rng.choice((", ", " / ", " x ", "-", ": ", "|"))
    before, after = rng.choice((("(", ")"), ("[", "]"), ("<", ">"), ("*", "*"), ("#", "#")))
    shown = f"{before}{{self.{a}}}{between}{{self.{b}}}{after}"
    example = f"{before}1{between}2{after}"
    return drafted(
        name,
        f"created with `{a}` and `{b}`, whose `str()` looks like {example!r} for {name}(1, 2)",
        f"class {name}:\n    def __init__(self, {a}, {b}):\n        self.{a} = {a}\n        self.{b} = {b}\n\n"
        f"    def __str__(self):\n        return f'{shown}'",
        (a, b, between, before),
        [(f"p = {name}({values})", "str(p)") for values in ("3, 4", "0, 0", "-1, 5", "'a', 'b'", "1.5, None", "'', ''")]
        + [(f"p = {name}(7, 8)", f"(p.{a}, p.{b})")],
    )


@classes("hard")
def subclass(rng: Random) -> Draft:
    base, child = (
        rng.choice(("Animal", "Shape", "Robot", "Person", "Device")),
        rng.choice(("Dog", "Cat", "Special", "Star")),
    )
    method = rng.choice(("speak", "sound", "describe", "greet"))
    first, second = rng.sample(("hello", "beep", "woof", "meow", "ready", "zzz", "hi there", "yes", "stop", "moo"), 2)
    code = (
        f"class {base}:\n    def __init__(self, name):\n        self.name = name\n\n"
        f"    def {method}(self):\n        return self.name + ': {first}'\n\n\n"
        f"class {child}({base}):\n    def {method}(self):\n        return self.name + ': {second}'"
    )
    task = (
        f"Write a Python class `{base}` created with a `name` and with a method `{method}()` that returns "
        f"the name plus ': {first}', and a subclass `{child}` whose `{method}()` returns the name plus ': {second}'."
    )
    calls = (
        f"{child}('Al').{method}()",
        f"{base}('').{method}()",
        f"{base}('Bo').{method}()",
        f"{child}('').{method}()",
        f"issubclass({child}, {base})",
        f"{child}('Zoë').name",
        f"[x.{method}() for x in ({base}('a b'), {child}('c'))]",
    )
    return Draft(child, task, code, (base, child, method, first, second), tuple(Case(text) for text in calls))


@classes("medium")
def history(rng: Random) -> Draft:
    name, method = rng.choice(("History", "Recent", "Window", "Memory")), rng.choice(VERBS)
    size, (kind, code) = (
        rng.randint(2, 10),
        rng.choice((("sum", "sum({})"), ("largest", "max({})"), ("smallest", "min({})"))),
    )
    result = rng.choice(("result", "current", "summary", "answer"))
    body = code.format(f"self.values[-{size}:]")
    inputs = ([4], [1, 2], list(range(size)), list(range(size + 1)), list(range(20, -20, -1)), [-3, 0, -3], [7] * 12)
    return drafted(
        name,
        f"with a list `values` that starts empty, a method `{method}(n)` that appends n to it, and a method "
        f"`{result}()` that returns the {kind} of the last {size} values",
        f"class {name}:\n    def __init__(self):\n        self.values = []\n\n    def {method}(self, n):\n"
        f"        self.values.append(n)\n\n    def {result}(self):\n        return {body}",
        (size, kind, result),
        [(f"h = {name}()\nfor n in {values}:\n    h.{method}(n)", f"h.{result}()") for values in inputs],
    )


@classes("hard")
def ordered(rng: Random) -> Draft:
    name = rng.choice(("Player", "Task", "Item", "Card", "Book"))
    text, number = rng.choice(("name", "title", "label", "code")), rng.choice(FIELDS[2:])
    words, sign = rng.choice((("smaller", "<"), ("larger", ">")))
    return drafted(
        name,
        f"created with `{text}` and `{number}`, so that sorted() puts objects with a {words} {number} first "
        "(define `__lt__`)",
        f"class {name}:\n    def __init__(self, {text}, {number}):\n        self.{text} = {text}\n"
        f"        self.{number} = {number}\n\n    def __lt__(self, other):\n"
        f"        return self.{number} {sign} other.{number}",
        (text, number, sign),
        [
            (f"items = [{', '.join(f'{name}({c!r}, {n})' for c, n in values)}]", f"[i.{text} for i in sorted(items)]")
            for values in (
                [("a", 2), ("b", 1)],
                [],
                [("a", 0)],
                [("a", 1), ("b", 1)],
                [("a", -1), ("b", 5), ("c", 0), ("d", -7)],
                [("é", 3), ("z", 9), ("y", 6)],
            )
        ]
        + [(f"p, q = {name}('p', 1), {name}('q', 2)", "(p < q, q < p)")],
    )


@classes("medium", ood=True)
def gauge(rng: Random) -> Draft:
    name, method = rng.choice(("Gauge", "Dial", "Slider")), rng.choice(("change", "move", "turn"))
    start, top = rng.randint(0, 15), rng.randint(20, 60)
    code = (
        f"class {name}:\n    def __init__(self):\n        self.value = {start}\n\n    def {method}(self, n):\n"
        f"        self.value = min(self.value + n, {top})"
    )
    inputs = ((), (1,), (top,), (top - start,), (top - start + 1,), (-5, 3), (100, -1), (2, 2, 2))
    return drafted(
        name,
        f"with an attribute `value` that starts at {start} and a method `{method}(n)` that adds n to it, "
        f"but never lets it go above {top}",
        code,
        (start, top),
        [(f"g = {name}()" + "".join(f"\ng.{method}({n})" for n in values), "g.value") for values in inputs],
    )


@classes("easy", ood=True)
def lookup_table(rng: Random) -> Draft:
    name, default = (
        rng.choice(("Table", "Registry", "Phonebook")),
        rng.choice((0, -1, "none", "unknown", None, "?", 100, "")),
    )
    method, getter = rng.choice(VERBS), rng.choice(("get", "find", "lookup", "read"))
    return drafted(
        name,
        f"with a method `{method}(key, value)` that stores a value in a dict and a method `{getter}(key)` that returns "
        f"the stored value or {default!r} if there is none",
        f"class {name}:\n    def __init__(self):\n        self.data = {{}}\n\n    def {method}(self, key, value):\n"
        f"        self.data[key] = value\n\n    def {getter}(self, key):\n"
        f"        return self.data.get(key, {default!r})",
        (default, method, getter),
        [
            (f"t = {name}()\nt.{method}('a', 1)\nt.{method}('b', 2)", f"t.{getter}({key!r})")
            for key in ("a", "b", "c", "", "A")
        ]
        + [
            (f"t = {name}()", f"t.{getter}('a')"),
            (f"t = {name}()\nt.{method}('a', 1)\nt.{method}('a', 5)", f"t.{getter}('a')"),
        ],
    )


@classes("medium", ood=True)
def formula(rng: Random) -> Draft:
    name = rng.choice(("Order", "Invoice", "Ticket", "Parcel"))
    a, b = rng.sample(FIELDS[2:], 2)
    method, extra = rng.choice(("total", "cost", "result", "sum_up")), rng.randint(1, 30)
    return drafted(
        name,
        f"created with `{a}` and `{b}` and with a method `{method}()` that returns {a} times {b} plus {extra}",
        f"class {name}:\n    def __init__(self, {a}, {b}):\n        self.{a} = {a}\n        self.{b} = {b}\n\n"
        f"    def {method}(self):\n        return self.{a} * self.{b} + {extra}",
        (a, b, extra),
        [(f"o = {name}({values})", f"o.{method}()") for values in ("2, 3", "0, 0", "1, 1", "-4, 5", "10, 100")]
        + [(f"o = {name}(6, 7)", f"(o.{a}, o.{b})")],
    )


FAMILIES = gather(globals())
