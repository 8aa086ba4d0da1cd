"""Which mistake a program of our own gets, judged in this process: what the sandbox has to agree with."""

from random import Random

from domains.python import passes, wrong_programs
from records.nouns import Problem


def spoiled_code(problem: Problem, rng: Random) -> tuple[str, str]:
    """Kind of mistake and code of the first wrong program that fails. The problem was drawn in this process."""
    return next((kind, code) for kind, code in wrong_programs(problem, rng) if not passes(problem, code))
