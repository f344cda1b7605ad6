#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";
u64 seen;

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task, pid_t old, struct linux_binprm *bprm)
{
	seen = BPF_CORE_READ(task, mm, exe_file, f_inode, i_ino);
	seen += BPF_CORE_READ(task, group_leader, real_parent, tgid);
	seen += BPF_CORE_READ(task, nsproxy, pid_ns_for_children, level);
	return bprm->argc;
}
