"""One relocation for the drawer: stages to step through, types side by side, the instruction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from app.views.closeup import FixView, fix_view
from app.views.highlight import Coloured, highlight
from app.views.prose import Piece, Prose, count, loader_name
from app.views.type_links import Name, cut, type_url
from engine.explain.type_lines import TypeLine, TypeLines
from engine.explain.walk import Code, Considered, Stage, StageKind, Walk

AROUND: Final = 4
"""Lines shown on each side of a marked one while a long type is folded."""
SHORT: Final = 26
"""Lines of a type that is never folded."""
_TITLES: Final[dict[StageKind, str]] = {
    "asks": "The question",
    "accessor": "The accessor",
    "name": "The name that is looked for",
    "candidate": "Candidate",
    "missing": "Nothing fits",
    "choice": "The choice",
    "value": "The value",
    "instruction": "The instruction",
}


@dataclass(frozen=True, slots=True)
class LineView:
    """One line of C; `far` ones are folded away, `gap` counts those before a line that is not."""

    line: TypeLine
    runs: tuple[Coloured, ...]
    far: bool = False
    gap: int = 0

    @property
    def indent(self) -> str:
        """What stands before it."""
        return "    " * self.line.depth


@dataclass(frozen=True, slots=True)
class TypeView:
    """A type as C beside its offsets; `url` is its page, empty where it has none."""

    key: str
    title: str
    words: str
    size: str
    lines: tuple[LineView, ...]
    folded: int
    gap: int
    more: int
    url: str
    verdict: str = ""

    @property
    def enum(self) -> bool:
        """Whether its lines have values instead of offsets."""
        return self.words.startswith(("enum ", "an anonymous enum"))


@dataclass(frozen=True, slots=True)
class StageView:
    """One stage; `look` is the key of what it looks at: `program`, `candidate-0`, `code`."""

    kind: StageKind
    title: str
    texts: tuple[Prose, ...]
    look: str
    verdict: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """A kernel, loader or relocation to turn to."""

    value: str
    name: str
    shown: bool


@dataclass(frozen=True, slots=True)
class WalkView:
    """The view model of the drawer; `before` and `after` are the instruction's slots."""

    number: int
    kind: str
    access: str
    local: Name
    line: str
    source: tuple[Coloured, ...]
    outcome: str
    stages: tuple[StageView, ...]
    program: TypeView | None
    candidates: tuple[TypeView, ...]
    unseen: int
    before: tuple[Code, ...]
    after: tuple[Code, ...]
    fixes: tuple[FixView, ...]
    position: int
    total: int
    previous: int | None
    next: int | None
    loaders: tuple[Choice, ...]
    kernels: tuple[Choice, ...]

    @property
    def kernel(self) -> str:
        """The kernel that is looked into."""
        return next((kernel.name for kernel in self.kernels if kernel.shown), "")

    @property
    def loader(self) -> str:
        """The loader that walks."""
        return next((loader.name for loader in self.loaders if loader.shown), "")


def walk_view(
    walk: Walk,
    numbers: Sequence[int],
    *,
    kernels: Sequence[str],
    kernel: str,
    loaders: Sequence[str],
    loader: str,
) -> WalkView:
    """Build the view model; `numbers` are all relocations of the function, in order."""
    at = list(numbers).index(walk.number)
    shown = [(n, c) for n, c in enumerate(walk.candidates) if c.lines is not None]
    file, line, source = walk.line
    return WalkView(
        number=walk.number,
        kind=walk.kind,
        access=walk.access,
        local=cut(walk.local),
        line=f"{file.rpartition('/')[2]}:{line}" if line else "",
        source=highlight(source),
        outcome=walk.outcome,
        stages=tuple(_stage(stage, walk.candidates) for stage in walk.stages),
        program=_type("program", "in the program", walk.program, ""),
        candidates=tuple(
            view for n, c in shown if (view := _candidate(n, c, kernel, len(walk.candidates)))
        ),
        unseen=len(walk.candidates) - len(shown),
        before=walk.before,
        after=walk.after,
        fixes=tuple(fix_view(fix) for fix in walk.fixes),
        position=at + 1,
        total=len(numbers),
        previous=numbers[at - 1] if at else None,
        next=numbers[at + 1] if at + 1 < len(numbers) else None,
        loaders=tuple(Choice(one, loader_name(one), one == loader) for one in loaders),
        kernels=tuple(Choice(one, one, one == kernel) for one in kernels),
    )


def _stage(stage: Stage, candidates: Sequence[Considered]) -> StageView:
    texts = tuple(
        tuple(Piece(words, code) for words, code in sentence.text) for sentence in stage.sentences
    )
    title, verdict, look = _TITLES[stage.kind], "", str(stage.look)
    if stage.kind == "candidate" and 0 <= stage.candidate < len(candidates):
        found = candidates[stage.candidate]
        verdict, look = found.verdict, f"candidate-{stage.candidate}"
        title = "The candidate"
        if len(candidates) > 1:
            title = f"Candidate {stage.candidate + 1} of {len(candidates)}"
    elif look == "kernel":
        best = _best(candidates)
        look = f"candidate-{best}" if best >= 0 else "program"
    return StageView(stage.kind, title, texts, look, verdict)


def _best(candidates: Sequence[Considered]) -> int:
    """The candidate that a value speaks of: the first that fits, else the last."""
    fitting = [n for n, found in enumerate(candidates) if found.verdict == "fits"]
    return fitting[0] if fitting else len(candidates) - 1


def _candidate(number: int, found: Considered, kernel: str, total: int) -> TypeView | None:
    title = f"in {kernel}" if found.origin == "vmlinux" else f"in module {found.origin} of {kernel}"
    if total > 1:
        title = f"{title}, candidate {number + 1}"
    lines = found.lines
    url = ""
    if lines is not None and found.origin == "vmlinux":
        url = type_url(kernel, lines.name, lines.id)
    return _type(f"candidate-{number}", title, lines, url, found.verdict)


def _type(
    key: str, title: str, lines: TypeLines | None, url: str, verdict: str = ""
) -> TypeView | None:
    if lines is None:
        return None
    views, folded, gap = fold(lines.lines)
    size = count(lines.size, "byte") if lines.size else ""
    return TypeView(key, title, lines.words, size, views, folded, gap, lines.more, url, verdict)


def fold(lines: Sequence[TypeLine]) -> tuple[tuple[LineView, ...], int, int]:
    """Fold what is far from every marked line; give the lines, how many, and those at the end."""
    near = set(range(len(lines)))
    if len(lines) > SHORT:
        marked = [at for at, line in enumerate(lines) if line.mark]
        near = {0, 1, len(lines) - 1}
        for at in marked or [AROUND]:
            near |= set(range(at - AROUND, at + AROUND + 1))
    views = []
    gap = 0
    for at, line in enumerate(lines):
        runs = highlight(line.text)
        if at in near:
            views.append(LineView(line, runs, gap=gap))
            gap = 0
        else:
            views.append(LineView(line, runs, far=True))
            gap += 1
    return tuple(views), len(lines) - len(near & set(range(len(lines)))), gap
