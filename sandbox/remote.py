"""The trusted process's half: the candidate's functions and objects, as stand-ins that ask by messages.

Standard library only; copied into the image. Nothing of the candidate runs here. A stand-in knows a number, by which
the candidate's process knows the object. To call it, to look at one of its attributes and to walk it are questions; to
compare it, hash it, add to it or take it for a number is refused unless the candidate can say which plain value it is.

`Refused` carries the word of a test that could not be judged (`N`), or that the candidate spoilt (`U`, `T`, `G`): an
object that the test has no use for is the candidate's own fault, one that the test works with is nobody's.
"""

from __future__ import annotations

import builtins
import enum
import operator
from typing import TYPE_CHECKING, Any

import child
import raised
import standard_types
import values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MOST_HEARD = 64 << 20  # characters of all answers together
RESULT, REPLY, ASK = 3, 4, 5
_own = object.__getattribute__


class Refused(BaseException):
    """No usable value, or a test beyond this process. Not an Exception: a test's own handlers must not catch it."""

    def __init__(self, kind: bytes, text: str) -> None:
        super().__init__(text)
        self.kind, self.text = kind, text


def _ending(name: str, base: type[BaseException]) -> type[BaseException]:
    return type(name, (base,), {"__doc__": "The candidate's own, which no loop and no interpreter takes for an end."})


# What a loop, a generator or the interpreter would take for an end, if it were raised here as itself.
ENDINGS = {
    "StopIteration": _ending("StopIteration", Exception),
    "StopAsyncIteration": _ending("StopAsyncIteration", Exception),
    "GeneratorExit": _ending("GeneratorExit", BaseException),
    "KeyboardInterrupt": _ending("KeyboardInterrupt", BaseException),
    "SystemExit": _ending("SystemExit", BaseException),
}


class Line:
    """The conversation with the candidate. `refused` keeps the first refusal, whatever a test does with it."""

    def __init__(self, looked_at: frozenset[str]) -> None:
        self.asked = 0
        self.heard = 0
        self.objects = 0  # of the candidate's, that cannot leave it
        self.intended = False  # whether the tests work with one of them
        self.looked_at = looked_at  # names in ENDINGS that the tests use beyond `except`
        self.refused: Refused | None = None

    def refuse(self, kind: bytes, text: str) -> Refused:
        """The refusal, kept."""
        self.refused = self.refused or Refused(kind, text)
        return self.refused

    def named(self, name: str, intended: bool) -> Remote:
        """What the candidate's namespace has under that name; a stand-in for nothing if it has none."""
        self.refused = None
        kind, text = self._exchange(values.encode(("name", (name,), {})))
        if kind != b"V":
            raise self.refuse(b"U", text)
        found = self._value(text, (), {}, intended)
        self.objects = 0
        return Remote(self, None if found is None else _own(found, "_number"), intended, name)

    def identical(self, one: Any, other: Any) -> bool:
        """`is`. Whether two values were one object in the candidate's process is not known here."""
        if any(side is known for side in (one, other) for known in (None, True, False, Ellipsis, NotImplemented)):
            return one is other
        if all(type(side) is not Remote and isinstance(side, type | enum.Enum) for side in (one, other)):
            return one is other
        raise self.refuse(b"N", "'is' of values that may have been copied")

    def identity(self, value: Any) -> int:
        """`id(value)`."""
        raise self.refuse(b"N", "the identity of a value that may have been copied")

    def ask(self, what: str, arguments: tuple[Any, ...], named: dict[str, Any], intended: bool) -> Any:
        """One question. Arguments that the candidate changed in place are changed here too."""
        if self.refused is not None:
            raise self.refused
        try:
            request = values.encode((what, arguments, named), other=_sent, ordered=True)
        except values.ValueProblem as problem:
            raise self.refuse(b"N", f"the test passes what is no plain data: {problem}") from None
        kind, text = self._exchange(request)
        if kind == b"E" and what == "next":
            raise StopIteration
        if kind in (b"X", b"S"):
            raise self._as_raised(kind, text)
        if kind != b"V":
            raise self.refuse(kind if kind == b"T" else b"U", text)
        return self._value(text, arguments[1:], named, intended)

    def _exchange(self, request: str) -> tuple[bytes, str]:
        self.asked += 1
        try:
            child.say(ASK, b"C", request)
            record = child.read_record(REPLY)
        except OSError:
            record = None
        except ValueError as error:
            raise self.refuse(b"T", str(error)) from None
        if record is None:
            raise self.refuse(b"G", "the candidate has gone")
        self.heard += len(record[1])
        if self.heard > MOST_HEARD:
            raise self.refuse(b"T", "too much was answered")
        return record

    def _value(self, text: str, arguments: tuple[Any, ...], named: dict[str, Any], intended: bool) -> Any:
        def built(node: values.Node, parts: list[Any]) -> Any:
            if node.tag != "H":
                return standard_types.build(node, parts)
            self.objects += 1
            self.intended = self.intended or intended
            return Remote(self, node.value[0], intended)

        try:
            value, changed = values.decode(text, built)
            if changed is not None:
                _change([*arguments, *named.values()], [*changed[0], *changed[1].values()])
        except Exception as error:  # whatever a forged text makes a standard type raise
            raise self.refuse(b"U", str(error)) from None
        return value

    def _as_raised(self, kind: bytes, text: str) -> BaseException:
        """An exception of the built-in classes that the candidate's derives from, so that a test may expect it."""
        found = raised.kinds(text)
        message = text.partition("\n")[2]
        ending = next((one.__name__ for one in found if one.__name__ in ENDINGS), None)
        if ending in self.looked_at:
            return self.refuse(b"N", f"the test looks at {ending}")
        error: Any = ENDINGS[ending](message) if ending else _made(tuple(found), message)
        error.raised_by_candidate = (kind, text)
        kept: BaseException = error
        return kept


def _made(kinds: tuple[type[BaseException], ...], message: str) -> BaseException:
    kinds = tuple(kind for kind in kinds if issubclass(kind, Exception)) or (Exception,)
    try:
        kind = kinds[0] if len(kinds) == 1 else type(kinds[0].__name__, kinds, {})
        return kind(message)
    except TypeError:  # such as UnicodeDecodeError, which needs five arguments
        bare: Any = kinds[0].__new__(kinds[0])
        bare.args = (message,)
        kept: BaseException = bare
        return kept


def _sent(encoder: values.Encoder, value: Any, depth: int) -> str | None:
    if type(value) is not Remote:
        return standard_types.text_of(encoder, value, depth)
    number = _own(value, "_number")
    if number is None:
        raise values.ValueProblem(f"the name {_own(value, '_name')} is not defined")
    return f"H{number:x},T;"


def _change(old: list[Any], new: list[Any]) -> None:
    for before, after in zip(old, new, strict=True):
        if isinstance(before, list | bytearray) and type(after) is type(before):
            before[:] = after
        elif isinstance(before, dict | set) and type(after) is type(before):
            before.clear()
            before.update(after)
        elif isinstance(before, standard_types.collections.deque) and type(after) is type(before):
            before.clear()
            before.extend(after)


class Remote:
    """Stands for an object of the candidate's. `intended` says that the tests work with such objects."""

    __slots__ = ("_intended", "_line", "_name", "_number")

    def __init__(self, line: Line, number: int | None, intended: bool, name: str = "") -> None:
        for field, value in (("_line", line), ("_number", number), ("_intended", intended), ("_name", name)):
            object.__setattr__(self, field, value)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return _ask(self, "call", *arguments, **named)

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__") and name not in _SHOWN:
            raise _refusal(self, f"the attribute {name} of an object")
        return _ask(self, "get", name)

    def __setattr__(self, name: str, value: Any) -> None:
        _ask(self, "set", name, value)

    def __delattr__(self, name: str) -> None:
        _ask(self, "delete", name)

    def __getitem__(self, key: Any) -> Any:
        return _ask(self, "item", key)

    def __setitem__(self, key: Any, value: Any) -> None:
        _ask(self, "store", key, value)

    def __delitem__(self, key: Any) -> None:
        _ask(self, "drop", key)

    def __len__(self) -> int:
        size = _ask(self, "length", always=True)  # list() and the like ask for it, too
        if type(size) is not int or size < 0:
            raise _own(self, "_line").refuse(b"U", "a length that is no number")
        return size

    def __iter__(self) -> Iterator[Any]:
        found = _ask(self, "iterate", always=True)
        if type(found) is not Remote:
            raise _own(self, "_line").refuse(b"U", "an iterator that is none")
        return found

    def __next__(self) -> Any:
        return _ask(self, "next", always=True)

    def __bool__(self) -> bool:
        return _ask(self, "truth", always=True) is True

    def __str__(self) -> str:
        return _text(self, "text")

    def __repr__(self) -> str:
        return _text(self, "shown")

    def __format__(self, form: str) -> str:
        return format(_text(self, "text"), form)

    def __enter__(self) -> Any:
        return _ask(self, "enter")

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if kind is not None and not issubclass(kind, Refused | AssertionError):
            raise _own(self, "_line").refuse(b"N", "an exception inside a context manager of the candidate's")
        if kind is None:
            _ask(self, "leave")

    def __contains__(self, item: Any) -> bool:
        value = _plain(self)
        if value is None and _ask(self, "iterates", always=True) is not True:
            raise _refusal(self, "`in` an object")
        return any(one is item or one == item for one in (self if value is None else value))

    def __instancecheck__(self, instance: Any) -> bool:
        raise _own(self, "_line").refuse(b"N", "isinstance with a class of the candidate's")

    def __subclasscheck__(self, kind: Any) -> bool:
        raise _own(self, "_line").refuse(b"N", "issubclass with a class of the candidate's")

    def __hash__(self) -> int:
        value = _plain(self)
        if value is None:
            raise _refusal(self, "the hash of an object")
        return hash(value)


_SHOWN = frozenset({"__name__", "__qualname__", "__doc__", "__dict__", "__annotations__", "__module__"})


def _ask(remote: Remote, what: str, *arguments: Any, always: bool = False, **named: Any) -> Any:
    line, intended = _own(remote, "_line"), _own(remote, "_intended")
    name = _own(remote, "_name")
    if _own(remote, "_number") is None:
        error: Any = NameError(f"name '{name}' is not defined")
        error.raised_by_candidate = (b"X", f"NameError,Exception,BaseException\nname '{name}' is not defined")
        raise error
    if not (intended or always or name):
        raise _refusal(remote, f"'{what}' of an object")
    return line.ask(what, (remote, *arguments), named, intended)


def _refusal(remote: Remote, what: str) -> Refused:
    """The test's fault where it works with objects of the candidate's, else the candidate's."""
    refused: Refused = _own(remote, "_line").refuse(
        b"N" if _own(remote, "_intended") or _own(remote, "_name") else b"U", f"no plain data: {what}"
    )
    return refused


def _text(remote: Remote, what: str) -> str:
    said = _ask(remote, what)
    if type(said) is not str:
        raise _own(remote, "_line").refuse(b"U", "a text that is none")
    return said


def _plain(remote: Remote) -> Any:
    """The value of an object whose class derives from a built-in type and compares like it; None without one."""
    line = _own(remote, "_line")
    if _own(remote, "_number") is None or _own(remote, "_name"):
        return None
    try:
        value = line.ask("plain", (remote,), {}, _own(remote, "_intended"))
    except Exception as error:
        if getattr(error, "raised_by_candidate", None) is None:
            raise
        return None
    return None if type(value) is Remote else value


def _operation(name: str) -> Callable[..., Any]:
    """What a special method does: the same with plain values, where there are such."""
    act: Callable[..., Any] = _ACTS[name]

    def operate(self: Remote, *others: Any) -> Any:
        value = _plain(self)
        if value is None and name in _COMPARISONS and (type(others[0]) is Remote or not _is_data(others[0])):
            raise _own(self, "_line").refuse(b"N", "two objects are compared, of which one at least is no plain data")
        if value is None:
            raise _refusal(self, name)
        return act(value, *others)

    return operate


def _is_data(value: Any) -> bool:
    try:
        values.encode(value, other=standard_types.text_of)
    except values.ValueProblem:
        return False
    return True


def _reflected(act: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda value, other: act(other, value)


_COMPARISONS = {f"__{name}__": getattr(operator, name) for name in ("eq", "ne", "lt", "le", "gt", "ge")}
_BINARY = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor", "lshift", "rshift")
_ACTS: dict[str, Any] = {
    **_COMPARISONS,
    **{f"__{name}__": getattr(operator, f"__{name}__") for name in (*_BINARY, "neg", "pos", "invert", "abs", "index")},
    **{f"__r{name}__": _reflected(getattr(operator, f"__{name}__")) for name in _BINARY},
    **{f"__i{name}__": getattr(operator, f"__{name}__") for name in _BINARY},
    **{f"__{kind.__name__}__": kind for kind in (int, float, complex, round, reversed, divmod)},
}
for _name in _ACTS:
    setattr(Remote, _name, _operation(_name))


# What the test's own code is given, beside Python's built-in functions (sandbox/instrument.py).


def holds(value: Any) -> bool:
    """The truth of what a test asserts. NotImplemented, which is true, says that nothing was compared."""
    return value is not NotImplemented and bool(value)


def kinds(expected: Any) -> tuple[Any, ...]:
    """The classes of an `except`, with those that stand for the candidate's own endings."""
    found: list[Any] = []
    for kind in expected if type(expected) is tuple else (expected,):
        if type(kind) is tuple:
            found += kinds(kind)
            continue
        if type(kind) is Remote:
            raise _own(kind, "_line").refuse(b"N", "an exception class of the candidate's")
        found.append(kind)
        found += [ENDINGS[name] for name in ENDINGS if kind is getattr(builtins, name)]
    return tuple(found)


def kind_of(value: Any) -> Any:
    """`type(value)`."""
    if type(value) is Remote:
        raise _refusal(value, "the type of an object")
    return type(value)


def can_be_called(value: Any) -> bool:
    """`callable(value)`."""
    if type(value) is Remote:
        return _ask(value, "callable", always=True) is True
    return callable(value)
