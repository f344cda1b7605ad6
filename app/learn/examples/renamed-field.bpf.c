/* task_struct.state became __state in Linux 5.14.
 *
 * vmlinux.h is made from the first kernel chosen.
 * The older layout is a flavor: a loader ignores
 * what follows the three underscores. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

struct task_struct___before_5_14 {
	long state;
} __attribute__((preserve_access_index));

unsigned int last_state;

SEC("raw_tp/sched_switch")
int task_state(void *ctx)
{
	struct task_struct *task;
	struct task_struct___before_5_14 *old;

	task = (void *)bpf_get_current_task();
	old = (void *)task;
	if (bpf_core_field_exists(task->__state))
		last_state = BPF_CORE_READ(task, __state);
	else
		last_state = BPF_CORE_READ(old, state);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
