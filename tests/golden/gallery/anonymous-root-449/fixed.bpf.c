/* An access through a type without a name: what helps. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define KERNEL __attribute__((preserve_access_index))
char LICENSE[] SEC("license") = "GPL";
unsigned long long out;

struct pair { int a; int b; };

SEC("raw_tp/sched_switch") int prog(void *ctx)
{
	struct pair *pair = (void *)bpf_get_current_task();
	int b = 0;

	bpf_probe_read_kernel(&b, sizeof(b), &pair->b);
	out = b;
	return 0;
}
