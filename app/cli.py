"""The command line: `coreplay VERB ...`.

Verbs live in `app.commands`, imported when called, so that `coreplay --help` is quick.
Exit codes: 0 done, 1 the analysis failed (a loader refused, the source does not compile),
2 the input or the command line is wrong.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Final, NoReturn, cast

FAILED: Final = 1
BAD_INPUT: Final = 2
INTERRUPTED: Final = 130
_FAILURES: Final = frozenset({"compile-failed", "analysis-timeout"})


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the console script `coreplay` ends with what this returns."""
    words = sys.argv[1:] if argv is None else argv
    arguments = _parser(words[0] if words else "").parse_args(words)
    try:
        module = importlib.import_module(f"app.commands.{arguments.module}")
        code: int = module.run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader went away (`| head`); give Python a place to flush to at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        return _report(error)
    return code


def _report(error: Exception) -> int:
    """Print an error that a person can act on; let our own mistakes keep their traceback."""
    from app.errors import AppError, from_engine
    from engine.errors import EngineError

    if isinstance(error, EngineError):
        error = from_engine(error)
    if not isinstance(error, AppError):
        raise error
    for diagnostic in cast("list[dict[str, object]]", error.details.get("diagnostics", [])):
        print("{file}:{line}:{column}: {severity}: {text}".format_map(diagnostic), file=sys.stderr)
    place = f" ({error.place})" if error.place else ""
    print(f"coreplay: error[{error.code}]: {error.message}{place}", file=sys.stderr)
    if error.hint:
        print(f"  {error.hint}", file=sys.stderr)
    return FAILED if error.code in _FAILURES else BAD_INPUT


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in the same form as every other error."""

    def error(self, message: str) -> NoReturn:
        """Leave with code 2."""
        self.exit(
            BAD_INPUT,
            f"coreplay: error[bad-request]: {message}\n  {self.prog} --help tells more.\n",
        )


def _parser(verb: str = "") -> argparse.ArgumentParser:
    """Build the parser of one verb; of all verbs when it is none."""
    parser = _Parser(
        prog="coreplay", description="See what a BPF loader does to your program (CO-RE)."
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version")
    # With `prog` argparse need not make up a usage line, for which it looks at the terminal.
    verbs = parser.add_subparsers(
        metavar="VERB", required=True, parser_class=_Parser, prog=parser.prog
    )
    adders = {
        "serve": _add_serve,
        "compile": _add_compile,
        "relocate": _add_relocate,
        "check": _add_check,
        "verify": _add_verify,
        "matrix": _add_matrix,
        "explain": _add_explain,
        "log": _add_log,
        "kernels": _add_kernels,
        "btf": _add_btf,
        "vm": _add_vm,
        "loaders": _add_loaders,
        "batch": _add_batch,
    }
    for add in [adders[verb]] if verb in adders else adders.values():
        add(verbs)
    return parser


_Verbs = argparse._SubParsersAction  # argparse gives its type no public name


def _add_serve(verbs: _Verbs[_Parser]) -> None:
    serve = verbs.add_parser("serve", help="start the web server")
    serve.add_argument("--host", help="address to listen on (COREPLAY_HOST, 127.0.0.1)")
    serve.add_argument("--port", type=int, help="port to listen on (COREPLAY_PORT, 8000)")
    serve.add_argument("--workers", type=int, help="analyses at a time (COREPLAY_WORKERS)")
    serve.set_defaults(module="serve")


def _add_compile(verbs: _Verbs[_Parser]) -> None:
    compiler = verbs.add_parser("compile", help="compile C to a BPF object, in the jail")
    compiler.add_argument("source", metavar="F.c")
    compiler.add_argument("-o", dest="output", metavar="F.o", required=True)
    compiler.add_argument("--kernel", metavar="ID", help="the kernel that vmlinux.h describes")
    _add_compiler_options(compiler)
    compiler.set_defaults(module="compile")


def _add_relocate(verbs: _Verbs[_Parser]) -> None:
    relocate = verbs.add_parser("relocate", help="show what loaders make of a program")
    relocate.add_argument("program", metavar="F.o|F.c")
    target = relocate.add_mutually_exclusive_group(required=True)
    target.add_argument("--kernel", metavar="ID", action="append", help="repeat for several")
    target.add_argument("--btf", metavar="FILE", help="a raw BTF file as the kernel")
    relocate.add_argument(
        "--base-btf", metavar="FILE", help="what the split BTF of a module in --btf extends"
    )
    relocate.add_argument(
        "--module",
        dest="modules",
        metavar="NAME",
        action="append",
        default=[],
        help="a module that is loaded; repeat for several; all: all that were added",
    )
    _add_kconfig(relocate)
    relocate.add_argument(
        "--loader", metavar="ID", action="append", required=True, help="repeat for several"
    )
    relocate.add_argument("--json", action="store_true", help="as JSON, like the API")
    relocate.add_argument(
        "--debug-log", action="store_true", help="print libbpf's debug lines on stderr"
    )
    _add_compiler_options(relocate)
    relocate.set_defaults(module="relocate")


def _add_kconfig(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--kconfig",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="a setting that an extern in .kconfig asks for, as in .config; repeat for several",
    )


def _add_check(verbs: _Verbs[_Parser]) -> None:
    check = verbs.add_parser("check", help="judge and lint a program on many kernels; for CI")
    _add_many(check)
    forms = ("text", "json", "sarif", "markdown", "junit", "github")
    check.add_argument("--format", choices=forms, default="text", help="of the answer (text)")
    check.add_argument(
        "--fail-on", choices=("error", "warning"), default="error", help="for exit code 1 (error)"
    )
    check.add_argument(
        "--verify",
        action="store_true",
        help="ask the guests of these kernels, too; fail if refused",
    )
    _add_compiler_options(check)
    check.set_defaults(module="check")


def _add_verify(verbs: _Verbs[_Parser]) -> None:
    verify = verbs.add_parser("verify", help="ask the real verifier of guest kernels, in VMs")
    verify.add_argument("program", metavar="F.o|F.c")
    for name, default in (("--kernel", "all guests"), ("--loader", "newest libbpf and cilium")):
        verify.add_argument(
            name, metavar="ID,...", action="append", default=[], help=f"default: {default}"
        )
    verify.add_argument(
        "--program",
        dest="names",
        metavar="NAME,...",
        action="append",
        default=[],
        help="only these",
    )
    verify.add_argument(
        "--real", action="store_true", help="let the loaders themselves load it in the guest, too"
    )
    verify.add_argument("--log", type=int, choices=(1, 2), default=0, help="the verifier's log")
    verify.add_argument(
        "--run", metavar="FILE|zeros:N", help="run the programs on this input (BPF_PROG_TEST_RUN)"
    )
    verify.add_argument("--json", action="store_true", help="as JSON")
    _add_compiler_options(verify)
    verify.set_defaults(module="verify")


def _add_matrix(verbs: _Verbs[_Parser]) -> None:
    matrix = verbs.add_parser("matrix", help="show the values of relocations on many kernels")
    _add_many(matrix)
    matrix.add_argument("--differences", action="store_true", help="only what differs")
    matrix.add_argument("--json", action="store_true", help="as JSON")
    _add_compiler_options(matrix)
    matrix.set_defaults(module="matrix")


def _add_many(parser: argparse.ArgumentParser) -> None:
    """Add the program, and what it is looked at with."""
    parser.add_argument("program", metavar="F.o|F.c")
    parser.add_argument(
        "--kernels",
        metavar="all|ID,FILE.btf,...",
        action="append",
        default=[],
        help="default: all of the object's byte order",
    )
    parser.add_argument(
        "--loaders",
        metavar="ID,...",
        action="append",
        default=[],
        help="default: the newest libbpf and cilium/ebpf",
    )
    parser.add_argument(
        "--module",
        dest="modules",
        metavar="NAME",
        action="append",
        default=[],
        help="a module that is loaded; repeat for several; all: all that were added",
    )
    _add_kconfig(parser)


def _add_explain(verbs: _Verbs[_Parser]) -> None:
    explain = verbs.add_parser("explain", help="say why relocations came out as they did")
    explain.add_argument("program", metavar="F.o|F.c")
    explain.add_argument("--kernel", metavar="ID", required=True)
    explain.add_argument("--loader", metavar="ID", required=True)
    explain.add_argument("--relocation", type=int, metavar="N", help="only number N")
    explain.add_argument("--json", action="store_true", help="as JSON")
    _add_compiler_options(explain)
    explain.set_defaults(module="explain")


def _add_log(verbs: _Verbs[_Parser]) -> None:
    log = verbs.add_parser("log", help="say what a log of a verifier or loader means")
    log.add_argument("log", metavar="FILE", help="- is standard input")
    log.add_argument("--object", dest="program", metavar="F.o|F.c", help="what was loaded")
    log.add_argument("--kernel", metavar="ID", help="where it was loaded")
    log.add_argument("--loader", metavar="ID", help="what loaded it")
    log.add_argument("--json", action="store_true", help="as JSON")
    _add_compiler_options(log)
    log.set_defaults(module="log")


def _add_compiler_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--clang", type=int, metavar="MAJOR", help="default: the newest")
    parser.add_argument("--cpu", default="v3", metavar="v1..v4", help="-mcpu (v3)")
    parser.add_argument(
        "--byte-order",
        choices=("auto", "little", "big"),
        default="auto",
        help="auto: that of the kernel",
    )
    parser.add_argument("-O", dest="opt", default="2", metavar="LEVEL", help="1, 2, 3 or s (2)")
    parser.add_argument("-D", dest="defines", action="append", default=[], metavar="NAME[=VALUE]")


def _add_kernels(verbs: _Verbs[_Parser]) -> None:
    kernels = verbs.add_parser("kernels", help="list, show, add and check kernels")
    actions = kernels.add_subparsers(metavar="ACTION", required=True, parser_class=_Parser)
    listing = actions.add_parser("list", help="list all kernels")
    show = actions.add_parser("show", help="describe one kernel")
    show.add_argument("kernel", metavar="ID")
    add = actions.add_parser("add", help="add a raw .btf, a vmlinux, a vmlinuz, a .deb or a .ko")
    add.add_argument("file", metavar="FILE|running")
    add.add_argument("--release", metavar="NAME", help="what to call a kernel without a name")
    add.add_argument("--kernel", metavar="ID", help="the kernel that the modules in FILE are for")
    add.add_argument("--no-modules", action="store_true", help="leave a package's modules out")
    check = actions.add_parser("check", help="look for damage in a kernel and its modules")
    check.add_argument("kernel", metavar="ID")
    for action, verb in ((listing, "list"), (show, "show"), (add, "add"), (check, "check")):
        action.add_argument("--json", action="store_true", help="as JSON")
        action.set_defaults(module="kernels", action=verb)


def _add_btf(verbs: _Verbs[_Parser]) -> None:
    btf = verbs.add_parser("btf", help="reduce a BTF to what an object needs, look at types")
    actions = btf.add_subparsers(metavar="ACTION", required=True, parser_class=_Parser)
    smaller = actions.add_parser("minimize", help="write the smallest BTF that serves an object")
    smaller.add_argument("object", metavar="F.o")
    smaller.add_argument("-o", dest="output", metavar="MINI.btf", required=True)
    smaller.set_defaults(module="btf")
    show = actions.add_parser("show", help="print a type as C, with offsets and sizes")
    diff = actions.add_parser("diff", help="compare a type on two kernels")
    history = actions.add_parser("history", help="tell what became of a type, kernel by kernel")
    for action, verb in ((show, "show"), (diff, "diff"), (history, "history")):
        action.add_argument("type", metavar="TYPE", help="task_struct, 'struct file'")
        action.add_argument("--json", action="store_true", help="as JSON")
        action.set_defaults(module="btf_types", action=verb)
    for action in (smaller, show):
        source = action.add_mutually_exclusive_group(required=True)
        source.add_argument("--kernel", metavar="ID")
        source.add_argument("--btf", metavar="FILE", help="a raw BTF file")
        action.set_defaults(modules=None)
    diff.add_argument(
        "--kernel", metavar="ID", action="append", required=True, help="twice: the old, the new"
    )
    show.add_argument("--module", dest="modules", metavar="NAME", help="of the kernel: its types")


def _add_vm(verbs: _Verbs[_Parser]) -> None:
    vm = verbs.add_parser("vm", help="the real kernels that can be asked, in virtual machines")
    actions = vm.add_subparsers(metavar="ACTION", required=True, parser_class=_Parser)
    add = actions.add_parser("add", help="add a kernel: from Debian's archive, or a package")
    add.add_argument(
        "what", metavar="SERIES|newest|ID|FILE", nargs="+", help="6.1, newest, a linux-image .deb"
    )
    listing = actions.add_parser("list", help="list them")
    check = actions.add_parser("check", help="make the templates that are missing, ask each one")
    check.add_argument("guest", metavar="ID", nargs="?", help="only this one")
    remove = actions.add_parser("remove", help="forget one")
    remove.add_argument("guest", metavar="ID")
    for action, verb in ((add, "add"), (listing, "list"), (check, "check"), (remove, "remove")):
        if verb != "remove":
            action.add_argument("--json", action="store_true", help="as JSON")
        action.set_defaults(module="vm", action=verb)
    _add_vm_loaders(actions)


def _add_vm_loaders(actions: _Verbs[_Parser]) -> None:
    loaders = actions.add_parser("loaders", help="the real loaders that can run in guests")
    verbs = loaders.add_subparsers(metavar="ACTION", required=True, parser_class=_Parser)
    add = verbs.add_parser("add", help="build some from the public registries")
    add.add_argument("loader", metavar="ID", nargs="+", help="cilium@0.13.0, libbpf, aya")
    listing = verbs.add_parser("list", help="list them")
    remove = verbs.add_parser("remove", help="forget one")
    remove.add_argument("loader", metavar="ID")
    for action, verb in ((add, "add"), (listing, "list"), (remove, "remove")):
        if verb != "remove":
            action.add_argument("--json", action="store_true", help="as JSON")
        action.set_defaults(module="vm_loaders", action=verb)


def _add_loaders(verbs: _Verbs[_Parser]) -> None:
    loaders = verbs.add_parser("loaders", help="list the loader versions")
    loaders.add_argument("--json", action="store_true", help="as JSON")
    loaders.set_defaults(module="loaders")


def _add_batch(verbs: _Verbs[_Parser]) -> None:
    batch = verbs.add_parser("batch", help="relocate many objects, one JSON line each")
    batch.add_argument("jobs", metavar="JOBS.jsonl", help="one job a line; - is standard input")
    batch.set_defaults(module="batch")


class _Version(argparse.Action):
    """Looks the version up only when it is asked for."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> NoReturn:
        from app.version import version

        parser.exit(0, f"coreplay {version()}\n")


if __name__ == "__main__":
    sys.exit(main())
