/* A sibling of cilium/ebpf issue 1348: code follows
 * the guard. With cilium/ebpf 0.9.0 to 0.13.0 the
 * jump lands one instruction too far. The program
 * loads, and returns 0 in place of 7: give a test
 * run of it 64 zero bytes as the packet. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

enum cgroup_subsys_id {
	cpuset_cgrp_id_lublub = 1,
};

SEC("tc")
int prog(struct __sk_buff *skb)
{
	volatile int out = 3;

	if (bpf_core_enum_value_exists(
		    enum cgroup_subsys_id,
		    cpuset_cgrp_id_lublub)) {
		volatile int val __attribute__((unused));

		val = bpf_core_enum_value(
			enum cgroup_subsys_id,
			cpuset_cgrp_id_lublub);
	}
	out = 7;
	return out;
}

char LICENSE[] SEC("license") = "GPL";
