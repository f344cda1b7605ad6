/* A 64-bit object on a 32-bit kernel: what helps. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define KERNEL __attribute__((preserve_access_index))
char LICENSE[] SEC("license") = "GPL";
unsigned long long out;

struct coreplay_widths { long level; void *next; } KERNEL;

SEC("tp_btf/sched_switch") int prog(unsigned long long *ctx)
{
	struct coreplay_widths *w = (void *)ctx[0];

	out = (unsigned long long)w->next + BPF_CORE_READ_BITFIELD_PROBED(w, level);
	return 0;
}
