/* Two layouts of one struct, mixed: what helps. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define KERNEL __attribute__((preserve_access_index))
char LICENSE[] SEC("license") = "GPL";
unsigned long long out;

struct dma_chan { int chan_id; } KERNEL;

SEC("raw_tp/sched_switch") int prog(void *ctx)
{
	struct dma_chan *chan = (void *)bpf_get_current_task();

	out = BPF_CORE_READ(chan, chan_id);
	return 0;
}
