"""The loader versions that coreplay knows, as rows of policies."""

from __future__ import annotations

from engine.core.policy import LoaderPolicy
from engine.errors import UnknownLoader
from engine.loaders import aya, cilium, kernel, libbpf

__all__ = ["all_policies", "newest_of", "policy_of", "prints_debug_lines"]

_POLICIES: dict[str, LoaderPolicy] = {
    policy.id: policy for module in (libbpf, cilium, aya, kernel) for policy in module.POLICIES
}


def all_policies() -> tuple[LoaderPolicy, ...]:
    """Every known loader version, by loader, newest first."""
    return tuple(_POLICIES.values())


def newest_of(family: str) -> LoaderPolicy:
    """The newest known version of a loader, `libbpf`; raises UnknownLoader."""
    for policy in all_policies():
        if policy.family == family:
            return policy
    return policy_of(family)


def prints_debug_lines(loader: str) -> bool:
    """Whether a loader version tells its steps line by line, as the engine can print them."""
    return any(policy.id == loader for policy in libbpf.POLICIES)


def policy_of(loader: str) -> LoaderPolicy:
    """The policies of one loader version, `libbpf@1.7.0`; raises UnknownLoader."""
    found = _POLICIES.get(loader)
    if found is None:
        raise UnknownLoader(
            f"no loader is called {loader[:80]!r}",
            place="loader",
            hint=f"Known are {', '.join(_POLICIES)}.",
        )
    return found
