"""What each loader makes of a module whose BTF it cannot read, in a sentence."""

from __future__ import annotations

from engine.btf.split import ModuleFault
from engine.core.policy import BrokenModule, LoaderPolicy, ModuleSearch


def handling(policy: LoaderPolicy, fault: ModuleFault) -> str:
    """Say what happens when a program is loaded while this module is."""
    if policy.modules is ModuleSearch.NEVER:
        return "never looks at modules"
    if fault.kind == "empty" and not policy.empty_modules_refused:
        return "reads it: there is nothing to find by name"
    if fault.kind == "broken" and policy.broken_modules is BrokenModule.PASSED_OVER:
        return "passes it over: its types are missing, and nobody is told"
    if policy.modules is ModuleSearch.TOGETHER:
        return "fails every program that has a CO-RE relocation"
    if policy.modules is ModuleSearch.ATTACHED:
        return "fails programs that attach to a function of this module"
    return "fails an object as soon as it asks for a type that vmlinux lacks"
