/* An access through a type without a name */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define KERNEL __attribute__((preserve_access_index))
char LICENSE[] SEC("license") = "GPL";
unsigned long long out;

SEC("raw_tp/sched_switch") int prog(void *ctx)
{
	struct { int a; int b; } KERNEL *pair = (void *)bpf_get_current_task();

	out = BPF_CORE_READ(pair, b);
	return 0;
}
