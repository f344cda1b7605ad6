/* A struct and a function of one name */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define KERNEL __attribute__((preserve_access_index))
char LICENSE[] SEC("license") = "GPL";
unsigned long long out;

struct irq_affinity_notify { unsigned int irq; } KERNEL;

SEC("raw_tp/sched_switch") int prog(void *ctx)
{
	struct irq_affinity_notify *n = (void *)bpf_get_current_task();

	out = BPF_CORE_READ(n, irq);
	return 0;
}
