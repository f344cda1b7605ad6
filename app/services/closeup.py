"""One function seen from near: what of it can run, its graph, the story of each relocation.

An analysis has all programs; this is for the one that is looked at, on one kernel, from the
object that the analysis was of.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from app.services.graphs import Graph, GraphLook, graph_of, too_large
from app.services.verdicts import FunctionId, function_id
from engine.core.candidates import Target
from engine.core.relocate import relocate_object
from engine.explain.fixes import Fix, fixes
from engine.explain.story import Story, tell
from engine.flow.cfg import function_cfgs
from engine.flow.overlay import overlay
from engine.flow.picture import Marks, marks_of, picture_of
from engine.flow.verdict import Verdict, judge
from engine.loaders import policy_of
from engine.loaders.attach import for_loader
from engine.loaders.link import Piece, link_object

if TYPE_CHECKING:
    from engine.btf.kinds import ByteOrder
    from engine.core.policy import LoaderPolicy
    from engine.core.prepare import PreparedObject
    from engine.core.result import FunctionResult
    from engine.flow.reach import Answer

STORIES: Final = 50
"""Relocations of one function that are told; the table has a row for each anyway."""
_WORST: Final[Sequence[Answer]] = ("no", "maybe", "yes")


@dataclass(frozen=True, slots=True)
class CloseupRequest:
    """Which function of which object, on which kernel, with which loaders.

    numbers  relocations that are told, as they count in the section
    drawn    whether large graphs are drawn, too
    view     graphs beside each other, laid over the one before, or as lists of blocks
    dot      whether graphs are written as DOT, too
    """

    object: bytes = field(repr=False)
    kernel: str
    loaders: tuple[str, ...]
    function: FunctionId
    modules: tuple[str, ...] = ()
    numbers: tuple[int, ...] = ()
    drawn: bool = False
    view: GraphLook = "side"
    dot: bool = False

    def digest(self) -> str:
        """Give a SHA-256 over everything that decides the answer, as 64 hex digits."""
        how = [self.numbers, self.drawn, self.view, self.dot]
        known = json.dumps([self.kernel, self.loaders, self.function, self.modules, *how])
        return hashlib.sha256(known.encode() + b"\0" + self.object).hexdigest()


@dataclass(frozen=True, slots=True)
class Told:
    """One relocation with its story and what to write instead."""

    story: Story
    fixes: tuple[Fix, ...]


@dataclass(frozen=True, slots=True)
class Near:
    """One loader's side; slots count in the function after relocation.

    dead   slots that cannot run; empty where that was not asked, as nothing is poisoned
    path   slots on the way to poison
    reach  by number of the relocation: whether the poison that stands for it can run
    """

    loader: str
    graph: Graph | None = None
    dead: frozenset[int] = frozenset()
    path: frozenset[int] = frozenset()
    reach: Mapping[int, Answer] = field(default_factory=dict)
    told: Mapping[int, Told] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Closeup:
    """The graph before relocation, and each loader's side in the order of the request."""

    before: Graph | None = None
    sides: tuple[Near, ...] = ()

    def side(self, loader: str) -> Near:
        """Give the side of a loader; an empty one where it has none."""
        return next((side for side in self.sides if side.loader == loader), Near(loader))


def look(
    prepared: PreparedObject, target: Target, release: str, request: CloseupRequest
) -> Closeup:
    """Look at one function; raises EngineError for what cannot be relocated at all."""
    before: Graph | None = None
    sides = []
    for loader in request.loaders:
        policy = policy_of(loader)
        found = _Found.of(prepared, target, policy, request.function, release)
        graph = None
        if found.function is not None:
            order = prepared.obj.byte_order
            if before is None and request.view != "over":
                first = function_cfgs(found.function)[0]
                before = too_large(first, request) or graph_of(
                    picture_of(first, Marks(), order), "cfg-old", request
                )
            graph = _after(found, order, request, loader)
        told = dict(_told(found, prepared, target, policy, request.numbers))
        sides.append(Near(loader, graph, found.dead(), frozenset(found.path), found.reach, told))
    return Closeup(before, tuple(sides))


def _after(found: _Found, order: ByteOrder, request: CloseupRequest, loader: str) -> Graph | None:
    """Draw what a loader made of the function; None where it refused it."""
    function = found.function
    assert function is not None  # noqa: S101  # the caller asked
    first, after = function_cfgs(function)
    if after is None:
        return None
    large = too_large(after, request)
    if large is not None:
        return large
    marks = replace(found.marks, visited=None) if found.everything else found.marks
    prefix = f"cfg-{_anchor(loader)}-{_anchor(request.kernel)}"
    if request.view == "over":
        picture = overlay(function, first, marks, order)
        return None if picture is None else graph_of(picture, f"{prefix}-over", request)
    origin = {now: slot for slot, now in enumerate(function.slot_map) if now is not None}
    return graph_of(picture_of(after, marks, order, origin), prefix, request)


def _anchor(name: str) -> str:
    """A part of an element's id."""
    return "".join(c if c.isascii() and c.isalnum() else "-" for c in name)


@dataclass(slots=True)
class _Found:
    """What the programs that the function belongs to say of it."""

    function: FunctionResult | None = None
    marks: Marks = field(default_factory=Marks)
    explored: bool = False
    everything: bool = False
    """A program has the function that was not explored: all of it may run there."""
    path: set[int] = field(default_factory=set)
    reach: dict[int, Answer] = field(default_factory=dict)

    @staticmethod
    def of(
        prepared: PreparedObject,
        target: Target,
        policy: LoaderPolicy,
        wanted: FunctionId,
        release: str,
    ) -> _Found:
        found = _Found()
        target = for_loader(prepared, target, policy)
        for program in link_object(prepared, target, policy).programs:
            pieces = [piece for piece in program.pieces if function_id(piece) == wanted]
            if pieces:
                verdict = judge(prepared, program, policy.id, release)
                for piece in pieces:
                    found.add(piece, verdict)
        if found.function is None:  # refused, or called by no program: there is still a story
            result = relocate_object(prepared, target, policy)
            found.function = next(
                (f for f in result.functions if (f.section, f.name) == wanted), None
            )
        return found

    def add(self, piece: Piece, verdict: Verdict) -> None:
        """Take in one copy of the function: what runs in any of them can run."""
        self.function = self.function or piece.function
        if verdict.reach is None:
            self.everything = True
            return
        start, span = piece.start, range(piece.start, piece.start + piece.slots)
        marks = marks_of(
            verdict.reach,
            start,
            piece.slots,
            poisons=verdict.poisons,
            strays=verdict.strays,
        )
        stops = {fact.slot for fact in verdict.poisons if fact.reachable != "no"}
        stops |= {complaint.slot for complaint in verdict.reach.complaints}
        if not stops <= set(span):
            self.everything = True  # what comes after a call that does not return is not known
        behind = _behind(piece.function, {slot - start for slot in stops if slot in span})
        marks = replace(marks, visited=(marks.visited or frozenset()) | behind)
        self.marks = _both(self.marks, marks) if self.explored else marks
        self.explored = True
        for fact in verdict.poisons:
            self.path.update(slot - start for slot in fact.path if slot in span)
            if fact.slot in span and fact.relocation is not None:
                number = fact.relocation.number
                known = self.reach.get(number, "no")
                self.reach[number] = max(known, fact.reachable, key=_WORST.index)

    def dead(self) -> frozenset[int]:
        """Slots that no copy runs; the second slot of a load goes with its first."""
        visited = self.marks.visited
        code = self.function.after if self.function else None
        if visited is None or code is None or self.everything:
            return frozenset()
        seconds = {slot + 1 for slot in visited if slot < len(code) and code[slot].is_ld_imm64}
        return frozenset(range(len(code))) - visited - seconds


def _behind(function: FunctionResult, stops: set[int]) -> frozenset[int]:
    """Give what jumps lead to from slots at which a verifier stops: it is not dead for that."""
    cfg = function_cfgs(function)[1] if stops else None
    if cfg is None:
        return frozenset()
    found: set[int] = set()
    ways: dict[int, list[int]] = {}
    for edge in cfg.edges:
        if edge.target is not None:
            ways.setdefault(edge.source, []).append(edge.target)
    waiting: list[int] = []
    for stop in stops:
        block = cfg.block_at(stop)
        if block is not None:
            found.update(range(stop, block.end))
            waiting += ways.get(block.number, ())
    seen: set[int] = set()
    while waiting:
        number = waiting.pop()
        if number not in seen:
            seen.add(number)
            found.update(range(cfg.blocks[number].start, cfg.blocks[number].end))
            waiting += ways.get(number, ())
    return frozenset(found)


def _both(one: Marks, other: Marks) -> Marks:
    return replace(
        one,
        visited=(one.visited or frozenset()) | (other.visited or frozenset()),
        poison=one.poison | other.poison,
        stray=one.stray | other.stray,
        taken=(one.taken or frozenset()) | (other.taken or frozenset()),
    )


def _told(
    found: _Found,
    prepared: PreparedObject,
    target: Target,
    policy: LoaderPolicy,
    numbers: Sequence[int],
) -> Iterator[tuple[int, Told]]:
    if found.function is None:
        return
    wanted = set(numbers[:STORIES])
    for row in found.function.relocations:
        if row.number in wanted:
            story = tell(row, prepared, target, policy, found.function)
            yield row.number, Told(story, fixes(row, prepared, target, policy, found.function))
