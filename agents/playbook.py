"""A strategy as text and as bullets with stable ids, and the edits of it that a model proposes.

Guaranteed: `parse_strategy` accepts any text and gives bullets whose rendering parses to itself;
a bullet that an edit or a rewriting leaves in place keeps its id and its origin; nothing that a
model wrote reaches a strategy with control characters or chat-template markers in it; an edit
that does not fit is refused with the reason. Not guaranteed: that advice is good (the gate finds
out) or carries no answer (the leak check does). After the newest bullet was deleted its number may
be given again: id and round together are unique.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence

from agents.plain_text import clean_text
from agents.strategy_lines import DEFAULT_SECTION, MAX_BULLETS, SECTION_CHARS, TAG, bullet_lines, strategy_part
from records.nouns import Bullet, Edit, Strategy

MAX_EDITS = 4
MIN_TOKENS, MAX_TOKENS = 300, 2_000
REPLY_CHARS = 60_000

_THOUGHT = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL)


class EditError(Exception):
    """Edits that cannot be used; the message says which one and why."""


def parse_strategy(
    text: str, *, name: str, parent: Strategy | None = None, round: int | None = None, origin: tuple[str, ...] = ()
) -> Strategy:
    """Read headings and the lines of lists in every usual form; see `agents.strategy_lines`.

    Bullets that are (nearly) the same as one of `parent`, or begin with its id in brackets ("[b2]",
    "[b2, b5]"), keep its id, origin and round. Never raises: a text without bullets gives a strategy
    without bullets, which `check_size` refuses.
    """
    number = round if round is not None else (parent.round if parent else 0)
    lines = _bullet_lines(text, parent)
    taken = _match_ids(lines, parent)
    following = next_number(parent)
    bullets = []
    for index, (section, line) in enumerate(lines):
        if old := taken.get(index):
            text = _untagged(line, parent)
            lift = old.lift if text == old.text else None
            bullets.append(old.model_copy(update={"section": section, "text": text, "lift": lift}))
        else:
            new = Bullet(id=f"b{following}", section=section, text=line, origin=origin, round=number, created=number)
            bullets.append(new)
            following += 1
    return Strategy(name=name, bullets=tuple(bullets), parent=parent.hash if parent else None, round=number)


def _bullet_lines(text: str, parent: Strategy | None) -> list[tuple[str, str]]:
    """(section, text) of each bullet. Without a parent the ids in brackets name nothing, and are left out."""
    lines = bullet_lines(text)
    if parent is not None:
        return lines
    named: dict[str, str] = {}
    for section, line in lines:
        named.setdefault(_without_tags(line), section)
    return [(section, line) for line, section in named.items() if line]


def _without_tags(line: str) -> str:
    while TAG.match(line):
        line = clean_text(TAG.sub("", line, count=1))
    return line


def _match_ids(lines: list[tuple[str, str]], parent: Strategy | None) -> dict[int, Bullet]:
    """Which line continues which old bullet: by its tag, else equal text, else the closest one."""
    if parent is None:
        return {}
    matched: dict[int, Bullet] = {}
    used: set[str] = set()
    for index, (_, line) in enumerate(lines):
        tagged = [bullet for bullet in _tagged(line, parent) if bullet.id not in used]
        if tagged and _untagged(line, parent):
            origin = tuple(dict.fromkeys(one for bullet in tagged for one in bullet.origin))
            matched[index] = tagged[0].model_copy(update={"origin": origin})
            used.update(bullet.id for bullet in tagged)
    free = {bullet.text: bullet for bullet in parent.bullets if bullet.id not in used}
    for index, (_, line) in enumerate(lines):
        if index not in matched and line in free:
            matched[index] = free.pop(line)
    for index, (_, line) in enumerate(lines):
        if index not in matched and (close := difflib.get_close_matches(line, list(free), 1, cutoff=0.6)):
            matched[index] = free.pop(close[0])
    return matched


def _tagged(line: str, parent: Strategy) -> list[Bullet]:
    """The bullets of `parent` that a tag like "[b2, b5]" at the line's beginning names; all must exist."""
    tag = TAG.match(line)
    names = re.findall(r"b\d+", tag[1]) if tag else []
    known = {bullet.id: bullet for bullet in parent.bullets}
    return [known[name] for name in names] if all(name in known for name in names) else []


def _untagged(line: str, parent: Strategy | None) -> str:
    return clean_text(TAG.sub("", line)) if parent and _tagged(line, parent) else line


def with_lift(strategy: Strategy, parent: Strategy, lift: float | None) -> Strategy:
    """The strategy with the measured gain of an edit noted at the bullets that the edit brought in or changed."""
    before = {(bullet.id, bullet.text) for bullet in parent.bullets}
    bullets = tuple(
        bullet if (bullet.id, bullet.text) in before else bullet.model_copy(update={"lift": lift})
        for bullet in strategy.bullets
    )
    return strategy.model_copy(update={"bullets": bullets})


def next_number(strategy: Strategy | None) -> int:
    numbers = [int(b.id[1:]) for b in strategy.bullets if re.fullmatch(r"b\d{1,9}", b.id)] if strategy else []
    return max(numbers, default=0) + 1


def without_thoughts(reply: str) -> str:
    """A model's reply without its `<think>` blocks, an unclosed one included."""
    return _THOUGHT.sub("", reply).strip()


def strategy_text_in(reply: str) -> str:
    """The headings and bullets in a model's reply, without the talk around them."""
    return strategy_part(without_thoughts(reply)[:REPLY_CHARS])


def numbered(strategy: Strategy) -> str:
    """The strategy as its editor reads it: every bullet with its id."""
    lines: list[str] = []
    section = None
    for bullet in strategy.bullets:
        if bullet.section != section:
            section = bullet.section
            lines.append(f"## {section}")
        lines.append(f"[{bullet.id}] {bullet.text}")
    return "\n".join(lines)


def check_size(text: str, count_tokens: Callable[[str], int]) -> str | None:
    """What is wrong with a strategy's length, None if it has 300 to 2,000 tokens."""
    count = count_tokens(text)
    if count < MIN_TOKENS:
        return f"the strategy has {count} tokens, too few: {MIN_TOKENS} to {MAX_TOKENS} are allowed"
    if count > MAX_TOKENS:
        return f"the strategy has {count} tokens, too many: {MIN_TOKENS} to {MAX_TOKENS} are allowed"
    return None


def apply_edits(strategy: Strategy, edits: Sequence[Edit], round: int) -> Strategy:
    """The edited strategy. Raises EditError on an unknown id, an empty text, a bullet edited twice,
    more than four edits, or edits that change nothing."""
    if len(edits) > MAX_EDITS:
        raise EditError(f"{len(edits)} edits; at most {MAX_EDITS} at a time")
    known = {bullet.id for bullet in strategy.bullets}
    bullets, following, touched = list(strategy.bullets), next_number(strategy), set[str]()
    for number, edit in enumerate(edits, 1):
        _check_edit(number, edit, known, touched)
        touched.update(edit.bullet_ids)
        bullets = _apply(bullets, edit, f"b{following}", round)
        following += edit.operation == "ADD"
    edited = Strategy(name=strategy.name, bullets=tuple(bullets), parent=strategy.hash, round=round)
    if edited.hash == strategy.hash:
        raise EditError("the edits change nothing")
    _check_result(bullets)
    return edited


def _check_edit(number: int, edit: Edit, known: set[str], touched: set[str]) -> None:
    where = f"edit {number} ({edit.operation})"
    for identity in edit.bullet_ids:
        if identity not in known:
            raise EditError(
                f"{where}: there is no bullet '{identity[:20]}'; there are: {', '.join(sorted(known, key=_order))}"
            )
        if identity in touched:
            raise EditError(f"{where}: bullet {identity} is edited twice")
    least, most = {"ADD": (0, 0), "REPLACE": (1, 1), "DELETE": (1, MAX_BULLETS), "MERGE": (2, MAX_BULLETS)}[
        edit.operation
    ]
    count = len(set(edit.bullet_ids))
    if not least <= count <= most or count != len(edit.bullet_ids):
        wanted = {
            "ADD": "no bullet id",
            "REPLACE": "one bullet id",
            "DELETE": "bullet ids",
            "MERGE": "two or more bullet ids",
        }
        raise EditError(f"{where}: it needs {wanted[edit.operation]}, got {list(edit.bullet_ids)[:8]}")
    if edit.operation != "DELETE" and not clean_text(edit.text):
        raise EditError(f"{where}: its text is empty")


def _order(identity: str) -> tuple[int, str]:
    return len(identity), identity


def _apply(bullets: list[Bullet], edit: Edit, fresh: str, round: int) -> list[Bullet]:
    """One checked edit. REPLACE and MERGE keep the first bullet's id, section and place."""
    if edit.operation == "ADD":
        section = clean_text(edit.section, SECTION_CHARS) or DEFAULT_SECTION
        text = clean_text(edit.text)
        new = Bullet(id=fresh, section=section, text=text, origin=edit.origin, round=round, created=round)
        return [*bullets, new]
    named = [bullet for bullet in bullets if bullet.id in edit.bullet_ids]
    rest = set(edit.bullet_ids)
    if edit.operation == "DELETE":
        return [bullet for bullet in bullets if bullet.id not in rest]
    first = named[0]
    origin = tuple(dict.fromkeys([*(one for bullet in named for one in bullet.origin), *edit.origin]))
    changed = first.model_copy(update={"text": clean_text(edit.text), "origin": origin, "round": round, "lift": None})
    rest.discard(first.id)
    return [changed if bullet.id == first.id else bullet for bullet in bullets if bullet.id not in rest]


def _check_result(bullets: list[Bullet]) -> None:
    if not bullets:
        raise EditError("the edits leave no bullet")
    texts = [bullet.text for bullet in bullets]
    if twice := next((text for text in texts if texts.count(text) > 1), None):
        raise EditError(f"the strategy would say the same thing twice: '{twice[:80]}'")
