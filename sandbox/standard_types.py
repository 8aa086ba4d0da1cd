"""Exact standard types as canonical text, and back: decimals, fractions, enums, views, dates and the like.

Standard library only; copied into the image. A type counts only if it is the very object that was taken before any
code of a candidate ran, and contents are read through that type's own methods: a subclass, or something that only
claims to be one, is no standard type.

Each is a node of sandbox/values.py: `x` compares as its first part, as Python's `==` does (Decimal("0.5") == 0.5,
an IntEnum as its number, d.keys() as a set, a bytearray as bytes, a named tuple as a tuple), `X` equals its own kind
only (deque, range, plain enums, dates). The other parts say what else is needed to build the value again.
"""

from __future__ import annotations

import collections
import enum
import math
from typing import TYPE_CHECKING, Any

import values

if TYPE_CHECKING:
    from collections.abc import Callable

    Text = Callable[[values.Encoder, Any, int], str | None]

MAX_EXPONENT = 5_000  # of a decimal: its fraction is written out
_FACTORIES = {kind.__name__: kind for kind in (int, float, str, list, dict, set, tuple, bool)}
_LATE = ("decimal", "fractions", "datetime")  # taken only if the code names them: each costs every fork its time
_taken: dict[type, Text] = {}
_bases_of: Any = type.__dict__["__mro__"].__get__


def take(code: str) -> None:
    """Take the types of the modules that the code names, before it runs."""
    for name in _LATE:
        if name in code:
            _taken.update(_late(name))


def text_of(encoder: values.Encoder, value: Any, depth: int) -> str | None:
    """Text of an exact standard type or an enum's member, None for anything else. Raises ValueProblem."""
    write = _taken.get(type(value))
    if write is not None:
        return write(encoder, value, depth)
    if type(type(value)) is enum.EnumMeta:
        return _member(encoder, value, depth)
    return _named_tuple(encoder, value, depth) if tuple in _bases_of(type(value)) else None


def _parts(mark: str, name: str, encoder: values.Encoder, depth: int, *parts: Any) -> str:
    return f"{mark}{name},{len(parts)}:{''.join(encoder.text(part, depth + 1) for part in parts)}"


def _fraction(top: int, bottom: int) -> str:
    common = math.gcd(top, bottom)
    return f"q{int.__format__(top // common, 'x')}/{int.__format__(bottom // common, 'x')};"


def _ordered_dict(encoder: values.Encoder, value: Any, depth: int) -> str | None:
    if not encoder.ordered:
        return None
    return _parts("x", "OrderedDict", encoder, depth, dict(dict.items(value)))


def _counter(encoder: values.Encoder, value: Any, depth: int) -> str | None:
    if not encoder.ordered:
        return None
    return _parts("x", "Counter", encoder, depth, dict(dict.items(value)))


def _default_dict(encoder: values.Encoder, value: Any, depth: int) -> str | None:
    if not encoder.ordered:
        return None
    factory = _default_factory(value)
    name = next((name for name, kind in _FACTORIES.items() if kind is factory), "")
    return _parts("x", "defaultdict", encoder, depth, dict(dict.items(value)), None if factory is None else name)


_default_factory = collections.defaultdict.__dict__["default_factory"].__get__
_maxlen = collections.deque.__dict__["maxlen"].__get__
_deque_items = collections.deque.__iter__
_views: dict[str, tuple[type, Callable[[Any], Any], bool]] = {
    "dict_keys": (type({}.keys()), type({}.keys()).__iter__, True),
    "dict_items": (type({}.items()), type({}.items()).__iter__, True),
    "dict_values": (type({}.values()), type({}.values()).__iter__, False),
}


def _view(name: str) -> Text:
    _, items, like_set = _views[name]

    def write(encoder: values.Encoder, value: Any, depth: int) -> str:
        found = list(items(value))
        if not like_set:
            return _parts("X", name, encoder, depth, found)
        try:
            return _parts("x", name, encoder, depth, set(found), found)
        except TypeError:  # items with values that no set can hold
            return _parts("X", name, encoder, depth, found)

    return write


def _deque(encoder: values.Encoder, value: Any, depth: int) -> str:
    return _parts("X", "deque", encoder, depth, list(_deque_items(value)), _maxlen(value))


def _range(encoder: values.Encoder, value: Any, depth: int) -> str:
    size = range.__len__(value)
    ends = (value.start, value.step) if size else (0, 1)
    same = (size, ends[0] if size else None, ends[1] if size > 1 else None)
    return _parts("X", "range", encoder, depth, same, (value.start, value.stop, value.step))


def _bytearray(encoder: values.Encoder, value: Any, depth: int) -> str:
    return _parts("x", "bytearray", encoder, depth, bytes(value))


def _named_tuple(encoder: values.Encoder, value: Any, depth: int) -> str | None:
    """A tuple whose class names its fields and does nothing else; only where what is built of it may be asked."""
    kind = type(value)
    fields = vars(kind).get("_fields")
    if not encoder.ordered or type(fields) is not tuple or len(fields) != tuple.__len__(value):
        return None
    if kind.__bases__ != (tuple,) or not all(type(name) is str for name in fields):
        return None
    if not vars(kind).keys() <= _NAMED_TUPLE | set(fields):
        return None
    items = tuple(tuple.__iter__(value))
    return _parts("x", "namedtuple", encoder, depth, items, kind.__name__, list(fields))


_NAMED_TUPLE = vars(collections.namedtuple("_Example", "")).keys() | {"__annotations__", "__orig_bases__"}


def _member(encoder: values.Encoder, value: Any, depth: int) -> str | None:
    """An enum's member: of IntEnum and the like as the number or text that it is, of a plain one as itself.

    Where it could be asked for more than name and value, it is none of these.
    """
    kind = type(value)
    members = vars(kind).get("_member_map_", {})
    if encoder.ordered and any(name not in members and not name.startswith("_") for name in vars(kind)):
        return None
    called = (str(kind.__name__), str(object.__getattribute__(value, "_name_")))
    if (base := number_or_text(value)) is not None:
        return _parts("x", "enum", encoder, depth, base, *called)
    if getattr(kind, "__eq__", None) is not object.__eq__:
        return None
    return _parts("X", "enum", encoder, depth, called, object.__getattribute__(value, "_value_"))


def number_or_text(value: Any) -> Any:
    """What a member of an IntEnum or the like compares as, by the built-in type's own methods; None for others."""
    kind = type(value)
    if type(kind) is not enum.EnumMeta:
        return None
    base: Any
    for base in (int, str, float):
        if base in _bases_of(kind) and getattr(kind, "__eq__", None) is base.__eq__:
            return base.__add__(value, base())
    return None


_early: dict[Any, Text] = {
    bytearray: _bytearray,
    range: _range,
    collections.deque: _deque,
    collections.OrderedDict: _ordered_dict,
    collections.Counter: _counter,
    collections.defaultdict: _default_dict,
    **{kind: _view(name) for name, (kind, _, _) in _views.items()},
}
_taken.update(_early)


def _late(name: str) -> dict[type, Text]:
    """The types of a module that is not there from the start."""
    if name == "decimal":
        import decimal

        return {decimal.Decimal: _decimal_text(decimal.Decimal)}
    if name == "fractions":
        import fractions

        top = fractions.Fraction.__dict__["_numerator"].__get__
        bottom = fractions.Fraction.__dict__["_denominator"].__get__
        return {fractions.Fraction: lambda encoder, value, depth: _exact_fraction(top(value), bottom(value))}
    import datetime

    return {
        datetime.date: lambda e, v, d: _parts("X", "date", e, d, (v.year, v.month, v.day)),
        datetime.timedelta: lambda e, v, d: _parts("X", "timedelta", e, d, (v.days, v.seconds, v.microseconds)),
        datetime.datetime: _moment(datetime.timezone, "datetime", ("year", "month", "day")),
        datetime.time: _moment(datetime.timezone, "time", ()),
    }


def _exact_fraction(top: Any, bottom: Any) -> str:
    if type(top) is not int or type(bottom) is not int:
        raise values.ValueProblem("a fraction of what are no integers")
    return f"xFraction,1:{_fraction(top, bottom)}"


def _decimal_text(kind: Any) -> Text:
    parts_of, write_out = kind.as_tuple, kind.__str__

    def write(encoder: values.Encoder, value: Any, depth: int) -> str:
        sign, digits, exponent = parts_of(value)
        said = encoder.text(write_out(value), depth + 1)
        if isinstance(exponent, str):
            number = {"F": "-inf" if sign else "inf"}.get(exponent, "nan")
            return f"xDecimal,2:{encoder.text(float(number), depth + 1)}{said}"
        if abs(exponent) > MAX_EXPONENT or len(digits) > MAX_EXPONENT:
            raise values.ValueTooLarge("a decimal with too many places")
        whole = 0
        for digit in digits:
            whole = whole * 10 + digit
        whole = -whole if sign else whole
        top, bottom = (whole * 10**exponent, 1) if exponent >= 0 else (whole, 10**-exponent)
        return f"xDecimal,2:{_fraction(top, bottom)}{said}"

    return write


def _moment(zone: Any, name: str, date: tuple[str, ...]) -> Text:
    fields = (*date, "hour", "minute", "second", "microsecond")

    def write(encoder: values.Encoder, value: Any, depth: int) -> str | None:
        if value.tzinfo is None:
            offset = None
        elif type(value.tzinfo) is zone:
            away = zone.utcoffset(value.tzinfo, None)
            offset = (away.days, away.seconds, away.microseconds)
        else:
            return None
        return _parts("X", name, encoder, depth, (*(getattr(value, field) for field in fields), offset))

    return write


class Missing(dict[Any, Any]):
    """A defaultdict whose factory is the candidate's own: what it would give cannot be known here."""

    def __missing__(self, key: Any) -> Any:
        raise values.ValueProblem("the default of a dict comes from the candidate's own function")


_enums: dict[tuple[str, str, str], Any] = {}


def build(node: values.Node, parts: list[Any]) -> Any:
    """The value of a node of this module. Raises what a hostile node makes its type raise."""
    if node.value == "enum":
        return _built_member(node, parts)
    if node.value == "namedtuple":
        return collections.namedtuple(parts[1], parts[2])(*parts[0])
    if node.value in ("Decimal", "Fraction"):
        return _built_number(node, parts)
    if node.value in ("date", "timedelta", "datetime", "time"):
        return _built_date(str(node.value), parts[0])
    return _BUILT[str(node.value)](*parts)


def _default(items: dict[Any, Any], factory: str | None) -> Any:
    if factory == "":
        return Missing(items)
    return collections.defaultdict(None if factory is None else _FACTORIES[factory], items)


_BUILT: dict[str, Callable[..., Any]] = {
    "bytearray": bytearray,
    "range": lambda _, ends: range(*ends),
    "deque": collections.deque,
    "OrderedDict": collections.OrderedDict,
    "Counter": collections.Counter,
    "defaultdict": _default,
    "dict_keys": lambda _, items: dict.fromkeys(items).keys(),
    "dict_items": lambda first, items=None: dict(first if items is None else items).items(),
    "dict_values": lambda items: dict(enumerate(items)).values(),
}


def _built_number(node: values.Node, parts: list[Any]) -> Any:
    if node.value == "Decimal":
        import decimal

        return decimal.Decimal(parts[1])
    import fractions

    return fractions.Fraction(*parts[0])


def _built_date(name: str, fields: tuple[Any, ...]) -> Any:
    import datetime

    kind = getattr(datetime, name)
    if name in ("date", "timedelta"):
        return kind(*fields)
    *fields_, offset = fields
    zone = None if offset is None else datetime.timezone(datetime.timedelta(*offset))
    return kind(*fields_, tzinfo=zone)


def _built_member(node: values.Node, parts: list[Any]) -> Any:
    """A member of an enum of that name; the same node gives the same member."""
    value, (kind, name) = (parts[0], parts[1:]) if node.tag == "x" else (parts[1], parts[0])
    key = (kind, name, f"{type(value).__name__} {value!r}")
    if key not in _enums:
        base = type(value) if node.tag == "x" else None
        make: Any = enum.Enum
        _enums[key] = make(kind, {name: value}, type=base)[name]
    return _enums[key]
