#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";
u64 seen;

SEC("raw_tp/sched_switch")
int enums(void *ctx)
{
	seen = bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id);
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_ringbuf_output))
		seen += bpf_core_enum_value(enum bpf_map_type, BPF_MAP_TYPE_RINGBUF);
	seen += PIDTYPE_TGID + BPF_F_CURRENT_CPU;
	return bpf_core_type_size(enum bpf_map_type) == 4 ? true : false;
}
