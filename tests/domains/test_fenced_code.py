"""Fenced blocks: as CommonMark reads them, and as models write them."""

from __future__ import annotations

import ast
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from domains.fenced_code import MOST_CHARS, MOST_TRIES, Reply, without_tokens
from domains.python_replies import defines, extract_code, fenced_blocks

CODE = "def add_one(x):\n    return x + 1"
TABBED = "def add_one(x):\n\treturn x + 1"
DRAFT = "def add_one(x):\n    return x"


def commonmark(text: str) -> list[str]:
    """The fenced blocks that a parser of CommonMark finds."""
    tokens = MarkdownIt("commonmark").parse(text)
    return trimmed([token.content for token in tokens if token.type == "fence"])


def trimmed(blocks: list[str]) -> list[str]:
    """Without line ends before the closing fence; a parser keeps one more."""
    return [block.rstrip("\n") for block in blocks if block.strip()]


def indented(text: str, by: str) -> str:
    return textwrap.indent(text, by)


WELL_FORMED = {
    "list_item": f"Steps:\n\n1. Write it:\n\n   ```python\n{indented(CODE, '   ')}\n   ```\n",
    "two_digits": f"10. Write it:\n\n    ```python\n{indented(CODE, '    ')}\n    ```\n",
    "nested_list": f"- one\n  - two\n    1. three\n\n       ```py\n{indented(CODE, ' ' * 7)}\n       ```\n",
    "list_mark_before_the_fence": f"- ```python\n{indented(CODE, '  ')}\n  ```\n",
    "number_before_the_fence": f"1. ```python\n{indented(CODE, '   ')}\n   ```\n",
    "quote": f"> Try:\n>\n> ```python\n{indented(CODE, '> ')}\n> ```\n",
    "quote_without_spaces": f">```python\n{indented(CODE, '>')}\n>```\n",
    "quote_in_quote": f"> > ```python\n{indented(CODE, '> > ')}\n> > ```\n",
    "list_in_quote": f"> - Try:\n>\n>   ```python\n{indented(CODE, '>   ')}\n>   ```\n",
    "quote_in_list": f"- Try:\n\n  > ```python\n{indented(CODE, '  > ')}\n  > ```\n",
    "tab_before_the_fence": f"- Try:\n\n\t```python\n{indented(TABBED, chr(9))}\n\t```\n",
    "tabs_in_the_code": f"```python\n{TABBED}\n```\n",
    "two_spaces": f"  ```python\n{indented(CODE, '  ')}\n  ```\n",
    "closed_less_deep": f"   ```python\n{indented(CODE, '   ')}\n```\n",
    "closed_deeper": f"```python\n{CODE}\n   ```\n",
    "tildes": f"~~~\n{CODE}\n~~~~~\n",
    "four_ticks": f"````python\n{CODE}\n````\n",
    "longer_closing": f"```python\n{CODE}\n`````\n",
    "unclosed": f"```python\n{CODE}\n",
    "windows": f"```python\n{CODE}\n```\nDone.\n".replace("\n", "\r\n"),
    **{
        f"info_{number}": f"```{info}\n{CODE}\n```\n"
        for number, info in enumerate(
            [" python", "py", "python3", "{.python}", "{.python .numberLines}", 'python title="a.py"', "Python 3", ""]
        )
    },
    "tilde_info_with_ticks": f"~~~ python `x`\n{CODE}\n~~~\n",
}


@pytest.mark.parametrize("name", WELL_FORMED)
def test_blocks_are_those_of_a_parser_of_commonmark(name: str) -> None:
    reply = WELL_FORMED[name]
    assert trimmed(fenced_blocks(reply)) == commonmark(reply)
    found = extract_code(reply, "add_one")
    assert found is not None
    assert ast.dump(ast.parse(found)) == ast.dump(ast.parse(CODE))


@given(
    blocks=st.lists(
        st.tuples(
            st.sampled_from(["", "- ", "1. ", "10. ", "> ", "> - ", "- > ", "- - "]),
            st.sampled_from(["```", "````", "~~~", "~~~~~"]),
            st.sampled_from(["", "python", " py ", "{.python}", "title=a"]),
            st.integers(0, 3),
            st.sampled_from([CODE, TABBED, DRAFT, "x = 1", "\n\nfor x in y:\n\n        pass\n", "* text\n# more"]),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_generated_replies_are_read_as_by_a_parser_of_commonmark(blocks: list[tuple[str, str, str, int, str]]) -> None:
    parts, wanted = [], []
    for before, mark, info, spaces, code in blocks:
        rest = "".join(" " if sign != ">" else ">" for sign in before)
        lines = f"{mark}{info}\n{code}\n{mark}".split("\n")
        parts.append("\n".join((rest if number else before) + " " * spaces + line for number, line in enumerate(lines)))
        wanted += commonmark(parts[-1])
    reply = "\n\nSo much for that.\n\n".join(parts)
    assert trimmed(fenced_blocks(reply)) == wanted == commonmark(reply)


AS_THEY_ARE_MEANT = {
    "text_behind_the_closing_fence": f"```python\n{CODE}\n``` This adds one.\n\nThat is all.",
    "text_behind_it_and_usage": f"```python\n{CODE}\n``` This adds one.\nUse it:\n```python\nadd_one(1)\n```\n",
    "ticks_behind_the_closing_fence": f"```python\n{CODE}\n``` Here `x` is a number.",
    **{
        f"token_{number}": f"```python\n{CODE}\n```{token}"
        for number, token in enumerate(
            [
                "<|endoftext|>",
                "<|im_end|>",
                "</s>",
                "<eos>",
                " <|eot_id|>\n",
                "\n<end_of_turn>\n",
                "<｜end▁of▁sentence｜>",
            ]
        )
    },
    "token_behind_an_unclosed_fence": f"```python\n{CODE}\n<|im_end|>",
    "another_turn_is_not_the_reply": f"```python\n{CODE}\n```<|im_end|>\n<|im_start|>user\n```python\n{DRAFT}\n```\n",
    "deep_without_a_list": f"Write:\n        ```python\n{indented(CODE, ' ' * 8)}\n        ```\n",
    "code_left_of_the_fence": f"1. Write:\n   ```python\n{CODE}\n   ```\n",
    "closed_left_of_the_list": f"1. Write:\n\n   ```python\n{indented(CODE, '   ')}\n```\n",
    "closed_much_deeper": f"```python\n{CODE}\n        ```\nSo it is.\n",
    "text_left_of_the_fence": f"1. Write:\n   ```python\n{CODE}\n   ```\n",
    "code_right_of_the_fence": f"```python\n{indented(CODE, '  ')}\n```\n",
    "quote_of_the_fences_only": f"> ```python\n{CODE}\n> ```\n",
    "opened_twice": f"```python\n# first\nx = (\n\n```python\n{CODE}\n```\n",
    "opened_behind_text": f"The code: ```python\n{CODE}\n```\n",
    "closed_behind_code": f"```python\n{CODE} ```\nThat adds one.",
    "in_a_block_of_markdown": f"````markdown\n# Answer\n\n```python\n{CODE}\n```\n````\n",
    "bare_with_a_token": f"{CODE}\n<|endoftext|>",
}


@pytest.mark.parametrize("name", AS_THEY_ARE_MEANT)
def test_replies_of_models_are_read_as_they_are_meant(name: str) -> None:
    code = extract_code(AS_THEY_ARE_MEANT[name], "add_one")
    assert code is not None
    assert code.strip() == CODE


@pytest.mark.parametrize("depth", ["    ", ""])
@pytest.mark.parametrize("after", ["", "\nIt is called so:\n```python\nprint(add_one(1))\n```\n"])
def test_a_fence_inside_of_a_docstring_is_text(depth: str, after: str) -> None:
    example = indented("```python\n>>> add_one(1)\n2\n```", depth)
    code = f'def add_one(x):\n    """Add one.\n\n{example}\n    """\n    return x + 1'
    assert extract_code(f"Here:\n\n```python\n{code}\n```\n{after}", "add_one") == code


RIGHT_OF_SEVERAL = {
    "under_if": ("if True:\n    def add_one(x):\n        return x + 1", "print(add_one(1))"),
    "under_try": ("try:\n    import numpy\nexcept ImportError:\n    def add_one(x):\n        return x + 1", "1"),
    "under_with": ("import os\nwith os.scandir() as s:\n    def add_one(x): return x + 1", "1"),
    "comparison_later": (CODE, "add_one == len"),
    "comparison_at_the_beginning": (CODE, "add_one ==add_one"),
    "call_later": (CODE, "add_one(1)"),
    "result_of_itself_later": (CODE, "add_one = add_one(1)"),
    "number_later": (CODE, "add_one = 3"),
    "import_of_itself_later": (CODE, "from solution import add_one\nassert add_one(1) == 2"),
    "signature_later": (CODE, 'def add_one(x):\n    """The signature."""\n    ...'),
    "method_later": (CODE, "class A:\n    def add_one(self): return 0"),
    "main_guard_later": (CODE, "if __name__ == '__main__':\n    def add_one(x): return 0"),
    "broken_later": (CODE, "def add_one(x) return x"),
    "prose_later": (CODE, "def add_one(x): and then you would\nreturn it"),
    "async_def": ("async def add_one(x):\n    return x + 1", "1"),
    "lambda": ("add_one = lambda x: x + 1", "add_one(1)"),
    "lambda_of_itself": ("add_one = lambda x: x + 1 if x < 9 else add_one(x - 1)", "add_one(1)"),
    "other_name": ("def g(x):\n    return x + 1\nadd_one = g", "add_one(1)"),
    "of_a_pair": ("add_one, two = lambda x: x + 1, 2", "add_one(1)"),
    "annotated": ("add_one: object = lambda x: x + 1", "add_one(1)"),
    "of_the_library": ("from math import sqrt as add_one", "add_one(1)"),
}


@pytest.mark.parametrize("name", RIGHT_OF_SEVERAL)
@pytest.mark.parametrize("before", [True, False])
def test_of_several_blocks_the_one_counts_that_parses_and_defines_the_name(name: str, before: bool) -> None:
    right, other = RIGHT_OF_SEVERAL[name]
    pair = (right, other) if before else (other, right)
    reply = "\n\nor\n\n".join(f"```python\n{code}\n```" for code in pair)
    assert extract_code(reply, "add_one") == right


def test_of_several_definitions_the_last_counts() -> None:
    reply = f"Draft:\n```python\n{DRAFT}\n```\nBut that adds nothing. Final:\n```python\n{CODE}\n```\n"
    assert extract_code(reply, "add_one") == CODE


def test_a_class_is_found_where_a_class_is_asked_for() -> None:
    stack = "class Stack:\n    def push(self, x): ...\n    def pop(self): ..."
    reply = f"```python\n{stack}\n```\n```python\ns = Stack()\ns.push(1)\n```"
    assert extract_code(reply, "Stack") == stack
    assert not defines(stack, "push")


def test_code_that_does_not_parse_stays_the_answer() -> None:
    wrong = "def add_one(x) return x"
    assert extract_code(f"```bash\nls\n```\n```python\n{wrong}\n```\n```\n1\n```", "add_one") == wrong


@pytest.mark.parametrize("text", ["a</s>", "a <|im_end|></s>\n", "a\n<eos>  <eos>"])
def test_special_tokens_at_the_end_are_no_code(text: str) -> None:
    assert without_tokens(text).rstrip() == "a"


@pytest.mark.parametrize("text", ["print('</s>')", "x = a > b", "a[0]", "", "<html>", "if a<b and c>"])
def test_what_is_no_special_token_stays(text: str) -> None:
    assert without_tokens(text) == text


HOSTILE = {
    "openers": "```python\n" * 20_000,
    "closers": "```python\nadd_one\n" + "```x y z!\n" * 20_000,
    "pairs": "```\nadd_one\n```\n" * 10_000,
    "long_lines": "```python\n" + "add_one" * 30_000 + "\n```\n" * 100,
    "quotes": ">" * 100_000 + "```python\n" + ">" * 100_000 + CODE,
    "numbers": "1." * 50_000 + "```\n" + "1. " * 50_000 + "```\n",
    "inline": "a ```\nadd_one\n" * 10_000,
    "tokens": "x" + "<eos>" * 20_000,
    "spaces": "```python\n" + (" " * 10_000 + "add_one\n") * 9 + "<" + " " * 100_000 + ">",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_the_work_is_bounded_for_hostile_replies(name: str) -> None:
    tried: list[str] = []

    def usable(code: str) -> bool:
        tried.append(code)
        return False

    reply = Reply(HOSTILE[name])
    assert reply.usable_blocks("add_one", usable) == []
    assert len(tried) <= 3 * MOST_TRIES
    assert sum(map(len, tried)) <= MOST_CHARS
    extract_code(HOSTILE[name], "add_one")
