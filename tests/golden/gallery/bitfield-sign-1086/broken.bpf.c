/* The sign of a bitfield, taken from the wrong type */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define KERNEL __attribute__((preserve_access_index))
char LICENSE[] SEC("license") = "GPL";
unsigned long long out;

struct coreplay_signs { int a : 5; int level : 3; } KERNEL;

SEC("raw_tp/sched_switch") int prog(void *ctx)
{
	struct coreplay_signs *s = (void *)bpf_get_current_task();

	out = BPF_CORE_READ_BITFIELD_PROBED(s, level);
	return 0;
}
