#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";
u64 seen;

struct task_struct___old {
	long state;
	struct mm_struct *mm;
} __attribute__((preserve_access_index));

struct trace_event_raw_sys_enter___own {
	unsigned long args[6];
} __attribute__((preserve_access_index));

SEC("tp/syscalls/sys_enter_openat")
int flavors(struct trace_event_raw_sys_enter *ctx)
{
	struct task_struct___old *old = (void *)bpf_get_current_task();

	if (bpf_core_field_exists(old->state))
		seen = BPF_CORE_READ(old, state);
	seen += BPF_CORE_READ(old, mm, start_code);
	seen += bpf_core_type_exists(struct trace_event_raw_sys_enter___own);
	return ctx->id + ctx->args[1];
}
