/* A missing type: 0, poison or an error: what helps. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define KERNEL __attribute__((preserve_access_index))
char LICENSE[] SEC("license") = "GPL";
unsigned long long out;

struct coreplay_no_such_type { int a; } KERNEL;

SEC("raw_tp/sched_switch") int prog(void *ctx)
{
	if (bpf_core_type_exists(struct coreplay_no_such_type))
		out = 1;
	return 0;
}
