/* The sign of a bitfield, taken from the wrong type: what helps. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define KERNEL __attribute__((preserve_access_index))
char LICENSE[] SEC("license") = "GPL";
unsigned long long out;

struct coreplay_signs { unsigned int a : 5; unsigned int level : 3; } KERNEL;

SEC("raw_tp/sched_switch") int prog(void *ctx)
{
	struct coreplay_signs *s = (void *)bpf_get_current_task();
	long long level = BPF_CORE_READ_BITFIELD_PROBED(s, level);

	out = level & 4 ? level - 8 : level;
	return 0;
}
