/* A relocation in a subprogram */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define KERNEL __attribute__((preserve_access_index))
char LICENSE[] SEC("license") = "GPL";
unsigned long long out;

struct task_struct { int pid; int tgid; int unused; int prio; } KERNEL;

static __noinline int prio_of(struct task_struct *task)
{
	return BPF_CORE_READ(task, prio);
}

SEC("raw_tp/sched_switch") int prog(void *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	out = BPF_CORE_READ(task, pid) + prio_of(task) + BPF_CORE_READ(task, tgid);
	return 0;
}
