"""How a run's one error budget is shared out: fixed before anything is measured.

Guaranteed: the levels of all tests by which a text can become the current strategy add up to `alpha` at most
(Bonferroni's inequality), in whatever order they are made and however many edits people try. What a part does
not use is not given to another one, so that every level is known beforehand.
"""

from __future__ import annotations

from dataclasses import dataclass

REVIEWS_SHARE = 0.2  # of the budget, where a person may edit the strategy
FURTHER_SHARE = 0.4  # of the rest, where rounds may follow the loop


@dataclass(frozen=True)
class ErrorBudget:
    """Probabilities of a false acceptance: in the loop, in the rounds after it, and by people's edits."""

    loop: float
    further: float
    reviews: float

    @property
    def alpha(self) -> float:
        """The whole budget."""
        return self.loop + self.further + self.reviews

    def review(self, number: int) -> float:
        """Level of the test of the person's edit `number`, counted from 1: half of what the edits before it left."""
        if number < 1:
            raise ValueError(f"edits are counted from 1, not from {number}")
        return self.reviews / 2**number

    def reviews_left(self, tested: int) -> float:
        """What is left for edits after so many were tested."""
        return self.reviews / 2**tested


def error_budget(alpha: float, *, further_rounds: int, people_decide: bool) -> ErrorBudget:
    """Share out `alpha`: a part for people's edits where a person is asked, one for rounds after the loop, the rest."""
    reviews = alpha * REVIEWS_SHARE if people_decide else 0.0
    further = (alpha - reviews) * FURTHER_SHARE if further_rounds else 0.0
    return ErrorBudget(loop=alpha - reviews - further, further=further, reviews=reviews)
