"""A second call where a reply does not come: off unless `hedge_after` is set.

Guaranteed: at most two equal calls are in flight for one answer; the first reply counts, and the other call is
cancelled. Not guaranteed: that the provider charges for one only; a call that was cancelled in flight counts as
paid, at its upper estimate, like any whose reply was lost (Dean and Barroso, "The tail at scale", 2013, have the idea).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

from models.calls import Reply

Once = Callable[[], Coroutine[Any, Any, Reply]]


class Answer(NamedTuple):
    """The reply that came first; `lost`: the other call was cancelled in flight."""

    reply: Reply
    lost: bool


async def hedged(call: Once, spare: Once, after: float) -> Answer:
    """The reply of `call`, or that of `spare`, begun after `after` seconds, if it comes earlier.

    Raises what `call` raised if neither replies.
    """
    first = asyncio.create_task(call())
    flying = [first]
    try:
        await asyncio.wait(flying, timeout=after)
        if not first.done():
            flying.append(asyncio.create_task(spare()))
        return await _earliest(flying)
    finally:
        for task in flying:
            task.cancel()
        await asyncio.gather(*flying, return_exceptions=True)


async def _earliest(flying: list[asyncio.Task[Reply]]) -> Answer:
    pending = set(flying)
    while pending:
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        replied = [task for task in done if task.exception() is None]
        if replied:
            return Answer(replied[0].result(), lost=bool(pending))
    return Answer(flying[0].result(), lost=False)  # raises
