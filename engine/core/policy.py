"""A loader version as data: every way in which loaders part, as one field each.

The relocation code reads these fields and never asks which loader it serves. The rows stand
in `engine.loaders`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto

from engine.btf.kinds import BtfKind


class Strategy(Enum):
    """How relocations and candidates are brought together."""

    SEQUENTIAL = auto()
    """One relocation at a time: walk the local path in each candidate; all must agree."""
    GROUPED = auto()
    """All relocations of one local type at once: the candidate with the best score wins."""


class FlavorRule(Enum):
    """Where a name is cut to get its essential part."""

    LAST_STRICT = auto()
    """At the last `X___Y` where neither X nor Y is an underscore."""
    LAST_LAX = auto()
    """At the last `___` that is not at the start."""
    FIRST = auto()
    """At the first `___`."""


class CandidateKinds(Enum):
    """Which kinds a candidate may have."""

    SAME = auto()
    SAME_OR_ENUM64 = auto()
    """The same, and ENUM meets ENUM64."""
    ANY = auto()


class ModuleSearch(Enum):
    """When the types of kernel modules are candidates."""

    NEVER = auto()
    WHEN_VMLINUX_HAS_NO_NAME = auto()
    TOGETHER = auto()
    """All modules beside vmlinux."""
    ATTACHED = auto()
    """Only the module that the program attaches to, beside vmlinux."""


class BrokenModule(Enum):
    """What a module's BTF that cannot be read does to who searches the modules."""

    REFUSED = auto()
    PASSED_OVER = auto()
    """The module has no types, and nobody is told."""


class Missing(Enum):
    """What an unmatched type_size or target_type_id becomes."""

    ZERO = auto()
    POISON = auto()
    REFUSE = auto()


class WidePoison(Enum):
    """What replaces a two-slot load that has no value."""

    TWO_CALLS = auto()
    ONE_CALL = auto()
    """The program loses a slot: jumps across it go astray."""
    R10_LOAD = auto()


class SizeChange(Enum):
    """What happens when a loaded or stored field changes its size."""

    RESIZE_OR_POISON = auto()
    RESIZE_OR_REFUSE = auto()
    IGNORED = auto()


class ArraySize(Enum):
    """Which size of an array field is compared for a size change."""

    ELEMENT = auto()
    WHOLE = auto()


class BitfieldLoad(Enum):
    """How the load of a bitfield is placed."""

    WIDENED = auto()
    """Doubled until it spans the bits."""
    ALIGNED = auto()
    """Rounded down to the alignment of its type, never widened."""


class Signedness(Enum):
    """How field_signed is answered."""

    FIELD = auto()
    """By the field's type; 0 for what has no sign."""
    FIELD_OR_REFUSE = auto()
    """By the field's type; an error for what has no sign."""
    WORD_BEHIND = auto()
    """Any enum is signed; for others the word behind the type is read as an encoding."""
    ROOT = auto()
    """By the root type, hence 0 for any field of a struct."""


class EnumSign(Enum):
    """How a 32-bit enumerator becomes a 64-bit value."""

    EXTENDED = auto()
    """Always sign-extended."""
    DECLARED = auto()
    """As the enum's kind_flag says."""
    CUT = auto()
    """Cut to 32 bits, the upper ones are 0."""


class MatchRule(Enum):
    """How type_matches is answered."""

    BY_LEVEL = auto()
    """Members are compared by value; behind a pointer only names and kinds."""
    FULL = auto()
    """Members are compared through pointers as well."""
    UNSUPPORTED = auto()
    """The relocation is an error of its program."""
    OBJECT_REFUSED = auto()
    """An object with such a record is refused."""


class FlexibleRule(Enum):
    """When an array of no length may be indexed."""

    LAST_MEMBER = auto()
    """When it is the last member of its struct or union."""
    INDEX_OF_LAST_MEMBER = auto()
    """On the local side, when the *index* is the number of the struct's last member."""


class FloatRule(Enum):
    """Whether FLOAT types are compatible for type relocations."""

    NO = auto()
    YES = auto()
    REFUSE = auto()


class LocalTypeId(Enum):
    """What local_type_id becomes."""

    OBJECT = auto()
    """The id in the object's BTF."""
    GENERATED = auto()
    """The id in the BTF that the loader writes for this program."""


class LinkOrder(Enum):
    """In which order subprograms are appended."""

    DEPTH_FIRST = auto()
    BREADTH_FIRST = auto()


class Wording(Enum):
    """How an error of a sequential loader is told."""

    LINES = auto()
    """One line for each warning, behind the program's name and the record's number."""
    SENTENCE = auto()
    """One sentence behind the section's name."""


@dataclass(frozen=True, slots=True)
class ReadingRules:
    """What an object may hold for a loader version to read it; the defaults take anything.

    unread_externs    data sections of BTF whose externs make the BTF unreadable; with `:function`,
                      `:typed` or `:untyped` only externs of that kind
    refused_sections  sections that an object may not have
    program_sections  names of program sections: `xdp`, `xdp/cpumap`, `kprobe/*` for any rest or
                      none; empty where all names are taken
    data_sections     patterns of the sections of globals; others cannot be referred to
    *_bindings        of the symbols of variables, called functions and externs
    map_fields        of definitions in .maps; empty where all are taken
    unset_map_fields  of these, those that are known and refused
    """

    unread_externs: frozenset[str] = frozenset()
    refused_sections: frozenset[str] = frozenset()
    program_sections: frozenset[str] = frozenset()
    checks_references: bool = False
    data_sections: tuple[str, ...] = ()
    data_bindings: frozenset[str] = frozenset()
    call_bindings: frozenset[str] = frozenset()
    extern_bindings: frozenset[str] = frozenset()
    map_fields: frozenset[str] = frozenset()
    unset_map_fields: frozenset[str] = frozenset()
    maps_may_be_typedefs: bool = True
    strings_refused: bool = False
    """Code may not refer to sections of strings."""
    weak_maps_are_static: bool = False
    """A reference to a map that is not global is told as one to a static map."""
    bindings_told_by_kind: bool = False
    """Errors about a binding say what kind of symbol it is, in place of one wording for all."""
    places_name_sections: bool = False
    """Errors about references name the section once more."""
    opens_as_libbpf: bool = False
    """Static programs, and externs that BTF does not describe, are refused."""
    legacy_maps_refused: bool = False
    """Maps are defined in .maps only, not in a section `maps`."""
    legacy_maps_have_sizes: bool = False
    """Definitions in `maps` have the sizes of their symbols; else all have the same size."""


@dataclass(frozen=True, slots=True)
class StructOpsRules:
    """How a loader version makes maps of structs of functions.

    sections     whose variables are such maps
    flavors      a suffix as in `tcp_congestion_ops___v2` is cut off the struct's name
    in_modules   modules are searched for the struct as well
    value_first  the map's value, `bpf_struct_ops_NAME`, is looked up before the struct
    zeros_may_be_missing  a member that the kernel lacks is passed over where it is not set
    reused_by_kernel_type  a program may serve several maps as one member of the kernel's struct,
                           else as one member of the object's struct
    """

    sections: frozenset[str]
    flavors: bool = True
    in_modules: bool = True
    value_first: bool = True
    zeros_may_be_missing: bool = True
    reused_by_kernel_type: bool = True


@dataclass(frozen=True, slots=True)
class LoaderPolicy:
    """One loader version; the fields say how it behaves, `notes` since which commit."""

    id: str
    title: str
    strategy: Strategy
    flavor: FlavorRule
    candidate_kinds: CandidateKinds
    modules: ModuleSearch
    pruning: bool
    missing_type: Missing
    wide_poison: WidePoison
    size_change: SizeChange
    array_size: ArraySize
    bitfield_load: BitfieldLoad
    signedness: Signedness
    enum_sign: EnumSign
    type_matches: MatchRule
    float_types: FloatRule
    local_type_id: LocalTypeId
    link_order: LinkOrder
    checks_value: bool
    """Compare the instruction with the value that the compiler is expected to have written."""
    checks_type_ids: bool
    """Compare type ids as well, which breaks objects that a linker renumbered."""
    errors_stop_object: bool
    """An error refuses the whole object, not only its program."""
    names_error_function: bool
    """An error tells the function that it happened in."""
    relocates_subprograms: bool
    """Functions of .text are relocated on their own; else only as part of a program."""
    hides_functions: bool
    """A global function that the object hides becomes static, whatever its BTF says."""
    anonymous_matches_any: bool
    """An anonymous enum or FWD is compatible with a named one."""
    missing_values_refused: bool
    """A field or enumerator that is missing refuses the object instead of poisoning."""
    new_value_errors_poison: bool
    """An error in computing the target's value poisons instead of refusing."""
    immediate_overflow_refused: bool
    newest_kind: BtfKind
    """BTF with a newer kind cannot be read."""
    whole_slots_only: bool = True
    """A record that points between two slots refuses the object; else it is rounded down."""
    broken_modules: BrokenModule = BrokenModule.REFUSED
    empty_modules_refused: bool = False
    """The BTF of a module that has no strings, a bare header of 24 bytes, cannot be read."""
    match_levels: int = 32
    """By-value levels that type compatibility and type_matches go down."""
    flexible_arrays: FlexibleRule = FlexibleRule.LAST_MEMBER
    counts_last_dimension_only: bool = False
    """The size of an array of arrays counts only its innermost dimension."""
    refused_offset_stays: bool = False
    """A member refused inside an anonymous struct leaves its offset added to the search."""
    depth_noticed_later: bool = False
    """A path that fills up inside anonymous structs is an error at the next member only."""
    refuses_anonymous_roots: bool = True
    """A relocation of a type without a name is an error."""
    object_btf_error: str = "EINVAL"
    """The code under which an object's BTF that cannot be read is reported."""
    target_btf_error: str = "EINVAL"
    refusal_code: str = ""
    """The code of every refusal while relocating; empty where it is an errno."""
    sizes_unsized_candidates: bool = False
    """The size of a candidate is asked before its kind, so one without a size is an error."""
    fixup_named_by_value: bool = False
    """Error texts name a patch by its values instead of by its record."""
    entry_linked_again: bool = False
    """A program that is called is appended to itself once more."""
    lone_text_is_program: bool = False
    """A function of .text is a program where the object has no other."""
    calls_text_only: bool = False
    """A call must lead to .text: programs cannot call programs."""
    poison_drops_metadata: bool = False
    """A poisoned instruction forgets its symbol, source line and function record."""
    reading: ReadingRules = field(default_factory=ReadingRules)
    ignores_unreadable_btf: bool = False
    """An object whose BTF cannot be read and is not needed for maps is not relocated at all."""
    wide_load_is_sum: bool = False
    """The value in a two-slot load is read as the sum of two signed halves: bit 31 carries."""
    newer_kind_text: str = "can't read types: type id {}: unknown kind: Unknown ({})"
    """The error for a type of a newer kind, with its id and kind; `newer_kind_note` goes before."""
    newer_kind_note: str = ""
    target_read_late: bool = False
    """The target's BTF is read when a relocation, or a program's attach point, needs it."""
    kconfig_externs: frozenset[str] = frozenset()
    """Patterns of names that kconfig externs may have; empty where any is taken."""
    weak_kconfig_externs: frozenset[str] = frozenset()
    """Patterns of those that may also be unknown, when they are weak."""
    resolves_externs: bool = True
    """Externs become kernel addresses or values; else loads of them stay, calls are errors."""
    struct_ops: StructOpsRules | None = None
    """None where struct_ops maps are not looked at."""
    wording: Wording = Wording.LINES
    errno_names: bool = True
    """Error texts name the errno (`-EINVAL`); older versions print its number."""
    notes: tuple[str, ...] = field(default=())
    """One line for each behaviour that a commit changed: what, since when, which commit."""

    @property
    def family(self) -> str:
        """The part of the id before the version."""
        return self.id.partition("@")[0]

    @property
    def version(self) -> str:
        """The part of the id behind the `@`."""
        return self.id.partition("@")[2]
