/* A field beyond 32,767 bytes */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define KERNEL __attribute__((preserve_access_index))
char LICENSE[] SEC("license") = "GPL";
unsigned long long out;

struct coreplay_far { int near; int far; } KERNEL;

SEC("tp_btf/sched_switch") int prog(unsigned long long *ctx)
{
	struct coreplay_far *f = (void *)ctx[0];

	out = f->far;
	return 0;
}
