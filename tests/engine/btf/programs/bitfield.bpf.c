#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";
u64 seen;

SEC("tp_btf/sched_switch")
int BPF_PROG(bits, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	struct sock *sk = (void *)ctx[3];

	seen = BPF_CORE_READ_BITFIELD_PROBED(prev, in_execve);
	seen += BPF_CORE_READ_BITFIELD(next, sched_reset_on_fork);
	seen += BPF_CORE_READ_BITFIELD_PROBED(sk, sk_no_check_tx);
	seen += bpf_core_field_size(prev->comm) + bpf_core_field_exists(prev->in_iowait);
	return 0;
}
