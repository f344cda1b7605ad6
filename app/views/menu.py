"""The form: what can be chosen, and what is chosen now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.views.choices import CPUS, OPTS, ORDERS, Choices
from app.views.prose import loader_name


@dataclass(frozen=True, slots=True)
class Option:
    """One thing to choose; `note` says more about it in small letters."""

    value: str
    text: str
    chosen: bool
    note: str = ""


@dataclass(frozen=True, slots=True)
class Menu:
    """All options of the form; `second_loaders` starts with `none`."""

    kernels: tuple[Option, ...]
    kernels_summary: str
    first_loaders: tuple[Option, ...]
    second_loaders: tuple[Option, ...]
    clangs: tuple[Option, ...]
    cpus: tuple[Option, ...]
    orders: tuple[Option, ...]
    opts: tuple[Option, ...]


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel that can be chosen."""

    id: str
    note: str


def menu(
    choices: Choices,
    *,
    kernels: Sequence[Kernel],
    loaders: Sequence[str],
    clangs: Sequence[tuple[int, str]],
) -> Menu:
    """Build the form's options; `clangs` are major and full versions, newest first."""
    first, second = (*choices.loaders, "", "")[:2]
    clang = choices.clang
    if clang is None and clangs:
        clang = clangs[0][0]
    return Menu(
        kernels=tuple(
            Option(k.id, k.id, k.id in choices.kernels, k.note)
            for k in sorted(kernels, key=lambda k: _place(k.id, choices.kernels))
        ),
        kernels_summary=_summary(choices.kernels),
        first_loaders=_loaders(loaders, first),
        second_loaders=(Option("", "none", not second), *_loaders(loaders, second)),
        clangs=tuple(
            Option(str(major), f"clang {major}", major == clang, full) for major, full in clangs
        ),
        cpus=tuple(Option(cpu, cpu, cpu == choices.cpu) for cpu in CPUS),
        orders=tuple(Option(key, text, key == choices.order) for key, text in ORDERS.items()),
        opts=tuple(Option(opt, f"-{opt}", opt == choices.opt) for opt in OPTS),
    )


def _place(kernel: str, chosen: Sequence[str]) -> int:
    """Put the chosen kernels first and in their order: a form sends them as they stand."""
    return chosen.index(kernel) if kernel in chosen else len(chosen)


def _loaders(loaders: Sequence[str], chosen: str) -> tuple[Option, ...]:
    return tuple(Option(loader, loader_name(loader), loader == chosen) for loader in loaders)


def _summary(kernels: Sequence[str]) -> str:
    if not kernels:
        return "none"
    more = f" +{len(kernels) - 1}" if len(kernels) > 1 else ""
    return kernels[0] + more
