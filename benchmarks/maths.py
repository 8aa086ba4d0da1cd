"""Mathematical answers: our checker against math-verify alone, TRL's reward and plain SymPy.

    python -m benchmarks.maths [--pairs FILE.jsonl ...]

Every contender judges the same pairs, in a process of its own for each pair that does not return (10
seconds): the lists of tests/sandbox/maths_pairs.py, and files with `gold`, `pred` and `equivalent`.
Counted: equal pairs that were not accepted, unequal pairs that were, pairs that were not decided,
seconds. Plain SymPy is `parse_latex` (Lark) and `simplify(a - b) == 0`; it needs `pip install lark`.
The speed of our pool is measured on pairs that differ from each other, so that the cache does not count.
"""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
import time
import warnings
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path

from sandbox.maths_checker import MathChecker
from sandbox.maths_contracts import Contract
from sandbox.maths_judge import judge_pair
from tests.sandbox.maths_pairs import DIFFERENT, EQUAL, pairs

LIMIT_S = 10.0
Pair = tuple[str, str, bool]
Judge = Callable[[str, str], bool | None]


def ours(gold: str, answer: str) -> bool | None:
    """The verdict of this project."""
    return {"equal": True, "different": False}.get(judge_pair(gold, answer, Contract())[0])


def math_verify_alone(gold: str, answer: str) -> bool | None:
    """Its defaults, with the texts marked as formulas where they are not."""
    from math_verify import parse, verify

    return bool(verify(parse(_formula(gold), parsing_timeout=None), parse(_formula(answer), parsing_timeout=None)))


def trl_reward(gold: str, answer: str) -> bool | None:
    """TRL's accuracy_reward; None where it skips."""
    from trl.rewards import accuracy_reward

    boxed = answer if _formula(answer) == answer else f"$\\boxed{{{answer}}}$"  # it reads nothing else
    (reward,) = accuracy_reward([[{"role": "assistant", "content": boxed}]], [_formula(gold)])
    return None if reward is None else reward == 1.0


def plain_sympy(gold: str, answer: str) -> bool | None:
    """simplify(a - b) == 0; None where a text is not read."""
    import sympy
    from lark.exceptions import LarkError
    from sympy.parsing.latex import parse_latex

    try:
        left, right = (parse_latex(text.strip(" $"), backend="lark") for text in (gold, answer))
        return bool(sympy.simplify(left - right) == 0)
    except (LarkError, TypeError, AttributeError, ValueError, NotImplementedError):  # all that it raises on our pairs
        return None  # not read: counted as not accepted, never as a fault of the answer


CONTENDERS: dict[str, Judge] = {
    "this project": ours,
    "math-verify 0.9.0": math_verify_alone,
    "TRL accuracy_reward": trl_reward,
    "SymPy parse_latex": plain_sympy,
}


def _formula(text: str) -> str:
    return text if "$" in text or "\\boxed" in text or len(text) > 200 else f"${text}$"


def _serve(judge: Judge, link: Connection) -> None:
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    while True:
        gold, answer = link.recv()
        try:
            link.send(judge(gold, answer))
        except Exception as problem:  # a contender's failure on a pair is its result
            link.send(problem.__class__.__name__)


class Contender:
    """A judge in a process of its own, which is killed when a pair takes too long."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._start()

    def _start(self) -> None:
        self._link, theirs = multiprocessing.Pipe()
        self._process = multiprocessing.Process(target=_serve, args=(self._judge, theirs), daemon=True)
        self._process.start()

    def __call__(self, gold: str, answer: str) -> bool | str | None:
        self._link.send((gold, answer))
        if self._link.poll(LIMIT_S):
            found: bool | str | None = self._link.recv()
            return found
        self.close()
        self._start()
        return "killed"

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.join()


def labelled(files: list[Path]) -> Iterator[tuple[str, list[Pair]]]:
    """The sets by name."""
    own = [(*pair, True) for pair in pairs(EQUAL)] + [(*pair, False) for pair in pairs(DIFFERENT)]
    own = [row for row in own if "import" not in row[1]]  # the others run in no confinement
    yield "our lists", own
    for file in files:
        rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
        yield file.stem, [(row["gold"], row["pred"], row["equivalent"]) for row in rows]


def measure(name: str, judge: Judge, rows: list[Pair]) -> str:
    """One line of the table."""
    contender = Contender(judge)
    contender("1", "2")
    started = time.perf_counter()
    found = [(contender(gold, answer), label) for gold, answer, label in rows]
    took = time.perf_counter() - started
    contender.close()
    missed = sum(label and verdict is not True for verdict, label in found)
    accepted = sum(not label and verdict is True for verdict, label in found)
    open_ = sum(not isinstance(verdict, bool) for verdict, _ in found)
    equal = sum(label for _, label in found)
    return f"| {name} | {missed} of {equal} | {accepted} of {len(found) - equal} | {open_} | {took:.1f} s |"


def throughput(count: int = 2000) -> float:
    """Simple pairs a second, warm, with two workers, none of them twice."""
    with MathChecker(workers=2) as checker:
        list(checker.check_all((f"{n}/7", "1") for n in range(8)))
        started = time.perf_counter()
        verdicts = list(checker.check_all((f"\\frac{{{n}}}{{7}}", f"{2 * n}/14") for n in range(1000, 1000 + count)))
        assert all(verdict.verdict == "equal" for verdict in verdicts)
        return count / (time.perf_counter() - started)


def main() -> None:
    """Print a table for each set, and the speed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=Path, nargs="*", default=[], help="JSONL files with gold, pred, equivalent")
    for name, rows in labelled(parser.parse_args().pairs):
        print(f"\n{name}: {len(rows)} pairs\n\n| | equal, not accepted | unequal, accepted | not decided | time |")
        print("|---|---|---|---|---|")
        for contender, judge in CONTENDERS.items():
            print(measure(contender, judge, rows), flush=True)
    print(f"\n{throughput():.0f} simple pairs a second, two workers, nothing from the cache")


if __name__ == "__main__":
    main()
