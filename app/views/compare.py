"""The menus of a comparison: which kernel, loader and compiler stand left, and which right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.views.choices import Choices, Side
from app.views.menu import Option
from app.views.prose import loader_name


@dataclass(frozen=True, slots=True)
class SideMenu:
    """One side: `name` is `left` or `right`; `clangs` is empty for an object."""

    name: str
    kernels: tuple[Option, ...]
    loaders: tuple[Option, ...]
    clangs: tuple[Option, ...]


@dataclass(frozen=True, slots=True)
class CompareMenu:
    """Both sides; `active` while two sides are compared."""

    active: bool
    sides: tuple[SideMenu, SideMenu]


def compare_menu(
    choices: Choices,
    *,
    kernels: Sequence[str],
    loaders: Sequence[str],
    clangs: Sequence[int],
) -> CompareMenu:
    """Build the menus; what is shown now is what they start from."""
    usual = choices.clang or (clangs[0] if clangs else None)
    left, right = choices.compared or _start(choices)
    offered = () if choices.object else clangs
    return CompareMenu(
        active=choices.compared is not None,
        sides=(
            _menu("left", left, kernels, loaders, offered, usual),
            _menu("right", right, kernels, loaders, offered, usual),
        ),
    )


def _start(choices: Choices) -> tuple[Side, Side]:
    """Propose the two loaders that are shown, on the kernel that is shown."""
    first, last = (choices.loaders or ("",))[0], (choices.loaders or ("",))[-1]
    return Side(choices.shown_kernel, first), Side(choices.shown_kernel, last)


def _menu(
    name: str,
    side: Side,
    kernels: Sequence[str],
    loaders: Sequence[str],
    clangs: Sequence[int],
    usual: int | None,
) -> SideMenu:
    clang = side.clang or usual
    return SideMenu(
        name,
        tuple(Option(kernel, kernel, kernel == side.kernel) for kernel in kernels),
        tuple(Option(loader, loader_name(loader), loader == side.loader) for loader in loaders),
        tuple(Option(str(major), f"clang {major}", major == clang) for major in clangs),
    )
