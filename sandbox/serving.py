"""The candidate's half of a trusted process's questions: calls, and looks at objects that cannot leave.

Standard library only; copied into the image. From the moment the candidate's code runs nothing here can be trusted:
an answer is a claim. That is why no comparison is made here and no expected value arrives: a question is a call, a
look at an attribute or an item, one step of a loop.

A question is the text of (what, arguments, named arguments). Answers: `V` (value, changed arguments or None), `E` the
loop is over, `X` an exception, `S` SystemExit, `U` no usable value, `T` too large a one. An object that is no data
stays here under a number, which stands for it in both directions.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import raised
import standard_types
import values

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_OBJECTS = 100_000
_END = object()
_OVER = (b"E", "")


class Served:
    """One candidate's namespace and those of its objects that were asked for. Number 0 is the entry point."""

    def __init__(self, space: dict[str, Any], entry: str, room: int) -> None:
        self.space = space
        self.objects = [space[entry]]
        self.numbers = {id(space[entry]): 0}
        self.room = min(room - 64, values.MAX_CHARS)

    def answer(self, request: str) -> tuple[bytes, str]:
        """Kind and text of the answer."""
        what, arguments, named = values.decode(request, self._built)
        if what == "name":
            found = self.space.get(arguments[0], _END)
            return b"V", "t2:NN" if found is _END else f"t2:{self._kept(found)}N"
        try:
            value = _DOES[what](*arguments, **named)
        except BaseException as error:
            return (b"S" if isinstance(error, SystemExit) else b"X"), raised.describe(error)
        if value is _END:
            return _OVER
        try:  # arguments that it changed in place go back with the value
            changed = None if self._text((what, arguments, named)) == request else (arguments[1:], named)
            return b"V", self._text((value, changed))
        except values.ValueTooLarge as error:
            return b"T", str(error)
        except BaseException as error:
            return b"U", raised.describe(error).partition("\n")[2]

    def _text(self, value: Any) -> str:
        return values.encode(value, self.room, other=self._other, ordered=True)

    def _other(self, encoder: values.Encoder, value: Any, depth: int) -> str | None:
        """A standard type's text; the number of an object that is no plain data."""
        text = standard_types.text_of(encoder, value, depth)
        if text is None and not _is_plain(value):
            return self._kept(value)
        return text

    def _kept(self, value: Any) -> str:
        number = self.numbers.setdefault(id(value), len(self.objects))
        if number == len(self.objects):
            if number >= MOST_OBJECTS:
                raise values.ValueTooLarge("too many objects")
            self.objects.append(value)  # which keeps its id
        return f"H{number:x},T;"

    def _built(self, node: values.Node, parts: list[Any]) -> Any:
        return self.objects[node.value[0]] if node.tag == "H" else standard_types.build(node, parts)


def _is_plain(value: Any) -> bool:
    """Whether it may go as a value: no instance of a class that gives it methods or attributes of its own."""
    try:
        values.plain_type(value)
    except values.ValueProblem:
        return False
    own = [name for kind in type(value).__mro__ if kind not in _BASES for name in vars(kind)]
    return not any(name not in _OF_EVERY_CLASS for name in own)


_BASES = {object, int, float, str, tuple, list, dict, set, frozenset, bytes}
_OF_EVERY_CLASS = {"__module__", "__doc__", "__dict__", "__weakref__", "__slots__", "__qualname__"}


def _plain(value: Any) -> Any:
    """An instance of a class derived from a built-in type, as that type; none of its own methods is asked."""
    if (member := standard_types.number_or_text(value)) is not None:
        return member
    base: Any = values.plain_type(value)
    if base in (list, tuple, set, frozenset):
        return base(base.__iter__(value))
    if base is dict:
        return dict(dict.items(value))
    if base is str:
        return str.__str__(value)
    return base.__add__(value, base()) if base in (int, float, bytes) else value


def _next(iterator: Any) -> Any:
    return _take(iterator, _END)


def _iterates(value: Any) -> bool:
    """Whether `in` would only walk it."""
    kind = type(value)
    return not any("__contains__" in vars(one) for one in kind.__mro__)


_take = next
_DOES: dict[str, Callable[..., Any]] = {
    "call": lambda function, /, *arguments, **named: function(*arguments, **named),
    "get": getattr,
    "set": setattr,
    "delete": delattr,
    "item": operator.getitem,
    "store": operator.setitem,
    "drop": operator.delitem,
    "length": len,
    "iterate": iter,
    "next": _next,
    "truth": operator.truth,
    "text": str,
    "shown": repr,
    "enter": lambda value: type(value).__enter__(value),
    "leave": lambda value: type(value).__exit__(value, None, None, None),
    "plain": _plain,
    "iterates": _iterates,
    "callable": callable,
}
