/* The program's own struct is relocated: what helps. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define KERNEL __attribute__((preserve_access_index))
char LICENSE[] SEC("license") = "GPL";
unsigned long long out;

struct my_event { int pid; unsigned int when; };

SEC("raw_tp/sched_switch") int prog(void *ctx)
{
	struct my_event event = {};

	bpf_probe_read_kernel(&event, sizeof(event), (void *)bpf_get_current_task());
	out = event.when;
	return 0;
}
