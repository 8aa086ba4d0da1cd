"""Code in replies: found where it is, not invented where it is not."""

import pytest

from domains.python_replies import defines, extract_code, fenced_blocks

SOLUTION = "def f(x):\n    return x"


@pytest.mark.parametrize(
    "reply",
    [
        f"```python\n{SOLUTION}\n```",
        f"Here is the function you asked for:\n\n```python\n{SOLUTION}\n```\nIt returns x.",
        f"```\n{SOLUTION}\n```",
        f"~~~py\n{SOLUTION}\n~~~",
        f"```python\n{SOLUTION}",
        f"```python\r\n{SOLUTION}\r\n```\r\n".replace("\r\n", "\n"),
        f"First:\n```python\ndef g(x):\n    return 1\n```\nThen:\n```python\n{SOLUTION}\n```\nRun:\n```\nf(1)\n```",
        f"Wrong:\n```python\ndef f(x): return 0\n```\nBetter:\n```python\n{SOLUTION}\n```",
        f"````\n```python\n````\n```python\n{SOLUTION}\n```",
        SOLUTION,
    ],
)
def test_finds_the_solution(reply: str) -> None:
    assert extract_code(reply, "f") == SOLUTION


def test_without_the_entry_the_first_block_counts() -> None:
    assert extract_code("```python\ndef g():\n    pass\n```\n```python\nx = 1\n```", "f") == "def g():\n    pass"


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "I cannot do that.",
        "def f(x) returns x, so the answer is simple",
        "You write def f(x): and then\ndef f(x): I would return x",
        "```python\n```",
        "def g(x):\n    return x",
        "\x00def f(x):\n    return x",
        "def f(x):\n    return " + "(" * 5_000,
        "def f(x):\n    return " + "-" * 15_000 + "x",
        "def f(x):\n    pass\n" + "#" * 30_000,
    ],
)
def test_no_code_is_none(reply: str) -> None:
    assert extract_code(reply, "f") is None


def test_hostile_length_is_linear() -> None:
    assert fenced_blocks("`" * 200_000) == []
    assert extract_code("```\n" * 50_000, "f") is None
    assert fenced_blocks("```python\n" + "x\n" * 100_000)[0].count("x") == 100_000


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("def f(x): pass", True),
        ("async def f(x): pass", True),
        ("class f: pass", True),
        ("f = lambda x: x", True),
        ("import re\n\ndef  f (x): pass", True),
        ("def ff(x): pass", False),
        ("class A:\n    def f(self): pass", False),
        ("print(f)", False),
    ],
)
def test_defines(code: str, expected: bool) -> None:
    assert defines(code, "f") is expected
