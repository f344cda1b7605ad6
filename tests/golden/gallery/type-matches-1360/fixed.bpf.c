/* Does a whole type match?: what helps. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define KERNEL __attribute__((preserve_access_index))
char LICENSE[] SEC("license") = "GPL";
unsigned long long out;

struct list_head { struct list_head *next, *prev; } KERNEL;

SEC("raw_tp/sched_switch") int prog(void *ctx)
{
	struct list_head *head = ctx;

	if (bpf_core_field_exists(head->next) && bpf_core_field_exists(head->prev))
		out = 1;
	return 0;
}
