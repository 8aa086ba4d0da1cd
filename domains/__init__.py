"""What can be learned: one file per domain. A domain's module offers it as `DOMAIN`."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import MappingProxyType

from domains.base import Domain, DomainError

DOMAINS: Mapping[str, str] = MappingProxyType(
    {
        "debugging": "domains.debugging",
        "mathematics": "domains.mathematics",
        "proofs": "domains.proofs",
        "python": "domains.python",
        "scheduling": "domains.scheduling",
    }
)


def get_domain(name: str) -> Domain:
    """The domain of that name, imported when asked for. Raises DomainError listing the names."""
    if name not in DOMAINS:
        raise DomainError(f"there is no domain '{name}'; choose one of: {', '.join(DOMAINS)}")
    domain: Domain = importlib.import_module(DOMAINS[name]).DOMAIN
    return domain
