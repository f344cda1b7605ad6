/* A number that shifts with the kernel: what helps. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define KERNEL __attribute__((preserve_access_index))
char LICENSE[] SEC("license") = "GPL";
unsigned long long out;

struct cgroup_subsys_state { int id; } KERNEL;
struct css_set { struct cgroup_subsys_state *subsys[12]; } KERNEL;
struct task_struct { struct css_set *cgroups; } KERNEL;
enum cgroup_subsys_id { pids_cgrp_id = 11 };

SEC("raw_tp/sched_switch") int prog(void *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct cgroup_subsys_state **subsys = BPF_CORE_READ(task, cgroups, subsys);
	struct cgroup_subsys_state *css = 0;

	if (!bpf_core_enum_value_exists(enum cgroup_subsys_id, pids_cgrp_id))
		return 0;
	bpf_probe_read_kernel(&css, sizeof(css),
			      &subsys[bpf_core_enum_value(enum cgroup_subsys_id, pids_cgrp_id)]);
	out = BPF_CORE_READ(css, id);
	return 0;
}
