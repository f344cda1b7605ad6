/* One call for two slots: what helps. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define KERNEL __attribute__((preserve_access_index))
char LICENSE[] SEC("license") = "GPL";
unsigned long long out;

enum cgroup_subsys_id { cpuset_cgrp_id_lublub = 1 };

/* No jump crosses a load in another function, and a call in front keeps its symbol. */
static __noinline int value(void)
{
	bpf_get_smp_processor_id();
	return bpf_core_enum_value(enum cgroup_subsys_id, cpuset_cgrp_id_lublub);
}

SEC("kprobe/do_sys_open") int prog(void *ctx)
{
	if (bpf_core_enum_value_exists(enum cgroup_subsys_id, cpuset_cgrp_id_lublub)) {
		volatile int val __attribute__((unused));

		val = value();
	}
	return 0;
}
