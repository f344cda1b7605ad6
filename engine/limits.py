"""Every bound on hostile input that the engine enforces, in one table.

Sizes are bytes unless the name says otherwise. The figures leave real input ample room: the
largest kernel BTF seen is 5.6 MB with 127,424 types, the largest real object below 2 MB.
"""

from __future__ import annotations

from typing import Final

OBJECT_BYTES: Final = 16 << 20
"""An ELF object."""
ELF_SECTIONS: Final = 4096
ELF_SYMBOLS: Final = 200_000
ELF_RELOCATIONS: Final = 200_000
PROGRAM_SLOTS: Final = 131_072
"""Instruction slots in one section."""
OBJECT_SLOTS: Final = 1_000_000
"""Instruction slots in one object."""

BTF_BYTES: Final = 64 << 20
"""One raw .BTF section, a kernel's or an object's."""
BTF_TYPES: Final = 1_000_000
BTF_NAME_BYTES: Final = 65_536
CORE_RELOCATIONS: Final = 65_536
LINE_INFOS: Final = 1_000_000
FUNC_INFOS: Final = 65_536

TYPE_CHAIN_STEPS: Final = 32
"""Modifiers and typedefs skipped in a row; libbpf relo_core.c uses the same figure."""
ACCESS_SPEC_PARTS: Final = 64
"""Indices of one access string; BPF_CORE_SPEC_MAX_LEN in libbpf's relo_core.h."""
MEMBERS_VISITED: Final = 200_000
"""Members met in one search below a struct, anonymous structs included."""
TRACED_CANDIDATES: Final = 100
"""Refused candidates that the trace of one relocation tells of."""
ARRAY_DIMENSIONS: Final = 256
"""Arrays of arrays followed when two field types are compared."""
TYPE_MATCH_STEPS: Final = 100_000
"""Pairs of types compared for one type_matches relocation."""
PAIR_DEPTH: Final = 300
"""Levels that two types are compared down to, side by side."""
COMPAT_DEPTH: Final = 32
"""Recursion of type compatibility; libbpf relo_core.c uses the same figure."""

GLOBALS_BYTES: Final = 16 << 20
"""One section of globals as a map of a guest."""

KERNEL_PACKAGE_BYTES: Final = 512 << 20
"""A distribution package given to `kernels add`."""
KERNEL_IMAGE_BYTES: Final = 1 << 30
"""An unpacked kernel image."""
MODULE_BYTES: Final = 256 << 20
"""One kernel module, unpacked; the largest of Debian's has 20 MB."""
MODULES_BYTES: Final = 4 << 30
"""All files of a package that are passed on the way to its modules."""
MODULES_BTF_BYTES: Final = 512 << 20
"""The .BTF sections of all modules of a package; Debian's 7.3 have 108 MB."""
MODINFO_BYTES: Final = 1 << 20
KERNEL_MODULES: Final = 20_000
"""Modules of one kernel; Debian's have some 4,200."""

SOURCE_BYTES: Final = 512 << 10
"""C source of one request, all files together."""
VMLINUX_H_BYTES: Final = 16 << 20
"""A generated vmlinux.h."""

FLOW_STEPS: Final = 20_000
FLOW_STEPS_PER_SLOT: Final = 20
FLOW_STEPS_MOST: Final = 400_000
"""Instructions that are followed through one program before everything counts as reachable."""
FLOW_PATH_SLOTS: Final = 400
"""Slots told of one path; the middle of a longer one is left out."""
GRAPH_BLOCKS: Final = 2_000
"""Basic blocks of one function that are drawn; more are listed."""
TYPE_LINES: Final = 1_500
"""Lines of one type shown beside a relocation; marked ones further down are shown as well."""

NEAREST_NAMES: Final = 20_000
"""Names compared with one that the target lacks."""
LOG_HEAD_BYTES: Final = 4 << 20
"""Read of a pasted log from its start; a longer log is cut in the middle."""
LOG_TAIL_BYTES: Final = 4 << 20
"""Read of a pasted log up to its end, where the verifier says what was wrong."""
LOG_LINES: Final = 250_000
"""Lines read of each of the two parts."""
LOG_LINE_CHARACTERS: Final = 2_000
"""Read of one line of a log."""
LOG_FACTS: Final = 200
"""Findings given for one log; the rest is counted."""
