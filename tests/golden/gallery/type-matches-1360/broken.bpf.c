/* Does a whole type match? */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define KERNEL __attribute__((preserve_access_index))
char LICENSE[] SEC("license") = "GPL";
unsigned long long out;

struct io_tlb_mem; struct task_struct; 
struct list_head { struct list_head *next, *prev; } KERNEL;

SEC("raw_tp/sched_switch") int prog(void *ctx)
{
	if (bpf_core_type_matches(struct list_head))
		out = 1;
	return 0;
}
