/* A flavor that this kernel does not have */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define KERNEL __attribute__((preserve_access_index))
char LICENSE[] SEC("license") = "GPL";
unsigned long long out;

struct task_struct___old { long state; } KERNEL;
struct task_struct___new { unsigned int __state; } KERNEL;

SEC("raw_tp/sched_switch") int prog(void *ctx)
{
	void *task = (void *)bpf_get_current_task();
	struct task_struct___old *before = task;
	struct task_struct___new *now = task;

	if (bpf_core_field_exists(now->__state))
		out = BPF_CORE_READ(now, __state);
	else
		out = BPF_CORE_READ(before, state);
	return 0;
}
