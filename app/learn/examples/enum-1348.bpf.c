/* cilium/ebpf issue 1348
 *
 * No kernel has cpuset_cgrp_id_lublub, so the guard
 * is 0 and the read behind it never runs. libbpf
 * loads this program. cilium/ebpf 0.9.0 to 0.13.0
 * makes the guard jump to the wrong instruction. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

enum cgroup_subsys_id {
	cpuset_cgrp_id_lublub = 1,
};

SEC("kprobe/do_sys_open")
int prog(void *ctx)
{
	if (bpf_core_enum_value_exists(
		    enum cgroup_subsys_id,
		    cpuset_cgrp_id_lublub)) {
		volatile int val __attribute__((unused));

		val = bpf_core_enum_value(
			enum cgroup_subsys_id,
			cpuset_cgrp_id_lublub);
	}
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
