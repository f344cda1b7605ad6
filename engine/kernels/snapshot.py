"""One kernel's BTF as the catalog knows it: a `<id>.btf.xz` and a `<id>.json` beside it."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, cast

from engine import limits
from engine.btf.kinds import ByteOrder
from engine.errors import KernelFileError

Origin = Literal["committed", "added"]

SUFFIX: Final = ".btf.xz"
ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]{0,79}")
"""What a snapshot's id, and so its file name, may look like."""
_REPAIR: Final = "Remove its two files and add the kernel again."


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A kernel whose BTF is at hand; opening it is the catalog's work."""

    id: str
    """`6.1.0-56-amd64`: unique, and safe in a path, a URL and a command line."""
    release: str
    """What `uname -r` says there."""
    arch: str | None
    """As Debian names it: amd64, arm64, s390x."""
    byte_order: ByteOrder
    sha256: str
    """Of the raw .BTF section, in hex."""
    raw_bytes: int
    """Length of the raw .BTF section."""
    origin: Origin
    types: int | None
    """Number of types, void not counted."""
    path: Path
    """The xz-compressed .BTF section."""
    distribution: str | None = None
    source: str = ""
    """The package or file it was taken from."""

    @property
    def series(self) -> str:
        """The first two numbers of the release: `6.1`."""
        found = re.match(r"\d+\.\d+", self.release)
        return found[0] if found else ""

    def sort_key(self) -> tuple[object, ...]:
        """Order by series, then architecture, then the rest; a release without numbers is last."""
        numbers = tuple(int(part) for part in self.series.split(".") if part)
        return (not numbers, numbers, self.arch or "", _natural(self.release), self.id)

    def read(self) -> bytes:
        """Unpack the raw .BTF section; raises KernelFileError when it is not what was recorded."""
        from engine.kernels.inflate import inflate  # late: an index needs no unpacking

        place = self.path.name
        try:
            packed = self.path.read_bytes()
        except OSError as error:
            raise KernelFileError(
                f"the snapshot cannot be read: {error.strerror}", place=place, hint=_REPAIR
            ) from error
        raw = bytearray()
        for chunk in inflate("xz", memoryview(packed), place=place):
            raw += chunk
            if len(raw) > self.raw_bytes:
                break
        if hashlib.sha256(raw).hexdigest() != self.sha256:
            raise KernelFileError(
                "the snapshot is not the one that was recorded: its sha256 differs",
                place=place,
                hint=_REPAIR,
            )
        return bytes(raw)

    def manifest(self) -> str:
        """The content of the snapshot's JSON file."""
        fields = {name: getattr(self, name) for name in _FIELDS}
        return json.dumps(fields, indent=2, sort_keys=True) + "\n"


_FIELDS: Final[dict[str, tuple[type, ...]]] = {
    "release": (str,),
    "arch": (str, type(None)),
    "byte_order": (str,),
    "sha256": (str,),
    "raw_bytes": (int,),
    "types": (int, type(None)),
    "distribution": (str, type(None)),
    "source": (str,),
}


def read_manifest(path: Path, origin: Origin) -> Snapshot:
    """Read `<id>.json`; raises KernelFileError that names the field that is wrong."""
    try:
        fields: Any = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise KernelFileError(
            f"the snapshot's record cannot be read: {error}", place=path.name, hint=_REPAIR
        ) from error
    snapshot_id = path.name.removesuffix(".json")
    wrong = _wrong_field(snapshot_id, fields)
    if wrong:
        raise KernelFileError(
            "the snapshot's record is damaged", place=f"{path.name}, {wrong}", hint=_REPAIR
        )
    btf = path.with_name(snapshot_id + SUFFIX)
    if not btf.is_file():
        raise KernelFileError("the snapshot's .btf.xz is missing", place=btf.name, hint=_REPAIR)
    known = {name: fields[name] for name in _FIELDS}
    return Snapshot(id=snapshot_id, origin=origin, path=btf, **known)


def _wrong_field(snapshot_id: str, fields: object) -> str:
    """Name what is wrong with a manifest, or give nothing."""
    if not ID.fullmatch(snapshot_id):
        return "file name"
    if not isinstance(fields, dict):
        return "not an object"
    record = cast("dict[str, object]", fields)
    for name, kinds in _FIELDS.items():
        value = record.get(name)
        if name not in record or not isinstance(value, kinds) or isinstance(value, bool):
            return f"field {name}"
    if record["byte_order"] not in ("little", "big"):
        return "field byte_order"
    if not re.fullmatch(r"[0-9a-f]{64}", str(record["sha256"])):
        return "field sha256"
    if not 0 < cast("int", record["raw_bytes"]) <= limits.BTF_BYTES:
        return "field raw_bytes"
    return ""


def pack(raw: bytes) -> bytes:
    """Compress a raw .BTF section for the catalog: 4.4 MB become 1.0 MB in about 2 s."""
    import lzma  # late: only for a kernel that is added

    return lzma.compress(raw, preset=6)


def _natural(text: str) -> tuple[tuple[int, str], ...]:
    """Split digits from the rest, so that `-9` sorts before `-56`."""
    parts = re.findall(r"(\d+)|(\D+)", text)
    return tuple((int(number), "") if number else (-1, word) for number, word in parts)
