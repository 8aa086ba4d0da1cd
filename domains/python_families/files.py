"""Reading and writing text files. Every test starts in an empty folder."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from functools import partial
from random import Random

from pydantic import JsonValue

from domains.families import gather
from domains.python_families.base import Case, Draft, call, compare, family
from domains.python_families.containers import NUMBER_FIELDS, TEXT_FIELDS

files = partial(family, "files")

MARKS = ("error", "todo", "warn", "done", "ok", "new", "fail", "note", "skip", "test")
PREFIXES = ("#", "//", ">", "-", "*", "%", "@", ";", "::", "--", "!", "=>")
SEPARATORS = (",", ";", ":", "|", "\t", "=", "/", "-", "#", "~")
NAMES = ("data.txt", "in.txt", "log.txt", "list.txt")


def store(path: str, content: str) -> str:
    """Statements that write a text file."""
    return f"with open({path!r}, 'w', encoding='utf-8') as file:\n    file.write({content!r})"


def reader(
    rng: Random, names: Sequence[str], does: str, body: str, params: Sequence[JsonValue], contents: Sequence[str]
) -> Draft:
    """A function that reads the file at `path`; one test per content."""
    name, path = rng.choice(names), rng.choice(NAMES)
    before = "import csv\n\n" if "csv." in body else "import json\n\n" if "json." in body else ""
    cases = tuple(call(name, path, setup=store(path, content)) for content in contents)
    task = f"Write a Python function `{name}(path)` that {does}."
    return Draft(name, task, f"{before}def {name}(path):\n{textwrap.indent(body, '    ')}", tuple(params), cases)


def writer(
    rng: Random,
    names: Sequence[str],
    args: str,
    does: str,
    body: str,
    params: Sequence[JsonValue],
    cases: Sequence[str],
) -> Draft:
    """A function that writes the file at `path`; `cases` are the other arguments, as source."""
    name, path = rng.choice(names), rng.choice(NAMES)
    tests = tuple(
        Case(f"open({path!r}, encoding='utf-8').read()", f"{store(path, 'old')}\n{name}({path!r}, {values})")
        for values in cases
    )
    task = f"Write a Python function `{name}(path, {args})` that {does}."
    return Draft(name, task, f"def {name}(path, {args}):\n{textwrap.indent(body, '    ')}", tuple(params), tests)


@files("easy")
def count_lines_with(rng: Random) -> Draft:
    mark, (kind, test) = (
        rng.choice(MARKS + PREFIXES),
        rng.choice(
            (
                ("contain", "{!r} in line"),
                ("start with", "line.startswith({!r})"),
                ("do not contain", "{!r} not in line"),
            )
        ),
    )
    return reader(
        rng,
        ("count_lines", "line_count", "matching_lines"),
        f"returns how many lines of the file at path {kind} {mark!r}",
        f"with open(path) as file:\n    return sum(1 for line in file if {test.format(mark)})",
        (mark, kind),
        (
            f"{mark} a\nb\nc {mark}\n",
            "",
            mark,
            "none\nhere\n",
            f"{mark}{mark}\n\n{mark}",
            f"{mark.upper()}\nx{mark}x\n",
            f"\n\n{mark}",
        ),
    )


@files("medium")
def read_column(rng: Random) -> Draft:
    separator, column = rng.choice(SEPARATORS), rng.randint(0, 4)
    words, method = rng.choice((("", ""), (" in upper case", ".upper()"), (" as integers", "int")))
    item = f"line.strip().split({separator!r})[{column}]"
    item = f"int({item})" if method == "int" else item + method
    cells = [str(i * 7 % 50) if method == "int" else "BcdXyf"[i % 6] * (1 + i % 3) for i in range(30)]

    def table(count: int, width: int = 5) -> str:
        return "".join(separator.join(cells[i : i + width]) + "\n" for i in range(count))

    return reader(
        rng,
        ("read_column", "get_column", "column", "load_column"),
        f"splits each line of the file at path at {separator!r} and returns a list of the parts "
        f"with index {column}{words}",
        f"with open(path) as file:\n    return [{item} for line in file]",
        (separator, column, words),
        (table(3), "", table(1), table(9), table(4, 7), table(2).rstrip("\n"), table(20)),
    )


@files("easy")
def sum_file(rng: Random) -> Draft:
    (words, sign), limit = compare(rng), rng.randint(-10, 60)
    return reader(
        rng,
        ("sum_file", "file_total", "add_lines", "total"),
        f"reads one integer per line from the file at path and returns the sum of those that are {words} {limit}",
        f"with open(path) as file:\n    return sum(int(line) for line in file if int(line) {sign} {limit})",
        (sign, limit),
        (
            f"{limit + 1}\n{limit - 1}\n{limit}\n",
            "",
            f"{limit}",
            f"{limit}\n{limit}\n",
            "-100\n-5\n",
            "7\n80\n900\n",
            " 12 \n64\n0\n",
        ),
    )


@files("medium")
def clean_lines(rng: Random) -> Draft:
    prefix, (words, method) = (
        rng.choice(PREFIXES),
        rng.choice((("", ""), (", in upper case", ".upper()"), (", in lower case", ".lower()"))),
    )
    kind, negation = rng.choice((("start", ""), ("do not start", "not ")))
    return reader(
        rng,
        ("read_lines", "load_lines", "get_lines", "clean_lines"),
        f"returns a list of the lines of the file at path that {kind} with {prefix!r}, "
        f"without surrounding spaces{words}",
        f"with open(path) as file:\n"
        f"    return [line.strip(){method} for line in file if {negation}line.startswith({prefix!r})]",
        (prefix, words, kind),
        (
            f"{prefix} One\ntwo\n{prefix}Three\n",
            "",
            prefix,
            "Plain\nlines  \n",
            f"q {prefix} x\n\n{prefix}{prefix} Y \n",
            f"{prefix}\nA\n{prefix}\n",
            f"Q {prefix}\n",
        ),
    )


@files("easy")
def write_items(rng: Random) -> Draft:
    before, after = rng.choice((*PREFIXES, "item ", "id=")), rng.choice(("", ";", ".", " end", "!", ",", "?", " ok"))
    return writer(
        rng,
        ("write_items", "save_list", "write_lines", "save"),
        "items",
        f"writes each item to the file at path on its own line, with {before!r} before it and {after!r} after it",
        f"with open(path, 'w') as file:\n    for item in items:\n        file.write(f'{before}{{item}}{after}\\n')",
        (before, after),
        ("['a', 'b']", "[]", "['']", "[1, 2, 3]", "['x', 'x']", "['two words', 'z']", "('t',)"),
    )


@files("easy")
def append_entry(rng: Random) -> Draft:
    before, after = rng.choice((*PREFIXES, "item ", "id=")), rng.choice((";", ".", " end", "!", ",", "?", " ok", "|"))
    words, method = rng.choice((("", ""), (" in upper case", ".upper()"), (" in lower case", ".lower()")))
    return writer(
        rng,
        ("append_entry", "add_line", "log_text", "append"),
        "text",
        f"appends to the file at path one line with {before!r}, then text{words}, then {after!r}",
        f"with open(path, 'a') as file:\n    file.write({before!r} + text{method} + '{after}\\n')",
        (before, after, words),
        ("'Hi'", "''", "'a'", "'Two Words'", f"{before!r}", "'123'", "'MiXed'"),
    )


@files("hard")
def read_settings(rng: Random) -> Draft:
    separator, convert = rng.choice(SEPARATORS), rng.choice(("int", "str"))
    skip = rng.choice(PREFIXES)
    skip = "!" if separator in skip else skip
    value = "int(value)" if convert == "int" else "value"
    body = (
        "result = {}\nwith open(path) as file:\n    for line in file:\n"
        f"        if not line.startswith({skip!r}):\n"
        f"            key, value = line.strip().split({separator!r})\n            result[key] = {value}\nreturn result"
    )

    def pairs(*items: str) -> str:
        return "".join(item.replace(" ", separator) + "\n" for item in items)

    return reader(
        rng,
        ("read_settings", "load_pairs", "parse_file", "read_dict"),
        f"reads lines like 'key{separator}5' from the file at path and returns a dict of keys and values "
        f"({'integers' if convert == 'int' else 'strings'}); lines that start with {skip!r} are skipped",
        body,
        (separator, convert, skip),
        (
            pairs("a 1", f"{skip}c", "b 2"),
            "",
            pairs("k 0"),
            pairs("x 1", "x 3"),
            pairs(f"{skip}a 1"),
            pairs("n 5", "m 66", "o 777"),
            pairs("z 10").strip(),
        ),
    )


@files("medium")
def read_json_field(rng: Random) -> Draft:
    text, number, (words, sign), limit = (
        rng.choice(TEXT_FIELDS),
        rng.choice(NUMBER_FIELDS),
        compare(rng),
        rng.randint(5, 60),
    )

    def rows(*values: int) -> str:
        items = (f'{{"{text}": "{"abc"[i % 3] * (i + 1)}", "{number}": {value}}}' for i, value in enumerate(values))
        return f"[{', '.join(items)}]"

    return reader(
        rng,
        ("load_names", "read_json", "select_json", "json_values"),
        f"loads a JSON list of objects from the file at path and returns a list with the {text!r} of those "
        f"whose {number!r} is {words} {limit}",
        f"with open(path) as file:\n    rows = json.load(file)\n"
        f"return [row[{text!r}] for row in rows if row[{number!r}] {sign} {limit}]",
        (text, number, sign, limit),
        (
            rows(limit + 1, limit - 1),
            "[]",
            rows(limit),
            rows(limit, limit, 0),
            rows(-5, 500),
            rows(limit - 1, limit, limit + 1, limit + 2),
            rows(0, 0),
        ),
    )


@files("easy")
def take_lines(rng: Random) -> Draft:
    count, (words, cut) = (
        rng.randint(1, 9),
        rng.choice(
            (
                ("the first {} lines", "[:{}]"),
                ("the last {} lines", "[-{}:]"),
                ("all lines after the first {}", "[{}:]"),
            )
        ),
    )
    case, method = rng.choice((("", ""), (", in upper case", ".upper()"), (", in lower case", ".lower()")))
    lines = [f"Line {i}" for i in range(30)]
    return reader(
        rng,
        ("take_lines", "some_lines", "head", "slice_file"),
        f"returns a list of {words.format(count)} of the file at path, without newlines{case}",
        f"with open(path) as file:\n    return file.read(){method}.splitlines(){cut.format(count)}",
        (count, words, case),
        tuple("\n".join(lines[:n]) for n in (5, 0, 1, count, count + 1, 12, 30)),
    )


@files("easy", ood=True)
def count_long_lines(rng: Random) -> Draft:
    (words, sign), limit = compare(rng), rng.randint(2, 20)
    around = "\n".join("x" * n for n in (limit, limit - 1, limit + 1))
    return reader(
        rng,
        ("long_lines", "count_lines", "lines_of_length"),
        f"returns how many lines of the file at path have a length that is {words} {limit}, without surrounding spaces",
        f"with open(path) as file:\n    return sum(1 for line in file if len(line.strip()) {sign} {limit})",
        (sign, limit),
        (around, "", "a\n", around + "\n" + around, "\n\n\n", " " * 30 + "b" + "\n", "y" * limit + " \n"),
    )


@files("medium", ood=True)
def replace_in_file(rng: Random) -> Draft:
    old, new = rng.sample(SEPARATORS + MARKS, 2)
    return reader(
        rng,
        ("read_replaced", "load_text", "read_clean"),
        f"returns the text of the file at path with every {old!r} replaced by {new!r}",
        f"with open(path) as file:\n    return file.read().replace({old!r}, {new!r})",
        (old, new),
        (f"a{old}b\nc{old}", "", old, "plain\n", f"{old}{old}\n\n{old}", f"{new}{old}{new}", f" {old} \n x{old}x\n"),
    )


@files("medium", ood=True)
def write_pairs(rng: Random) -> Draft:
    separator, after = (
        rng.choice((" = ", ": ", " - ", ",", ";", " -> ", "|", "/")),
        rng.choice(("", ";", ".", "!", ",")),
    )
    return writer(
        rng,
        ("write_pairs", "save_dict", "write_dict"),
        "data",
        f"writes each entry of the dict data to the file at path on its own line as the key, {separator!r}, the value"
        + (f" and {after!r}" if after else ""),
        "with open(path, 'w') as file:\n    for key, value in data.items():\n"
        f"        file.write(f'{{key}}{separator}{{value}}{after}\\n')",
        (separator, after),
        ("{'a': 1, 'b': 2}", "{}", "{'': 0}", "{'x': 'y'}", "{1: 2, 3: 4, 5: 6}", "{'two words': -1}", "{'k': None}"),
    )


FAMILIES = gather(globals())
