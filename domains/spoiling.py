"""Wrong replies for the scripted teacher, shown to be wrong where replies are judged.

A domain may offer replies that are probably wrong, and only a judgement says whether they are. A problem may have
been read from a file that somebody else wrote, so nothing of it is run in this process: the domain's verifier, with
its sandbox, is asked.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Protocol, runtime_checkable

from domains.base import Domain, Verifier
from records.nouns import Problem


@runtime_checkable
class Mistaken(Protocol):
    """A domain whose mistakes show only when they are judged."""

    def mistakes(self, problem: Problem, rng: random.Random) -> Iterator[str]:
        """Replies that are probably wrong, in the order in which they are to be tried; the last one certainly is."""
        ...


async def spoiled_reply(domain: Domain, problem: Problem, rng: random.Random, verifier: Verifier) -> str:
    """The first reply that the verifier fails, or the domain's own where no judgement is needed.

    The same for the same problem and generator. The last reply is given unjudged: it is wrong by its construction.
    """
    if not isinstance(domain, Mistaken):
        return domain.spoil(problem, rng)
    replies = domain.mistakes(problem, rng)
    reply = next(replies)
    for following in replies:
        if (await verifier.judge(problem, reply)).outcome == "fail":
            return reply
        reply = following
    return reply
