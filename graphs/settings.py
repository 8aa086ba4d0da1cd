"""From flags to the one configuration: defaults, then the domain's profile, then flags, then --set."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from domains import get_domain
from records.config import RunConfig

# What a profile measures in every domain, before the domain's own settings.
PROFILES: dict[str, dict[str, Any]] = {
    "quick": {},
    "full": {"ablation": {"use": True}, "crossmodel": {"select": "maximin", "source": True}},
}


class SettingsError(Exception):
    """A flag or `--set` that cannot be used; the message lists what can."""


def build_config(flags: Mapping[str, Any], overrides: Sequence[str]) -> RunConfig:
    """The configuration of a new run. `flags` that are None or empty count as not given.

    Raises SettingsError (unknown key or bad value) and DomainError (unknown domain).
    """
    given = {key: value for key, value in flags.items() if value not in (None, (), [])}
    profile = given.get("profile", "quick")
    values: dict[str, Any] = {"validators": _default_validators(given.get("student", "embedded"))}
    if profile not in PROFILES:
        raise SettingsError(f"--profile {profile}: there are {', '.join(PROFILES)}")
    _merge(values, PROFILES[profile])
    _merge(values, get_domain(given["domain"]).profile(profile))
    _merge(values, given)
    for override in overrides:
        _merge(values, _parse_override(override))
    try:
        return RunConfig.model_validate(values)
    except ValidationError as error:
        raise SettingsError("\n".join(_explain(item) for item in error.errors())) from error


def _default_validators(student: str) -> list[str]:
    return list(dict.fromkeys([student, "embedded"]))


def merged(settings: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with the changes, nested ones one by one."""
    result = copy.deepcopy(dict(settings))
    _merge(result, changes)
    return result


def _merge(target: dict[str, Any], source: Mapping[str, Any]) -> None:
    """Merge nested mappings into target."""
    for key, value in source.items():
        if isinstance(value, Mapping) and isinstance(target.get(key), dict):
            _merge(target[key], value)
        else:
            target[key] = dict(value) if isinstance(value, Mapping) else value


def _parse_override(text: str) -> dict[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise SettingsError(f"--set {text}: write it as key=value, for example --set loop.rounds=3")
    parsed: Any = yaml.safe_load(value) if value else ""
    for part in reversed(key.strip().split(".")):
        parsed = {part: parsed}
    return dict(parsed)


def _explain(item: Any) -> str:
    location = ".".join(str(part) for part in item["loc"])
    if item["type"] == "extra_forbidden":
        return f"unknown setting '{location}'; there are: {', '.join(_known_keys(item['loc'][:-1]))}"
    if not location:  # a check of several settings together
        return str(item["ctx"]["error"])
    return f"setting '{location}': {item['msg']} (given: {item['input']!r})"


def _known_keys(path: Sequence[int | str]) -> list[str]:
    model: type[BaseModel] = RunConfig
    for part in path:
        annotation = model.model_fields[str(part)].annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            model = annotation
    return list(model.model_fields)
