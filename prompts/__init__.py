"""The prompts: one text file each, with `$field` placeholders.

Guaranteed: a missing or an unused field raises PromptError that names the file and the fields, and
a value that itself contains `$name` is inserted as it is. Not guaranteed: that a value is harmless;
the caller quotes what a model wrote.

Also the files that a domain brings along in `strategies/`: the short human-written strategy
(`<domain>.seed.md`) and the scripted oracle's rules (`<domain>.oracle.toml`).
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Template

from pydantic import Field, ValidationError

from records.nouns import Record

_FOLDER = Path(__file__).parent
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


class PromptError(Exception):
    """A prompt or strategy file is absent or broken, or the fields given do not fit it."""


@dataclass(frozen=True)
class Prompt:
    """A prompt file: its text with placeholders, and the hash that a call records."""

    name: str
    text: str

    @property
    def hash(self) -> str:
        """First 16 hex digits of the SHA-256 of the file's text."""
        return hashlib.sha256(self.text.encode("utf-8")).hexdigest()[:16]

    @property
    def fields(self) -> frozenset[str]:
        """Names of the placeholders."""
        return frozenset(Template(self.text).get_identifiers())

    def render(self, **values: str) -> str:
        """The text with every placeholder filled. Raises PromptError if a field is missing or unused."""
        missing = sorted(self.fields - values.keys())
        unused = sorted(values.keys() - self.fields)
        if missing or unused:
            faults = [f"missing: {', '.join(missing)}"] * bool(missing) + [f"unused: {', '.join(unused)}"] * bool(
                unused
            )
            raise PromptError(f"prompts/{self.name}.txt: {'; '.join(faults)}")
        return Template(self.text).substitute(values).strip()


class OracleDraft(Record):
    """One bullet of the strategy that the oracle writes before it has seen a result."""

    section: str = Field(min_length=1)
    text: str = Field(min_length=1, max_length=700)


class OracleLesson(Record):
    """A bullet that the oracle proposes once a failure of one of `kinds` was seen."""

    kinds: tuple[str, ...] = Field(min_length=1)
    section: str = Field(min_length=1)
    text: str = Field(min_length=1, max_length=700)


class OracleRules(Record):
    """A domain's file for the scripted oracle: `[[draft]]` and `[[lesson]]` tables."""

    draft: tuple[OracleDraft, ...] = Field(min_length=1)
    lesson: tuple[OracleLesson, ...] = ()


@cache
def load(name: str) -> Prompt:
    """Load prompts/<name>.txt. Raises PromptError if it is absent, empty or has a broken placeholder."""
    path = _FOLDER / f"{_checked(name)}.txt"
    text = _read(path)
    if not Template(text).is_valid():
        raise PromptError(f"{_shown(path)}: a '$' that starts no field; write '$$' for a plain dollar sign")
    return Prompt(name, text)


def all_hashes() -> dict[str, str]:
    """Hash of every prompt file by name: part of a run's fingerprint."""
    return {path.stem: load(path.stem).hash for path in sorted(_FOLDER.glob("*.txt"))}


@cache
def load_strategy_file(domain: str) -> str:
    """The domain's human-written strategy. Raises PromptError if there is none."""
    return _read(_FOLDER / "strategies" / f"{_checked(domain)}.seed.md").strip()


@cache
def load_oracle_rules(domain: str) -> OracleRules:
    """The domain's rules for the scripted oracle. Raises PromptError naming the file and the field."""
    path = _FOLDER / "strategies" / f"{_checked(domain)}.oracle.toml"
    return parse_oracle_rules(_read(path), _shown(path))


def parse_oracle_rules(text: str, source: str) -> OracleRules:
    """Validate the text of an oracle file; `source` is the name used in errors."""
    try:
        return OracleRules.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise PromptError(f"{source}: not TOML ({error})") from error
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise PromptError(f"{source}: {faults}") from error


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise PromptError(f"'{name}' is no name of a prompt or domain: letters, digits, '_' and '-' only")
    return name


def _shown(path: Path) -> str:
    return str(path.relative_to(_FOLDER.parent))


def _read(path: Path) -> str:
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError as error:
        present = ", ".join(sorted(other.name for other in path.parent.glob(f"*{''.join(path.suffixes)}"))) or "none"
        raise PromptError(f"{_shown(path)} does not exist; there are: {present}") from error
    if not text.strip():
        raise PromptError(f"{_shown(path)} is empty")
    return text
