"""What a section's name says about its programs: type, attach type and what they attach to.

The names are those of libbpf src/libbpf.c section_defs @ v1.7.0; the numbers behind them are
the kernel's and are looked up in its BTF where they are needed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from engine.btf.kinds import BtfKind, TypeId
from engine.core.candidates import Target
from engine.core.policy import LoaderPolicy, ModuleSearch
from engine.core.prepare import PreparedObject

_EXACT: Final = """
socket SOCKET_FILTER
sk_reuseport/migrate SK_REUSEPORT SK_REUSEPORT_SELECT_OR_MIGRATE
sk_reuseport SK_REUSEPORT SK_REUSEPORT_SELECT
tc/ingress SCHED_CLS TCX_INGRESS
tc/egress SCHED_CLS TCX_EGRESS
tcx/ingress SCHED_CLS TCX_INGRESS
tcx/egress SCHED_CLS TCX_EGRESS
tc SCHED_CLS
classifier SCHED_CLS
action SCHED_ACT
netkit/primary SCHED_CLS NETKIT_PRIMARY
netkit/peer SCHED_CLS NETKIT_PEER
syscall SYSCALL
xdp.frags/devmap XDP XDP_DEVMAP
xdp/devmap XDP XDP_DEVMAP
xdp.frags/cpumap XDP XDP_CPUMAP
xdp/cpumap XDP XDP_CPUMAP
xdp.frags XDP XDP
xdp XDP XDP
perf_event PERF_EVENT
lwt_in LWT_IN
lwt_out LWT_OUT
lwt_xmit LWT_XMIT
lwt_seg6local LWT_SEG6LOCAL
sockops SOCK_OPS CGROUP_SOCK_OPS
sk_skb/stream_parser SK_SKB SK_SKB_STREAM_PARSER
sk_skb/stream_verdict SK_SKB SK_SKB_STREAM_VERDICT
sk_skb/verdict SK_SKB SK_SKB_VERDICT
sk_skb SK_SKB
sk_msg SK_MSG SK_MSG_VERDICT
lirc_mode2 LIRC_MODE2 LIRC_MODE2
flow_dissector FLOW_DISSECTOR FLOW_DISSECTOR
cgroup_skb/ingress CGROUP_SKB CGROUP_INET_INGRESS
cgroup_skb/egress CGROUP_SKB CGROUP_INET_EGRESS
cgroup/skb CGROUP_SKB
cgroup/sock_create CGROUP_SOCK CGROUP_INET_SOCK_CREATE
cgroup/sock_release CGROUP_SOCK CGROUP_INET_SOCK_RELEASE
cgroup/sock CGROUP_SOCK CGROUP_INET_SOCK_CREATE
cgroup/post_bind4 CGROUP_SOCK CGROUP_INET4_POST_BIND
cgroup/post_bind6 CGROUP_SOCK CGROUP_INET6_POST_BIND
cgroup/bind4 CGROUP_SOCK_ADDR CGROUP_INET4_BIND
cgroup/bind6 CGROUP_SOCK_ADDR CGROUP_INET6_BIND
cgroup/connect4 CGROUP_SOCK_ADDR CGROUP_INET4_CONNECT
cgroup/connect6 CGROUP_SOCK_ADDR CGROUP_INET6_CONNECT
cgroup/connect_unix CGROUP_SOCK_ADDR CGROUP_UNIX_CONNECT
cgroup/sendmsg4 CGROUP_SOCK_ADDR CGROUP_UDP4_SENDMSG
cgroup/sendmsg6 CGROUP_SOCK_ADDR CGROUP_UDP6_SENDMSG
cgroup/sendmsg_unix CGROUP_SOCK_ADDR CGROUP_UNIX_SENDMSG
cgroup/recvmsg4 CGROUP_SOCK_ADDR CGROUP_UDP4_RECVMSG
cgroup/recvmsg6 CGROUP_SOCK_ADDR CGROUP_UDP6_RECVMSG
cgroup/recvmsg_unix CGROUP_SOCK_ADDR CGROUP_UNIX_RECVMSG
cgroup/getpeername4 CGROUP_SOCK_ADDR CGROUP_INET4_GETPEERNAME
cgroup/getpeername6 CGROUP_SOCK_ADDR CGROUP_INET6_GETPEERNAME
cgroup/getpeername_unix CGROUP_SOCK_ADDR CGROUP_UNIX_GETPEERNAME
cgroup/getsockname4 CGROUP_SOCK_ADDR CGROUP_INET4_GETSOCKNAME
cgroup/getsockname6 CGROUP_SOCK_ADDR CGROUP_INET6_GETSOCKNAME
cgroup/getsockname_unix CGROUP_SOCK_ADDR CGROUP_UNIX_GETSOCKNAME
cgroup/sysctl CGROUP_SYSCTL CGROUP_SYSCTL
cgroup/getsockopt CGROUP_SOCKOPT CGROUP_GETSOCKOPT
cgroup/setsockopt CGROUP_SOCKOPT CGROUP_SETSOCKOPT
cgroup/dev CGROUP_DEVICE CGROUP_DEVICE
sk_lookup SK_LOOKUP SK_LOOKUP
netfilter NETFILTER NETFILTER
"""
_WITH_TARGET: Final = """
kprobe KPROBE
uprobe KPROBE
kretprobe KPROBE
uretprobe KPROBE
kprobe.multi KPROBE TRACE_KPROBE_MULTI
kretprobe.multi KPROBE TRACE_KPROBE_MULTI
kprobe.session KPROBE TRACE_KPROBE_SESSION
uprobe.multi KPROBE TRACE_UPROBE_MULTI
uretprobe.multi KPROBE TRACE_UPROBE_MULTI
uprobe.session KPROBE TRACE_UPROBE_SESSION
ksyscall KPROBE
kretsyscall KPROBE
usdt KPROBE
tracepoint TRACEPOINT
tp TRACEPOINT
raw_tracepoint RAW_TRACEPOINT
raw_tp RAW_TRACEPOINT
raw_tracepoint.w RAW_TRACEPOINT_WRITABLE
raw_tp.w RAW_TRACEPOINT_WRITABLE
tp_btf TRACING TRACE_RAW_TP
fentry TRACING TRACE_FENTRY
fmod_ret TRACING MODIFY_RETURN
fexit TRACING TRACE_FEXIT
fsession TRACING TRACE_FSESSION
freplace EXT
lsm LSM LSM_MAC
lsm_cgroup LSM LSM_CGROUP
iter TRACING TRACE_ITER
struct_ops STRUCT_OPS
"""
_BTF_PREFIXES: Final = {
    "TRACE_RAW_TP": ("btf_trace_", BtfKind.TYPEDEF),
    "LSM_MAC": ("bpf_lsm_", BtfKind.FUNC),
    "LSM_CGROUP": ("bpf_lsm_", BtfKind.FUNC),
    "TRACE_ITER": ("bpf_iter_", BtfKind.FUNC),
    "TRACE_FENTRY": ("", BtfKind.FUNC),
    "TRACE_FEXIT": ("", BtfKind.FUNC),
    "TRACE_FSESSION": ("", BtfKind.FUNC),
    "MODIFY_RETURN": ("", BtfKind.FUNC),
}
"""Attach types whose target is a type of the kernel: the prefix of its name, and its kind."""
_IN_MODULES: Final = frozenset({"TRACE_FENTRY", "TRACE_FEXIT"})


@dataclass(frozen=True, slots=True)
class AttachPoint:
    """What a program is; names lack the prefixes BPF_PROG_TYPE_ and BPF_.

    btf_name, btf_id  the type of the kernel that it attaches to; the id is None when the
                      kernel has no such type, and both are empty when none is needed
    module            the module that defines it, empty for vmlinux
    """

    program_type: str
    attach_type: str = ""
    target: str = ""
    sleepable: bool = False
    btf_name: str = ""
    btf_id: TypeId | None = None
    module: str = ""


def _table(text: str) -> dict[str, tuple[str, str]]:
    rows = (line.split() for line in text.strip().splitlines())
    return {row[0]: (row[1], row[2] if len(row) > 2 else "") for row in rows}


_EXACT_ROWS = _table(_EXACT)
_TARGET_ROWS = _table(_WITH_TARGET)


def attach_point(section: str, target: Target) -> AttachPoint | None:
    """Read a section's name, `?fentry.s/do_unlinkat`; None for one that libbpf does not know.

    Follows: libbpf src/libbpf.c find_sec_def, libbpf_find_attach_btf_id @ v1.7.0.
    """
    name = section.removeprefix("?")
    if name in _EXACT_ROWS:
        program_type, attach_type = _EXACT_ROWS[name]
        sleepable = name == "syscall"
        return AttachPoint(program_type, attach_type, sleepable=sleepable)
    head, _, what = name.partition("/")
    sleepable = head.endswith(".s")
    row = _TARGET_ROWS.get(head.removesuffix(".s"))
    if row is None:
        return None
    program_type, attach_type = row
    prefix, kind = _BTF_PREFIXES.get(attach_type, ("", BtfKind.VOID))
    if kind is BtfKind.VOID or not what:
        return AttachPoint(program_type, attach_type, what, sleepable)
    btf_name = prefix + what
    found, module = find_type(btf_name, kind, target)
    return AttachPoint(program_type, attach_type, what, sleepable, btf_name, found, module)


def find_type(name: str, kind: BtfKind, target: Target) -> tuple[TypeId | None, str]:
    """Look a type up in vmlinux, then in the modules: its id and the module, empty for vmlinux."""
    for type_id in target.btf.ids_named(name):
        if target.btf.kind(type_id) is kind:
            return type_id, ""
    for module, btf in target.module_set.defining(name):
        for type_id in btf.ids_named(name):
            if btf.kind(type_id) is kind:
                return type_id, module
    return None, ""


def for_loader(prepared: PreparedObject, target: Target, policy: LoaderPolicy) -> Target:
    """The target as this loader needs it: with what each program attaches to, if it asks."""
    if policy.modules is not ModuleSearch.ATTACHED or not len(target.module_set):
        return target
    return with_attached(prepared, target)


def with_attached(prepared: PreparedObject, target: Target) -> Target:
    """Note for each section which module its programs attach to: kprobes, fentry and fexit.

    cilium/ebpf asks /proc/kallsyms; here the module is the one whose BTF has the function,
    so one that BTF leaves out is not found.

    Follows: cilium/ebpf prog.go KernelModule @ v0.15.0.
    """
    attached: dict[str, str] = {}
    for section in {function.section for function in prepared.functions}:
        point = attach_point(section, target)
        if point is None or not point.target:
            continue
        if point.program_type != "KPROBE" and point.attach_type not in _IN_MODULES:
            continue
        _, module = find_type(point.target, BtfKind.FUNC, target)
        if module:
            attached[section] = module
    return replace(target, attached=attached)
