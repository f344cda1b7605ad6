"""The whole error tree of the engine; every class has a stable `code`.

An exception means that the input is malformed or exceeds a limit. A relocation that
finds no target is not an error but an outcome (see `engine.core.result`).
"""

from __future__ import annotations

from typing import ClassVar


class EngineError(Exception):
    """One clear sentence, the place it speaks of, and what to do about it.

    `place` names file, line, byte or field (`.BTF byte 0x18, field str_off`); `hint` is a
    sentence that tells the reader what to do. Either may be empty.
    """

    code: ClassVar[str] = "engine"

    def __init__(self, message: str, *, place: str = "", hint: str = "") -> None:
        super().__init__(f"{message} ({place})" if place else message)
        self.message = message
        self.place = place
        self.hint = hint

    def __reduce__(self) -> tuple[object, ...]:
        """Errors cross process borders, so pickling keeps every attribute."""
        return (_rebuild, (type(self), self.args, dict(self.__dict__)))


def _rebuild(
    cls: type[EngineError], args: tuple[object, ...], attributes: dict[str, object]
) -> EngineError:
    error = cls.__new__(cls)
    error.args = args
    error.__dict__.update(attributes)
    return error


class LimitExceeded(EngineError):
    """The input is larger than a bound in `engine.limits` allows."""

    code = "limit-exceeded"


class ElfError(EngineError):
    """The file is not an ELF object that we can read."""

    code = "elf-malformed"


class NotBpfError(ElfError):
    """The ELF file is well formed but holds no BPF code (another machine, or not relocatable)."""

    code = "elf-not-bpf"


class NoBtfError(ElfError):
    """The object has no .BTF section, so there is nothing to relocate against."""

    code = "object-without-btf"


class NoProgramsError(ElfError):
    """The object is well formed but holds no function, so there is nothing to look at."""

    code = "object-without-programs"


class InsnError(EngineError):
    """The bytes are not a whole number of BPF instruction slots."""

    code = "insn-malformed"


class BtfDecodeError(EngineError):
    """The .BTF bytes are not what the format promises."""

    code = "btf-decode"

    def __init__(self, what: str, *, at: int, hint: str = "") -> None:
        super().__init__(what, place=f"byte {at:#x} of .BTF", hint=hint)
        self.at = at


class BtfExtDecodeError(EngineError):
    """The .BTF.ext bytes are not what the format promises."""

    code = "btf-ext-decode"

    def __init__(self, what: str, *, at: int, hint: str = "") -> None:
        super().__init__(what, place=f"byte {at:#x} of .BTF.ext", hint=hint)
        self.at = at


class BtfTypeError(EngineError):
    """A type graph is cyclic, too deep, or has no size where one is needed."""

    code = "btf-type"


class BtfEncodeError(EngineError):
    """The types cannot be written as BTF (a value does not fit its field)."""

    code = "btf-encode"


class ByteOrderMismatch(EngineError):
    """Object and target BTF have different byte orders; we refuse rather than guess."""

    code = "byte-order-mismatch"


class UnknownLoader(EngineError):
    """No loader version of this name is known."""

    code = "loader-unknown"


class UnsupportedStage(EngineError):
    """This loader cannot be asked for this stage."""

    code = "stage-not-supported"


class KernelUnknown(EngineError):
    """The catalog has no kernel snapshot of this id."""

    code = "kernel-unknown"


class KernelFileError(EngineError):
    """A kernel package, image or BTF file cannot be read."""

    code = "kernel-file"
