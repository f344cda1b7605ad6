/* A sibling of cilium/ebpf issue 1348: nothing but
 * "exit" follows the guard. The load in it loses a
 * slot under cilium/ebpf 0.9.0 to 0.13.0, and the
 * jump over it leaves the program. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

enum cgroup_subsys_id {
	cpuset_cgrp_id_lublub = 1,
};

SEC("kprobe/do_sys_open")
int prog(void *ctx)
{
	int seen = bpf_get_smp_processor_id();

	if (bpf_core_enum_value_exists(
		    enum cgroup_subsys_id,
		    cpuset_cgrp_id_lublub)) {
		volatile int val __attribute__((unused));

		val = bpf_core_enum_value(
			enum cgroup_subsys_id,
			cpuset_cgrp_id_lublub);
	}
	return seen;
}

char LICENSE[] SEC("license") = "GPL";
