/* Which arguments does sched_switch pass?
 *
 * Linux 5.18 added prev_state to the tracepoint.
 * bpf_core_type_matches() compares whole prototypes.
 * cilium/ebpf knows this relocation since 0.15.0. */
#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

struct task_struct;
typedef void (*btf_trace_sched_switch___three)(
	void *, bool preempt, struct task_struct *prev,
	struct task_struct *next);
typedef void (*btf_trace_sched_switch___four)(
	void *, bool preempt, struct task_struct *prev,
	struct task_struct *next, unsigned int state);

unsigned int arguments;

SEC("raw_tp/sched_switch")
int count_arguments(void *ctx)
{
	if (bpf_core_type_matches(
		    btf_trace_sched_switch___four))
		arguments = 4;
	else if (bpf_core_type_matches(
			 btf_trace_sched_switch___three))
		arguments = 3;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
