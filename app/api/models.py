"""The request and response bodies of /api/v1, with examples for the OpenAPI page.

Responses are made by `app.views.analysis_json` in a worker and sent as they are; the models
here describe them, and a test holds the two together.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from engine.flow.verdict import VerdictKind

EXAMPLE_SOURCE: Final = """\
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

SEC("kprobe/do_sys_open")
int prog(void *ctx)
{
    volatile int value = 0;

    if (bpf_core_enum_value_exists(enum cgroup_subsys_id, cpuset_cgrp_id))
        value = bpf_core_enum_value(enum cgroup_subsys_id, cpuset_cgrp_id);
    return value;
}

char LICENSE[] SEC("license") = "GPL";
"""

ByteOrderName = Literal["little", "big"]
U64 = Annotated[int, Field(ge=0, lt=1 << 64)]
Hex = Annotated[str, Field(pattern="^0x[0-9a-f]+$", examples=["0x5"])]
SlotHex = Annotated[
    str, Field(pattern="^[0-9a-f]{16}$", examples=["1801000001000000"], description="one slot")
]


class _Strict(BaseModel):
    """What is sent to us: a misspelt field is an error, not silence."""

    model_config = ConfigDict(extra="forbid", strict=True)


class AnalysisIn(_Strict):
    """C source or an object, and what to run on it."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "examples": [
                {
                    "source": EXAMPLE_SOURCE,
                    "kernels": ["6.1.0-56-amd64"],
                    "loaders": ["libbpf@1.7.0", "cilium@0.13.0"],
                }
            ]
        },
    )

    source: str | None = Field(None, description="One C file; it is called main.bpf.c.")
    files: dict[str, str] | None = Field(
        None,
        description="Several C files by name; the first one named *.c is compiled.",
    )
    object_base64: str | None = Field(None, description="A compiled object instead of C.")
    object_name: str = Field("", max_length=200, description="What to call the object.")
    kernels: list[str] = Field(description="Ids of kernels, as /api/v1/kernels gives them.")
    loaders: list[str] = Field(description="Ids of loaders, as /api/v1/loaders gives them.")
    modules: list[str] = Field(
        default_factory=list,
        max_length=500,
        description="Kernel modules that are loaded, by name; `all` for all that were added.",
    )
    kconfig: list[str] = Field(
        default_factory=list,
        max_length=200,
        description="Settings for externs in .kconfig, as in .config: CONFIG_HZ=250.",
    )
    clang: int | None = Field(None, description="Major version; the newest when left out.")
    cpu: str = Field("v3", description="-mcpu: v1, v2, v3 or v4.")
    byte_order: Literal["auto", "little", "big"] = Field(
        "auto", description="`auto` is the byte order of the first kernel."
    )
    opt: str = Field("O2", description="Optimisation level: O1, O2, O3 or Os.")
    defines: list[str] = Field(default_factory=list, description="NAME or NAME=value.")


class ErrorBody(BaseModel):
    """One error; compile errors also carry `diagnostics`, `command` and `clang_version`."""

    model_config = ConfigDict(extra="allow")

    code: str = Field(examples=["kernel-unknown"], description="Stable; see docs/api.md.")
    message: str = Field(examples=["There is no kernel '6.1'"])
    place: str = Field(examples=["kernels[0]"])
    hint: str = Field(examples=["Near: 6.1.0-56-amd64."])


class ErrorOut(BaseModel):
    """What every refusal looks like."""

    error: ErrorBody


class DiagnosticOut(BaseModel):
    """One message of the compiler."""

    file: str
    line: int
    column: int
    severity: str
    text: str


class CompileOut(BaseModel):
    """How the source was compiled."""

    command: str
    clang_version: str
    header: str = Field(description="How vmlinux.h was made: sliced, full or none.")
    milliseconds: dict[str, float]
    diagnostics: list[DiagnosticOut]


class ObjectOut(BaseModel):
    """The object that was relocated."""

    sha256: str
    bytes: int
    byte_order: ByteOrderName
    functions: list[str]


class LoaderErrorOut(BaseModel):
    """A loader's refusal in its own words, or our reason why this run could not be made."""

    code: str
    text: str


class InsnOut(BaseModel):
    """One instruction; a 64-bit load has two slots in `hex`."""

    slot: int
    hex: list[SlotHex] = Field(description="Bytes in the object's byte order.")
    text: str = Field(examples=["r1 = 0x1 ll"])


class SourceOut(BaseModel):
    """Where in the C source."""

    file: str
    column: int
    text: str


class RelocationOut(BaseModel):
    """One CO-RE record and what became of it."""

    number: int = Field(description="Position among the records of its ELF section.")
    kind: str = Field(examples=["enumval_value"])
    local: str = Field(examples=["enum cgroup_subsys_id::cpuset_cgrp_id"])
    access: str = Field(examples=["0"])
    slot: int
    slots: int
    line: int | None
    source: SourceOut | None
    orig: U64 | None
    orig_hex: Hex | None
    new: U64 | None
    new_hex: Hex | None
    outcome: Literal["patched", "unchanged", "poisoned", "failed", "skipped"]
    why: str


class JumpOut(BaseModel):
    """One jump: where it was meant to land and where it does, in slots after relocation."""

    slot_before: int
    slot_after: int
    intended: int | None
    actual: int
    landing: Literal["fine", "wrong-slot", "middle-of-load", "past-the-end"]
    lost: int = Field(description="Slots that vanished between the jump and its target.")


class FunctionOut(BaseModel):
    """One function before and after; `after` is null when the loader refused it."""

    name: str
    section: str
    offset: int = Field(description="Bytes from the start of its section.")
    error: LoaderErrorOut | None
    before: list[InsnOut]
    after: list[InsnOut] | None
    slot_map: list[int | None] = Field(description="Slot before -> slot after; null is lost.")
    changed_slots: list[int]
    lines: list[int | None] = Field(description="Per slot before: the C line.")
    relocations: list[RelocationOut]
    jumps: list[JumpOut]


class PoisonOut(BaseModel):
    """One poisoned instruction, in slots of the linked program."""

    slot: int
    function: str = Field(description="The function that it stands in.")
    reachable: Literal["no", "yes", "maybe"]
    why: str = Field(description="For `maybe`: why it cannot be told.")
    path: list[int] = Field(description="Slots that run before it; the middle may be left out.")


class VerdictOut(BaseModel):
    """What becomes of one program."""

    program: str
    section: str
    verdict: VerdictKind
    headline: str
    poisons: list[PoisonOut]
    remarks: list[str]


class RunOut(BaseModel):
    """One loader on one kernel."""

    kernel: str
    loader: str
    error: LoaderErrorOut | None
    verdicts: list[VerdictOut] = Field(description="One for each program; see docs/flow.md.")
    functions: list[FunctionOut]


class AnalysisOut(BaseModel):
    """The whole answer."""

    compile: CompileOut | None
    object: ObjectOut
    runs: list[RunOut]
    milliseconds: dict[str, float]


class KernelOut(BaseModel):
    """One kernel snapshot."""

    id: str = Field(examples=["6.1.0-56-amd64"])
    release: str
    series: str = Field(examples=["6.1"])
    arch: str | None = Field(examples=["amd64"])
    byte_order: ByteOrderName
    origin: Literal["committed", "added"]
    distribution: str | None
    source: str
    types: int | None = Field(description="Number of BTF types.")
    sha256: str = Field(description="Of the raw .BTF section.")
    raw_bytes: int
    modules: int = Field(description="Modules that were added to it.")


class KernelsOut(BaseModel):
    """All kernel snapshots."""

    kernels: list[KernelOut]


class LoaderOut(BaseModel):
    """One loader version."""

    id: str = Field(examples=["libbpf@1.7.0"])
    title: str
    family: str
    version: str
    notes: list[str] = Field(description="Where it differs, since when, which commit.")


class LoadersOut(BaseModel):
    """All loader versions."""

    loaders: list[LoaderOut]


class ClangOut(BaseModel):
    """One installed compiler."""

    major: int
    version: str


class ClangsOut(BaseModel):
    """All installed compilers, newest first, and whether they may be used."""

    clangs: list[ClangOut]
    jail: str = Field(description="ready, or why nothing can be compiled here.")


class HealthOut(BaseModel):
    """The server answers."""

    status: Literal["ok"]
    version: str
