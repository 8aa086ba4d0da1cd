"""Names of what a candidate raised, as they are claimed in a record and as they can be true.

Standard library only; the same file runs inside the sandbox, where it describes an exception, and on the host,
where it reads the description.

A built-in exception is named only if it is that very class. A class of the candidate's own is named by its own name,
behind `solution.` where that is the name of a built-in one; a name that is no identifier is none.
Not guaranteed: that a description is true. It is a claim of one class and its bases, never of many.
"""

from __future__ import annotations

import builtins

MESSAGE = 1000
UNNAMED = "?"
MOST_KINDS = 2  # built-in classes, none a base of another, that one honest exception derives from
_BUILT_IN = {
    kind.__name__: kind
    for kind in vars(builtins).values()
    if isinstance(kind, type) and issubclass(kind, BaseException)
}
_BY_ID = {id(kind): name for name, kind in _BUILT_IN.items()}
_bases_of = type.__dict__["__mro__"].__get__
_name_of = type.__dict__["__name__"].__get__


def describe(error: BaseException) -> str:
    """Class names, most derived first, then the last line of the message; the candidate may lie."""
    names = ",".join(_name(kind) for kind in _bases_of(type(error))[:-1])
    try:
        lines = [line for line in str(error).splitlines() if line.strip()]
    except BaseException:
        lines = ["(its message cannot be read)"]
    return f"{names}\n{lines[-1][:MESSAGE] if lines else ''}"


def _name(kind: type) -> str:
    known = _BY_ID.get(id(kind))
    if known is not None:
        return known
    name = str.__str__(_name_of(kind))
    if not name.isidentifier():
        return UNNAMED
    return f"solution.{name}" if name in _BUILT_IN else name


def names(text: str) -> list[str]:
    """The names in a description, at least one. Built-in ones only where one exception can have them all."""
    found = [name if _is_name(name) else UNNAMED for name in text.partition("\n")[0].split(",")]
    if not _possible({name for name in found if name in _BUILT_IN}):
        found = [name for name in found if name not in _BUILT_IN]
    return found or [UNNAMED]


def _is_name(name: str) -> bool:
    return name.removeprefix("solution.").isidentifier()


def _possible(claimed: set[str]) -> bool:
    bases = {base.__name__ for name in claimed for base in _BUILT_IN[name].__mro__[1:-1]}
    return bases <= claimed and len(claimed - bases) <= MOST_KINDS


def kinds(text: str) -> list[type[BaseException]]:
    """The built-in classes that a description names and no other of them derives from, most derived first."""
    claimed = [_BUILT_IN[name] for name in names(text) if name in _BUILT_IN]
    return [kind for kind in claimed if not any(issubclass(other, kind) for other in claimed if other is not kind)]


def known_as(name: str) -> str:
    """The name that a class has itself: OSError for IOError."""
    kind = getattr(builtins, name, None)
    return kind.__name__ if isinstance(kind, type) and issubclass(kind, BaseException) else name
