/* The same bug, and the program loads */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define KERNEL __attribute__((preserve_access_index))
char LICENSE[] SEC("license") = "GPL";
unsigned long long out;

enum cgroup_subsys_id { cpuset_cgrp_id_lublub = 1 };

SEC("kprobe/do_sys_open") int prog(void *ctx)
{
	unsigned long long val = 40;

	if (bpf_core_enum_value_exists(enum cgroup_subsys_id, cpuset_cgrp_id_lublub))
		out = bpf_core_enum_value(enum cgroup_subsys_id, cpuset_cgrp_id_lublub);
	asm volatile("%0 += 1" : "+r"(val));
	out = val;
	return 0;
}
