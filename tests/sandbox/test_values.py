"""Canonical values: exact both ways, hostile texts are harmless, comparison follows Python's `==`."""

from __future__ import annotations

import math
import time
from collections import Counter, OrderedDict, defaultdict, namedtuple
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox import values

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.binary()
    | st.complex_numbers(allow_nan=False)
)
HASHABLE = st.recursive(LEAVES, lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3), max_leaves=5)
PLAIN = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.sets(HASHABLE, max_size=4)
        | st.dictionaries(HASHABLE, inner, max_size=4)
    ),
    max_leaves=12,
)


def same(one: Any, other: Any, comparison: str = "exact", tolerance: float = 1e-6) -> bool:
    got, expected = values.parse(values.encode(one)), values.parse(values.encode(other))
    return values.same(got, expected, comparison, tolerance)


def typed(value: Any) -> Any:
    """The value with the types of all its parts, since 1 == 1.0 == True."""
    if isinstance(value, list | tuple):
        return type(value), [typed(item) for item in value]
    if isinstance(value, set | frozenset):
        return type(value), sorted(str(typed(item)) for item in value)
    if isinstance(value, dict):
        return dict, sorted(str((typed(k), typed(v))) for k, v in value.items())
    return type(value), repr(value)


@given(PLAIN)
def test_decode_gives_back_the_value_and_its_types(value: Any) -> None:
    assert typed(values.decode(values.encode(value))) == typed(value)


@given(PLAIN, PLAIN)
def test_exact_is_python_equality(one: Any, other: Any) -> None:
    assert same(one, one)
    assert same(one, other) == (one == other)


def retyped(value: Any) -> Any:
    """A value that Python's `==` may not tell apart, of other types: tuples for lists, floats for integers."""
    if isinstance(value, list):
        return [retyped(item) for item in value]
    if isinstance(value, tuple):
        return tuple(map(retyped, value))
    if isinstance(value, dict):
        return {key: retyped(item) for key, item in value.items()}
    if isinstance(value, bool):
        return int(value)
    return float(value) if isinstance(value, int) and abs(value) < 2**53 else value


@given(PLAIN, PLAIN)
def test_the_encoding_never_equates_what_value_and_type_tell_apart(one: Any, other: Any) -> None:
    for pair in ((one, other), (one, one), (one, retyped(one))):
        equal = typed(pair[0]) == typed(pair[1])
        assert (values.encode(pair[0]) == values.encode(pair[1])) is equal
        assert same(*pair, "typed") is equal
        assert same(*pair) or not equal


@given(st.floats() | st.integers(), st.floats() | st.integers())
def test_exact_on_numbers_is_python_equality_and_nan_is_itself(one: float, other: float) -> None:
    both_nan = str(one) == "nan" == str(other)
    assert same(one, other) == (one == other or both_nan)
    assert same([one], {0: other}) is False


@given(st.text(alphabet="NTFifcsbltSZd0123456789abx:;,-.p", max_size=60))
@settings(max_examples=500)
def test_parse_of_anything_gives_a_node_or_its_own_error(text: str) -> None:
    try:
        node = values.parse(text)
    except values.ValueProblem:
        return
    assert values.show(node, 50)
    assert isinstance(values.normal(node), str)


@given(PLAIN)
def test_show_is_printable_and_capped(value: Any) -> None:
    shown = values.show(values.parse(values.encode(value)), 40)
    assert len(shown) <= 40
    assert shown.isprintable()


@pytest.mark.parametrize(
    "value",
    [
        object(),
        len,
        range(3),
        iter([]),
        "\ud800",
        {"a": ["\udfff"]},
        type("I", (int,), {"__eq__": lambda s, o: True})(1),
    ],
)
def test_what_is_not_plain_data_is_refused(value: Any) -> None:
    with pytest.raises(values.ValueProblem):
        values.encode(value)


def test_known_subclasses_count_as_their_base() -> None:
    point = namedtuple("point", "x y")
    assert values.decode(values.encode(point(1, 2))) == (1, 2)
    for mapping in (OrderedDict(a=1), defaultdict(int, a=1), Counter("a")):
        assert values.encode(mapping) == values.encode({"a": 1})


def test_depth_and_size_are_capped() -> None:
    deep: list[Any] = []
    for _ in range(900):
        deep = [deep]
    shared: list[Any] = []
    for _ in range(60):
        shared = [shared, shared]
    with pytest.raises(values.ValueProblem):
        values.encode(deep)
    for big in (shared, 1 << 5_000_000, "x" * 2_000_000):
        with pytest.raises(values.ValueTooLarge):
            values.encode(big)


@pytest.mark.parametrize(
    "text",
    [
        "l1:" * 100_000,
        "l9999999:",
        "d1:i1;",
        "i1;i2;",
        "",
        "s5:abc",
        "b2:zz00",
        "f0x1p99999999;",
        "i" + "f" * 2_000_000 + ";",
        "x",
        "s99999999:a",
    ],
)
def test_hostile_texts_cost_nothing(text: str) -> None:
    started = time.perf_counter()
    with pytest.raises(values.ValueProblem):
        values.parse(text)
    assert time.perf_counter() - started < 0.5


def test_colliding_set_items_are_not_hashed() -> None:
    colliding = [i * (2**61 - 1) for i in range(1, 40_000)]
    text = f"S{len(colliding)}:{''.join(f'i{n:x};' for n in colliding)}"
    node = values.parse(text)
    started = time.perf_counter()
    assert values.same(node, node, "exact", 0.0)
    assert time.perf_counter() - started < 2


@pytest.mark.parametrize(
    ("one", "other", "comparison", "outcome"),
    [
        ((1, 2), [1, 2], "exact", False),
        ((1, 2), [1, 2], "json", True),
        ({1: (True, None)}, {"1": [True, None]}, "json", True),
        ({None: 1, 2.5: 1, False: 1}, {"null": 1, "2.5": 1, "false": 1}, "json", True),
        ({1: 1}, {"2": 1}, "json", False),
        (1, 1.0, "typed", False),
        ({1: {2, (3,)}}, {1: {(3,), 2}}, "typed", True),
        (True, 1, "exact", True),
        ({1}, frozenset({1.0}), "exact", True),
        (0.1 + 0.2, 0.3, "exact", False),
        (0.1 + 0.2, 0.3, "float", True),
        ([0.1 + 0.2, "a"], [0.3, "a"], "float", True),
        ([0.1 + 0.2, "a"], [0.3, "b"], "float", False),
        ({"x": 1.0000001}, {"x": 1}, "float", True),
        ({"x": 1.0}, {"y": 1.0}, "float", False),
        ({0.30000000000000004}, {0.3}, "float", True),
        (1e300 * 10**10, 1e300, "float", False),
        (10**400, 1.0, "float", False),
        (math.inf, math.inf, "float", True),
        (math.nan, math.nan, "float", True),
        (1 + 1e-9j, 1.0, "float", True),
        ([2, 1, 1], [1, 2, 1], "unordered", True),
        ([2, 1, 2], [1, 2, 1], "unordered", False),
        ((1, 2), [2, 1], "unordered", False),
    ],
)
def test_comparison_rules(one: Any, other: Any, comparison: str, outcome: bool) -> None:
    assert same(one, other, comparison) is outcome
