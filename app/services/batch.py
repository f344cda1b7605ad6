"""Many relocations in one process, one JSON line each: `coreplay batch`.

    job     {"id", "object", "btf", "base_btf", "loader", "stage"}
    answer  {"id", "loader", "programs": {"<function>": {"section", "insns", "error"}}, "error"}

`insns` are the slots after that stage, 16 hex digits each, in the object's own byte order.
`programs` has the functions of .text where the loader handles them on their own (libbpf), and
only the function it stopped in where it refused the whole object.
Paths are taken from `folders`, the first that has the file. Objects and BTFs that were read
stay in memory for the next job, within bounds.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from engine import limits
from engine.btf.decode import Btf
from engine.btf.kinds import ByteOrder
from engine.core.candidates import Target
from engine.core.policy import LoaderPolicy
from engine.core.prepare import PreparedObject, prepare
from engine.core.relocate import relocate_object
from engine.core.result import LoaderError
from engine.elf.object import parse_object
from engine.errors import EngineError, LimitExceeded
from engine.insn.codec import Insn, encode_insn
from engine.loaders import policy_of
from engine.loaders.attach import for_loader
from engine.loaders.link import link_object

Answer = dict[str, Any]
T = TypeVar("T")

OPEN_FILES: Final = 24
STAGES: Final = ("core", "linked")
_LINE_CHARACTERS: Final = 1 << 20


class JobError(Exception):
    """A line that is no job; `code` and `text` go into its answer."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


@dataclass(frozen=True, slots=True)
class Job:
    """One line, checked."""

    object: str
    btf: str
    base_btf: str | None
    loader: str
    stage: str


class Batch:
    """Answers jobs; keep one for all of them, for the sake of what it keeps open."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = folders
        self._objects: _Files[PreparedObject] = _Files(limits.OBJECT_BYTES)
        self._btfs: _Files[Btf] = _Files(limits.BTF_BYTES)

    def answers(self, lines: Iterable[str]) -> Iterator[str]:
        """Answer each line that is not blank with one line, in order, as they come."""
        for line in lines:
            if line.strip():
                yield json.dumps(self.answer(line), separators=(",", ":"))

    def answer(self, line: str) -> Answer:
        """Answer one line; whatever is wrong with it is in the answer's `error`."""
        known: Answer = {"id": None, "loader": None}
        try:
            fields = _fields(line)
            known = {"id": fields.get("id"), "loader": fields.get("loader")}
            return known | self._programs(_job(fields))
        except JobError as error:
            return known | _refusal(error.code, error.text)
        except EngineError as error:
            return known | _refusal(error.code, str(error))
        except (RecursionError, MemoryError) as error:
            return known | _refusal("limit-exceeded", f"more than can be done: {error}")

    def _programs(self, job: Job) -> Answer:
        policy = policy_of(job.loader)
        prepared = self._objects.get(self._path(job.object, "object"), _prepared)
        target = for_loader(prepared, self._target(job), policy)
        if job.stage == "linked":
            return _linked(prepared, target, policy)
        return relocated(prepared, target, policy)

    def _target(self, job: Job) -> Target:
        """A kernel, or a kernel with the one module whose split BTF was given."""
        path = self._path(job.btf, "btf")
        if job.base_btf is None:
            return Target(self._btfs.get(path, Btf.parse))
        from engine.kernels.module_store import module_btf  # late: most runs need none

        base_path = self._path(job.base_btf, "base_btf")
        base = self._btfs.get(base_path, Btf.parse)
        module = self._btfs.get(
            path,
            lambda data: module_btf(data, path.name, base),
            variant=f"{base_path} {base.sha256}",
        )
        return Target(base, modules=((path.stem, module),))

    def _path(self, text: str, field: str) -> Path:
        for folder in self._folders:
            path = folder / text
            if path.is_file():
                return path
        raise JobError("file-unreadable", f"{field}: there is no file {text}")


class _Files(Generic[T]):
    """What was read from files, kept by path and time stamp; the least recently used go."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._read: OrderedDict[tuple[object, ...], T] = OrderedDict()

    def get(self, path: Path, parse: Callable[[bytes], T], *, variant: str = "") -> T:
        """Give the parsed file; errors are not kept."""
        try:
            status = path.stat()
            key = (str(path), status.st_mtime_ns, status.st_size, variant)
            if key in self._read:
                self._read.move_to_end(key)
                return self._read[key]
            data = path.read_bytes() if status.st_size <= self._limit else None
        except OSError as problem:
            raise JobError("file-unreadable", f"{path}: {problem.strerror}") from None
        if data is None:
            raise LimitExceeded(f"{path} is larger than {self._limit} bytes")
        value = self._read[key] = parse(data)
        if len(self._read) > OPEN_FILES:
            self._read.popitem(last=False)
        return value


def relocated(prepared: PreparedObject, target: Target, policy: LoaderPolicy) -> Answer:
    """Answer stage `core`: every function that this loader speaks of.

    One that refused the object tells where it stopped; one that takes subprograms as parts of
    programs has nothing to say of them alone.
    """
    result = relocate_object(prepared, target, policy)
    order = prepared.obj.byte_order
    programs = {}
    for function in result.functions:
        if result.error is not None and function.error is None:
            continue
        if policy.relocates_subprograms or function.section != ".text":
            insns = None if function.error is not None else function.after
            programs[function.name] = _program(function.section, insns, function.error, order)
    return {"programs": programs, "error": _error(result.error)}


def _linked(prepared: PreparedObject, target: Target, policy: LoaderPolicy) -> Answer:
    """Answer stage `linked`: the programs as the kernel would be given them."""
    result = link_object(prepared, target, policy)
    order = prepared.obj.byte_order
    programs = {
        program.name: _program(program.section, program.insns, program.error, order)
        for program in result.programs
        if result.error is None or program.error is not None
    }
    for function in prepared.functions:
        if result.error is not None and function.name == result.failed_function:
            programs[function.name] = _program(function.section, None, result.error, order)
    return {"programs": programs, "error": _error(result.error)}


def _prepared(data: bytes) -> PreparedObject:
    return prepare(parse_object(data))


def _fields(line: str) -> dict[str, object]:
    if len(line) > _LINE_CHARACTERS:
        raise JobError("job-malformed", "the line is too long")
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError) as problem:
        raise JobError("job-malformed", f"the line is not JSON: {problem}") from None
    if not isinstance(fields, dict):
        raise JobError("job-malformed", "the line is not a JSON object")
    return fields


def _job(fields: dict[str, object]) -> Job:
    """Check the fields; others than a job's are ignored, so that answers can be jobs again."""
    texts: dict[str, str] = {}
    for name in ("object", "btf", "loader"):
        value = fields.get(name)
        if not isinstance(value, str) or not value or "\0" in value:
            raise JobError("job-malformed", f"{name} must be a text that is not empty")
        texts[name] = value
    base = fields.get("base_btf")
    if base is not None and (not isinstance(base, str) or not base or "\0" in base):
        raise JobError("job-malformed", "base_btf must be a path or null")
    stage = fields.get("stage", "core")
    if stage not in STAGES:
        raise JobError("job-malformed", f"stage must be one of {', '.join(STAGES)}")
    return Job(base_btf=base, stage=str(stage), **texts)


def _program(
    section: str, insns: Sequence[Insn] | None, error: LoaderError | None, order: ByteOrder
) -> Answer:
    return {
        "section": section,
        "insns": [_hex(insn, order) for insn in insns or ()],
        "error": _error(error),
    }


@lru_cache(maxsize=16_384)
def _hex(insn: Insn, order: ByteOrder) -> str:
    return encode_insn(insn, order).hex()


def _error(error: LoaderError | None) -> dict[str, str] | None:
    return None if error is None else {"code": error.code, "text": error.text}


def _refusal(code: str, text: str) -> Answer:
    return {"programs": {}, "error": {"code": code, "text": text}}
