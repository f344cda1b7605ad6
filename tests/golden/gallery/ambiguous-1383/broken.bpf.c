/* Multiple types match */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define KERNEL __attribute__((preserve_access_index))
char LICENSE[] SEC("license") = "GPL";
unsigned long long out;

struct slot { unsigned char number; } KERNEL;

SEC("raw_tp/sched_switch") int prog(void *ctx)
{
	struct slot *slot = (void *)bpf_get_current_task();

	out = BPF_CORE_READ(slot, number);
	return 0;
}
