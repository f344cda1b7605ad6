/* A module whose BTF is a bare header: what helps. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define KERNEL __attribute__((preserve_access_index))
char LICENSE[] SEC("license") = "GPL";
unsigned long long out;

SEC("raw_tp/sched_switch") int prog(void *ctx)
{
	out = bpf_get_current_pid_tgid() & 0xffffffff;
	return 0;
}
