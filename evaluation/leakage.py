"""Text that crosses from one split to another, and answers that hide in a strategy.

Guaranteed: equal content hashes, equal prompts and reused ids between splits are errors. A
strategy that quotes an item of validation, test or ood - a problem id, a literal answer, five
words of its prompt in a row, eight of its reference - is caught, unless the quoted words are the
domain's own language: they stand in over a fifth of the training prompts, or in the prompts of
three training families. (Such words tell nothing of an item that training does not tell.)

So is a quotation in look-alikes, with invisible signs, marked up, spelled letter by letter or without spaces.

Not guaranteed: a leak in other words or encodings. The problems of one generator family differ only in their
parameters, so shared 8-grams and alike texts between train and test are by construction; they are
counted and reported, not forbidden. The answer to them is the ood split, whose families or sizes
are not in train. A class label ("YES") is no literal answer, and a bare number is an id only after
a word like "problem".
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import scipy  # loads its parts when they are used: the program starts faster

from evaluation.look_alikes import JoinedGrams, folded, normalise, readings
from records.nouns import Problem, Record, Split

STRATEGY_GRAM = 5
REFERENCE_GRAM = 8
SHORT_GRAM, LONG_GRAM, LONG_TEXT = 8, 13, 200  # n-gram sizes, and the words that make a text long
SHINGLE = 5
NEAR = 0.8  # Jaccard similarity from which two texts count as alike
BOILERPLATE_SHARE = 0.2
BOILERPLATE_FAMILIES = 3
SHORTEST_ANSWER = 4
LABEL_SHARE = 0.05  # an answer that more problems than that share is a class label
ORDER: tuple[Split, ...] = ("train", "validation", "test", "ood")
HELD_OUT: tuple[Split, ...] = ("validation", "test", "ood")

_EDGES = ".,;:!?\"'`()[]{}*_"
_WORD = re.compile(r"\w+")
_BARE_ID = r"(?:problem|task|item|question|example|case|id|no\.?|number)\s*[:#]?\s*|#\s*"


class Leak(Record):
    """One thing that stands where it must not. `excerpt` is the text found."""

    kind: str  # "content hash", "prompt", "id", "answer", "words of a prompt", "words of a reference"
    splits: tuple[Split, ...]
    problem_ids: tuple[str, ...]
    excerpt: str

    def __str__(self) -> str:
        where = ", ".join(self.problem_ids[:3]) + (" …" if len(self.problem_ids) > 3 else "")
        return f"{self.kind} of {where} ({'/'.join(self.splits)}): {self.excerpt!r}"


class Overlap(Record):
    """How alike the items of split `b` are to those of split `a`; counts of items of `b`."""

    text: str  # "prompt" or "reference"
    a: Split
    b: Split
    items: int
    identical: int
    shared_grams: int  # items that share a word n-gram which is not boilerplate
    near: int  # items with a similarity of NEAR or more to some item of `a`
    near_other_family: int  # those of them that are that much like an item of another family


class LeakReport(Record):
    """Result of `check_splits`: errors forbid the run, overlaps are figures to read."""

    errors: tuple[Leak, ...]
    overlaps: tuple[Overlap, ...]
    repeated_within: dict[str, int]  # split -> problems whose content hash the split already has

    @property
    def ok(self) -> bool:
        """No problem is in two splits."""
        return not self.errors


def words(text: str) -> list[str]:
    """Words of a text, without punctuation."""
    return _WORD.findall(normalise(text))


def word_grams(text: str, n: int) -> set[str]:
    """Runs of `n` words of the text, and of what its look-alikes mean."""
    return {gram for reading in {normalise(text), folded(text)} for gram in grams(_WORD.findall(reading), n)}


def grams(tokens: Sequence[str], n: int) -> set[str]:
    """Runs of `n` tokens; a shorter text of at least three tokens is one run."""
    if 3 <= len(tokens) < n:
        return {" ".join(tokens)}
    return {" ".join(tokens[i : i + n]) for i in range(len(tokens) - n + 1)}


def phrases(text: str, n: int) -> set[str]:
    """Runs of `n` words, counted both without punctuation and as separated by spaces."""
    found = word_grams(text, n)
    for reading in {normalise(text), folded(text)}:
        spaced = [token.strip(_EDGES) or token for token in reading.split()]
        found |= {f"␣{gram}" for gram in grams(spaced, n)}
    return found


class StrategyCheck:
    """Looks for held-out items in strategies. Built once per run, then asked for each candidate."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        train = [problem for problem in problems if problem.split == "train"]
        held_out = [problem for problem in problems if problem.split in HELD_OUT]
        self._problems = {problem.id: problem for problem in problems}
        self._prompts = _index(held_out, train, lambda p: phrases(p.prompt, STRATEGY_GRAM))
        self._references = _index(held_out, train, lambda p: word_grams(p.reference, REFERENCE_GRAM))
        self._answers = {answer: (_spellings(answer), ids) for answer, ids in _answers(problems).items()}
        self._ids = {problem.id: _spellings(problem.id) for problem in problems}
        self._joined_prompts = JoinedGrams({gram: ids for gram, ids in self._prompts.items() if gram[0] != "␣"})
        self._joined_references = JoinedGrams(self._references)

    def leaks(self, text: str) -> list[Leak]:
        """All leaks of one strategy text, the same for the same text."""
        forms = readings(text)
        found = list(self._id_leaks(forms)) + list(self._answer_leaks(forms))
        prompt_grams = phrases(text, STRATEGY_GRAM) | set(self._joined_prompts.within(text))
        found += self._gram_leaks("words of a prompt", prompt_grams, self._prompts)
        reference_grams = word_grams(text, REFERENCE_GRAM) | set(self._joined_references.within(text))
        found += self._gram_leaks("words of a reference", reference_grams, self._references)
        return found

    def _id_leaks(self, forms: Sequence[str]) -> Iterator[Leak]:
        for problem_id, keys in self._ids.items():
            if any(key in text and _id_pattern(key).search(text) for key in keys for text in forms):
                yield self._leak("id", [problem_id], problem_id)

    def _answer_leaks(self, forms: Sequence[str]) -> Iterator[Leak]:
        for answer, (keys, ids) in self._answers.items():
            if any(key in text and _stands_alone(key, text) for key in keys for text in forms):
                yield self._leak("answer", ids, answer)

    def _gram_leaks(self, kind: str, found: set[str], index: Mapping[str, list[str]]) -> list[Leak]:
        hits = sorted(found & index.keys())
        plain = [hit for hit in hits if not hit.startswith("␣")]
        return [self._leak(kind, index[hit], hit.removeprefix("␣")) for hit in plain or hits]

    def _leak(self, kind: str, ids: Sequence[str], excerpt: str) -> Leak:
        splits = {self._problems[problem_id].split for problem_id in ids}
        ordered = tuple(split for split in ORDER if split in splits)
        return Leak(kind=kind, splits=ordered, problem_ids=tuple(ids), excerpt=excerpt[:200])


def check_strategy(text: str, problems: Sequence[Problem]) -> list[Leak]:
    """Leaks of held-out items in a strategy text. For many texts, build one `StrategyCheck`."""
    return StrategyCheck(problems).leaks(text)


def check_splits(problems: Sequence[Problem]) -> LeakReport:
    """Compare all splits with each other: errors by identity, figures by likeness."""
    errors = [
        *_shared("id", problems, lambda problem: problem.id),
        *_shared("content hash", problems, lambda problem: problem.content_hash),
        *_shared("prompt", problems, lambda problem: normalise(problem.prompt)),
    ]
    splits = {name: [problem for problem in problems if problem.split == name] for name in ORDER}
    overlaps = []
    for text in ("prompt", "reference"):
        overlaps += _overlaps(text, splits)
    repeated = {str(name): len(items) - len({p.content_hash for p in items}) for name, items in splits.items() if items}
    return LeakReport(errors=tuple(errors), overlaps=tuple(overlaps), repeated_within=repeated)


def _shared(kind: str, problems: Sequence[Problem], key: Callable[[Problem], str]) -> Iterator[Leak]:
    """Problems of different splits with the same key."""
    groups: dict[str, list[Problem]] = defaultdict(list)
    for problem in problems:
        groups[key(problem)].append(problem)
    for value, group in groups.items():
        splits = tuple(name for name in ORDER if any(problem.split == name for problem in group))
        if len(splits) > 1 or (kind == "id" and len(group) > 1):
            ids = tuple(problem.id for problem in group)
            yield Leak(kind=kind, splits=splits, problem_ids=ids, excerpt=value[:200])


def _boilerplate(problems: Sequence[Problem], pieces: Sequence[set[str]]) -> set[str]:
    """Pieces of text that are the domain's language, by their number of problems and families."""
    counts: Counter[str] = Counter()
    families: dict[str, set[str]] = defaultdict(set)
    for problem, found in zip(problems, pieces, strict=True):
        counts.update(found)
        for piece in found:
            families[piece].add(problem.family)
    often = max(1.0, BOILERPLATE_SHARE * len(problems))
    return {p for p, count in counts.items() if count > often or len(families[p]) >= BOILERPLATE_FAMILIES}


def _index(
    held_out: Sequence[Problem], train: Sequence[Problem], pieces: Callable[[Problem], set[str]]
) -> dict[str, list[str]]:
    """Piece of text -> ids of the held-out problems that have it, without boilerplate."""
    common = _boilerplate(train, [pieces(problem) for problem in train])
    index: dict[str, list[str]] = defaultdict(list)
    for problem in held_out:
        for piece in pieces(problem) - common:
            index[piece].append(problem.id)
    return index


def _answers(problems: Sequence[Problem]) -> dict[str, list[str]]:
    """Literal answers -> ids of the held-out problems; class labels, which many share, are none."""
    found: dict[str, list[Problem]] = defaultdict(list)
    for problem in problems:
        if problem.answer is not None and len(normalise(problem.answer)) >= SHORTEST_ANSWER:
            found[normalise(problem.answer)].append(problem)
    often = max(2.0, LABEL_SHARE * len(problems))
    rare = {text: group for text, group in found.items() if len(group) <= often}
    ids = {text: [problem.id for problem in group if problem.split in HELD_OUT] for text, group in rare.items()}
    return {text: held_out for text, held_out in ids.items() if held_out}


def _spellings(key: str) -> tuple[str, ...]:
    """A name or an answer as it may stand in the readings of a text."""
    return tuple(form for number, form in enumerate(readings(key)) if number == 0 or len(form) >= SHORTEST_ANSWER)


def _stands_alone(key: str, text: str) -> bool:
    return re.search(rf"(?<![^\W_]){re.escape(key)}(?![^\W_])", text) is not None


def _id_pattern(key: str) -> re.Pattern[str]:
    bare = key.isdigit() or len(key) < 3
    return re.compile((rf"(?:{_BARE_ID})" if bare else r"(?<![^\W_])") + re.escape(key) + r"(?![^\W_])")


@dataclass(frozen=True)
class _Half:
    """One kind of text of one split, with its pieces as sparse 0/1 matrices (texts x pieces)."""

    problems: Sequence[Problem]
    texts: Sequence[str]
    shingles: scipy.sparse.csr_matrix
    grams: scipy.sparse.csr_matrix


def _overlaps(text: str, splits: Mapping[Split, Sequence[Problem]]) -> list[Overlap]:
    present = [name for name in ORDER if splits[name]]
    everything = [problem for name in present for problem in splits[name]]
    texts = [normalise(getattr(problem, text)) for problem in everything]
    shingles, text_grams = _matrix([_shingles(value) for value in texts]), _matrix([_text_grams(t) for t in texts])
    halves: dict[Split, _Half] = {}
    start = 0
    for name in present:
        rows = slice(start, start + len(splits[name]))
        halves[name] = _Half(splits[name], texts[rows], shingles[rows], text_grams[rows])
        start = rows.stop
    return [_overlap(text, a, b, halves[a], halves[b]) for a, b in combinations(present, 2)]


def _overlap(text: str, a: Split, b: Split, first: _Half, second: _Half) -> Overlap:
    alike = _jaccard(second.shingles, first.shingles) >= NEAR
    family_a = np.array([problem.family for problem in first.problems])
    family_b = np.array([problem.family for problem in second.problems])
    known = set(first.texts)
    return Overlap(
        text=text,
        a=a,
        b=b,
        items=len(second.problems),
        identical=sum(value in known for value in second.texts),
        shared_grams=int(((second.grams @ first.grams.sum(axis=0).T) > 0).sum()),
        near=int(alike.any(axis=1).sum()),
        near_other_family=int((alike & (family_b[:, None] != family_a[None, :])).any(axis=1).sum()),
    )


def _shingles(text: str) -> set[str]:
    return {text[i : i + SHINGLE] for i in range(max(1, len(text) - SHINGLE + 1))}


def _text_grams(text: str) -> set[str]:
    tokens = _WORD.findall(text)
    return grams(tokens, LONG_GRAM if len(tokens) > LONG_TEXT else SHORT_GRAM)


def _matrix(sets: Sequence[set[str]]) -> scipy.sparse.csr_matrix:
    """Rows = texts, columns = pieces, without pieces that over a fifth of all texts share."""
    counts = Counter(piece for found in sets for piece in found)
    often = max(2.0, BOILERPLATE_SHARE * len(sets))
    columns = {piece: i for i, piece in enumerate(p for p, count in counts.items() if count <= often)}
    return _sparse([[columns[piece] for piece in found if piece in columns] for found in sets], len(columns))


def _sparse(rows: Sequence[list[int]], width: int) -> scipy.sparse.csr_matrix:
    starts = np.cumsum([0, *(len(row) for row in rows)])
    columns = np.fromiter((column for row in rows for column in row), dtype=np.int32, count=int(starts[-1]))
    data = np.ones(len(columns), dtype=np.int32)
    return scipy.sparse.csr_matrix((data, columns, starts), shape=(len(rows), max(1, width)))


def _jaccard(left: scipy.sparse.csr_matrix, right: scipy.sparse.csr_matrix) -> np.ndarray:
    """Jaccard similarity of every row of `left` with every row of `right`."""
    common = (left @ right.T).toarray().astype(float)
    union = left.sum(axis=1) + right.sum(axis=1).T - common
    return np.asarray(common / np.maximum(union, 1))


def near_duplicates(texts: Iterable[str], others: Iterable[str]) -> list[bool]:
    """For each text, whether one of `others` is alike (character shingles, Jaccard ≥ NEAR)."""
    left, right = [normalise(text) for text in texts], [normalise(text) for text in others]
    matrix = _matrix([_shingles(text) for text in (*left, *right)])
    if not left or not right:
        return [False] * len(left)
    alike = _jaccard(matrix[: len(left)], matrix[len(left) :]) >= NEAR
    return [bool(row.any()) for row in alike]
