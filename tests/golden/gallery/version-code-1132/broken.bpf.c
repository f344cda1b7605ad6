/* A version that was frozen at compile time */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define KERNEL __attribute__((preserve_access_index))
char LICENSE[] SEC("license") = "GPL";
unsigned long long out;

#define LINUX_VERSION_CODE 0x060100 /* of the machine that compiles */
struct task_struct { unsigned int __state; long state; } KERNEL;

SEC("raw_tp/sched_switch") int prog(void *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	if (LINUX_VERSION_CODE >= KERNEL_VERSION(5, 14, 0))
		out = BPF_CORE_READ(task, __state);
	else
		out = BPF_CORE_READ(task, state);
	return 0;
}
