"""String manipulation."""

from __future__ import annotations

from functools import partial
from random import Random

from domains.families import gather
from domains.python_families.base import Draft, compare, each, family, function

strings = partial(family, "strings")

SEPARATORS = {
    "comma": ",",
    "semicolon": ";",
    "colon": ":",
    "hyphen": "-",
    "slash": "/",
    "pipe": "|",
    "underscore": "_",
    "plus sign": "+",
    "hash sign": "#",
    "tilde": "~",
}
CASES = {"in upper case": ".upper()", "in lower case": ".lower()", "with its case unchanged": ""}
LETTERS = "abcdeghiklmnoprstuvw"
PREFIXES = ("id-", "un", "re", "tmp_", "http", "x:", "no-", "get_", "pre", "dr ", "a/", "##", "v1", "log", "is_")


def _separator(rng: Random) -> tuple[str, str]:
    return rng.choice(sorted(SEPARATORS.items()))


@strings("easy")
def replace_character(rng: Random) -> Draft:
    old, (_, new) = rng.choice(LETTERS), _separator(rng)
    words, method = rng.choice(sorted(CASES.items()))
    return function(
        rng.choice(("replace_letter", "swap_letter", "clean_text", "encode_text")),
        "text",
        f"replaces every {old!r} in text with {new!r} and returns the result {words}",
        f"return text.replace({old!r}, {new!r}){method}",
        (old, new, words),
        each(f"{old}Bc{old}", "", old, f"X{old}{old}y", "No Hit?", f"{new}{old}{new}", f"É{old}ß ümlaut"),
    )


@strings("easy")
def change_separator(rng: Random) -> Draft:
    old, new = rng.sample(sorted(SEPARATORS.values()), 2)
    words, method = rng.choice(sorted(CASES.items()))
    return function(
        rng.choice(("join_parts", "change_separator", "rejoin", "convert_line")),
        "text",
        f"splits text at {old!r}, joins the parts with {new!r} and returns the result {words}",
        f"return {new!r}.join(text.split({old!r})){method}",
        (old, new, words),
        each(
            f"Red{old}green{old}blue", "", old, "Single", f"a{old}{old}b", f"{old}x{old}", f"p{new}Q{old}r", f"é{old}Ü"
        ),
    )


@strings("easy")
def count_letters(rng: Random) -> Draft:
    letters = "".join(sorted(rng.sample(LETTERS, rng.choice((2, 3, 4)))))
    inputs = (letters + "xyz", "", "XYZ", letters[0] * 3, letters.upper() + letters[0], "a b c d e", "ñ é " + letters)
    return function(
        rng.choice(("count_letters", "count_chars", "letter_total", "how_many")),
        "text",
        f"returns how many characters of text are in {letters!r}",
        f"return sum(1 for c in text if c in {letters!r})",
        (letters,),
        each(*inputs),
    )


@strings("medium")
def keep_words_by_length(rng: Random) -> Draft:
    (words, sign), limit, (_, joiner) = compare(rng), rng.randint(2, 8), _separator(rng)
    around = " ".join("abcdefghijk"[:n] for n in (limit, limit - 1, limit + 1))
    return function(
        rng.choice(("keep_words", "filter_words", "select_words", "pick_words")),
        "text",
        f"keeps the words of text whose length is {words} {limit} and joins them with {joiner!r}",
        f"return {joiner!r}.join(w for w in text.split() if len(w) {sign} {limit})",
        (sign, limit, joiner),
        each(
            "the quick brown elephants run", "", "a", around, around + " " + around, "  two   spaces  ", "größe über ß"
        ),
    )


@strings("easy")
def wrap_text(rng: Random) -> Draft:
    before, after = rng.choice(PREFIXES), rng.choice((".txt", "!", " end", ".py", "?", "-ok", "*", "_v2", "/", "; "))
    empty = rng.choice(("", "none", "empty", "n/a", "?"))
    return function(
        rng.choice(("wrap", "decorate", "make_label", "build_name")),
        "text",
        f"returns text with {before!r} before it and {after!r} after it, or {empty!r} if text is empty",
        f"if not text:\n    return {empty!r}\nreturn {before!r} + text + {after!r}",
        (before, after, empty),
        each("data", "", "a", " ", "two words", before, "naïve"),
    )


@strings("easy")
def shorten_text(rng: Random) -> Draft:
    limit, tail = rng.randint(3, 15), rng.choice(("...", "~", "--", "+", " etc", "[cut]", "*", "/", "->"))
    word = "abcdefghijklmnopqrstuvwxyz"
    return function(
        rng.choice(("shorten", "truncate", "cut_text", "limit_text")),
        "text",
        f"returns text if it has at most {limit} characters, otherwise its first {limit} characters "
        f"followed by {tail!r}",
        f"if len(text) > {limit}:\n    return text[:{limit}] + {tail!r}\nreturn text",
        (limit, tail),
        each(word[: limit + 3], "", "a", word[:limit], word[: limit + 1], word[: limit - 1], word, "é" * (limit + 2)),
    )


@strings("medium")
def take_field(rng: Random) -> Draft:
    (name, separator), index = _separator(rng), rng.randint(1, 5)
    default = rng.choice(("", "none", "missing", "-", "unknown", "empty"))
    parts = ["ada", " bob ", "cy", "dan", "eve", "fay"]
    lines = [separator.join(parts[:n]) for n in (6, 1, index + 1, index, 3, 5)]
    return function(
        rng.choice(("get_field", "take_part", "nth_part", "read_field")),
        "text",
        f"splits text at each {name} {separator!r} and returns the part with index {index}, "
        f"or {default!r} if there are too few parts",
        f"parts = text.split({separator!r})\nreturn parts[{index}] if len(parts) > {index} else {default!r}",
        (separator, index, default),
        each(*lines, "", separator * 6, separator.join("uvwxyz"), separator.join("Aé Üz")),
    )


@strings("easy")
def check_code(rng: Random) -> Draft:
    prefix, length = rng.choice(PREFIXES), rng.randint(5, 12)
    side, method = rng.choice((("starts", "startswith"), ("ends", "endswith")))
    good = prefix.ljust(length, "z") if side == "starts" else prefix.rjust(length, "z")
    return function(
        rng.choice(("is_valid", "check_code", "is_code", "matches")),
        "text",
        f"returns True if text {side} with {prefix!r} and has exactly {length} characters, otherwise False",
        f"return text.{method}({prefix!r}) and len(text) == {length}",
        (prefix, length, side),
        each(
            good, "", prefix, good.replace("z", "k"), "q" * length, good + prefix, good.upper(), f"q{good}q", "é" + good
        ),
    )


@strings("medium")
def mask_text(rng: Random) -> Draft:
    shown, sign = rng.randint(1, 6), rng.choice("*#x.-+?_")
    side = rng.choice(("first", "last"))
    body = {
        "first": f"return text[:{shown}] + {sign!r} * (len(text) - {shown})",
        "last": f"return {sign!r} * (len(text) - {shown}) + text[-{shown}:]",
    }[side]
    word = "abcdefghij"
    return function(
        rng.choice(("mask", "hide", "mask_text", "hide_text")),
        "text",
        f"replaces every character of text except the {side} {shown} with {sign!r}",
        body,
        (shown, sign, side),
        each("password", "", "a", word[:shown], word[: shown + 1], word, "pässwörter", "q" * 12),
    )


@strings("medium", ood=True)
def drop_letters(rng: Random) -> Draft:
    letters = "".join(sorted(rng.sample(LETTERS, rng.choice((2, 3, 4)))))
    return function(
        rng.choice(("drop_letters", "remove_letters", "strip_letters")),
        "text",
        f"returns text without the characters that are in {letters!r}",
        f"return ''.join(c for c in text if c not in {letters!r})",
        (letters,),
        each(
            "x" + letters + "yz", "", "XYZ", letters[0] * 3, letters.upper() + letters[0], "a b c d e", "ñ é " + letters
        ),
    )


@strings("easy", ood=True)
def count_words_by_length(rng: Random) -> Draft:
    (words, sign), limit = compare(rng), rng.randint(2, 9)
    around = " ".join("abcdefghijk"[:n] for n in (limit, limit - 1, limit + 1))
    return function(
        rng.choice(("count_words", "word_total", "number_of_words")),
        "text",
        f"returns how many words of text have a length that is {words} {limit}",
        f"return sum(1 for w in text.split() if len(w) {sign} {limit})",
        (sign, limit),
        each(
            "the quick brown elephants run", "", "a", around, around + " " + around, "  two   spaces ", "größe über ß"
        ),
    )


@strings("easy", ood=True)
def swap_prefix(rng: Random) -> Draft:
    old, new = rng.sample(PREFIXES, 2)
    return function(
        rng.choice(("swap_prefix", "replace_start", "new_start")),
        "text",
        f"returns text with the prefix {old!r} replaced by {new!r}, or text unchanged "
        f"if it does not start with {old!r}",
        f"if text.startswith({old!r}):\n    return {new!r} + text[{len(old)}:]\nreturn text",
        (old, new),
        each(f"{old}name", "", old, "name", f"name{old}", f"{old}{old}x", old[:-1], f"{old}é"),
    )


FAMILIES = gather(globals())
