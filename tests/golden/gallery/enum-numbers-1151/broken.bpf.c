/* A number that shifts with the kernel */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define KERNEL __attribute__((preserve_access_index))
char LICENSE[] SEC("license") = "GPL";
unsigned long long out;

struct cgroup_subsys_state { int id; } KERNEL;
struct css_set { struct cgroup_subsys_state *subsys[12]; } KERNEL;
struct task_struct { struct css_set *cgroups; } KERNEL;

SEC("raw_tp/sched_switch") int prog(void *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	out = BPF_CORE_READ(task, cgroups, subsys[11], id); /* pids_cgrp_id, here */
	return 0;
}
