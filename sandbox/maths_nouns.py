"""Words behind a number: which of them may be there or not without changing the value.

Forgiven are units of the table, and the name of what is counted: a noun in the plural (`apples`), one
adjective before it (`red apples`), a few nouns of another form (`people`), and words that hold such
a phrase together (`dollars per day`, `cups of flour`, `in total`). Every other word may change the
value (`squared`, `plus five`, `thousandths`, `below zero`, `no`), so with it nothing is shown.
"""

from __future__ import annotations

import re

from sandbox.maths_number_words import in_digits
from sandbox.maths_plain import words

_NOUNS = frozenset(
    words(
        "people children men women person child man woman feet fish sheep deer mice geese teeth money work "
        "homework water flour sugar milk paint space area volume time unit unite year day student apple dollar "
        "point page hour"
    )
)
_JOINING = frozenset(
    words(
        "per a an each every of in for the total all altogether left remaining long wide high tall old away on at"
        " his her their this that day week month year hour minute person apiece piece kid child"
    )
)
# Words that change what the number before them says, although some have the form of a plural noun.
_CHANGING = frozenset(
    words(
        "times plus minus less versus vs is was has as yes ones this thus this's does its us factors powers "
        "squares cubes roots halves thirds quarters fourths fifths sixths sevenths eighths ninths tenths twelfths"
        " hundredths thousandths millionths billionths dozens hundreds thousands millions billions trillions "
        "scores gross lakhs crores percents degrees digits multiples inverses reciprocals negatives logs minuses "
        "pluses exponents mods divides equals squared cubed factorial more fewer under over above below between "
        "than not no nor or and but except without half double triple twice thrice quadruple negative positive "
        "zero nil none kilo mega giga milli micro nano centi deka deca hecto tera extra additional wrong "
        "incorrect false non inverse reciprocal root mod modulo base log power percent third quarter tenth "
        "hundredth thousandth millionth dozen score million billion thousand hundred trillion almost about nearly"
        " least most maybe perhaps possibly actually wait sorry rather instead either neither"
    )
)
# In a sentence these go on with it.
_HARMLESS = frozenset(
    words("is was has as and or but this that thus more additional extra above digits degrees scores yes nor")
)
_WORD = re.compile(r"[a-z]{2,}|a")


def is_noun_phrase(text: str) -> bool:
    """Whether the words name what was counted, and say nothing of how much."""
    words = text.split()
    if not words or len(words) > 8 or not all(_WORD.fullmatch(word) for word in words):
        return False
    if any(word in _CHANGING or in_digits(word) != word for word in words):
        return False
    kinds = [_kind(word) for word in words]
    strange = [place for place, kind in enumerate(kinds) if not kind]
    if any(place + 1 >= len(words) or kinds[place + 1] != "noun" for place in strange):
        return False
    return len(strange) <= 1 and (kinds[0] != "joining" or words[-1] in ("total", "all", "altogether", "left", "each"))


def changes_value(text: str) -> bool:
    """Whether one of the first three words says that the number before them is another one."""
    words = re.findall(r"[a-z']+", text.lower())[:3]
    return any(word in _CHANGING - _HARMLESS for word in words[:1]) or any(
        in_digits(word) != word for word in words[:1]
    )


def _kind(word: str) -> str:
    if word in ("square", "sq", "cubic"):
        return "adjective"
    if word in _NOUNS:
        return "noun"
    if word in _JOINING:
        return "joining"
    return "noun" if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")) else ""
