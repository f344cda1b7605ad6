/* An enumerator without a guard */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define KERNEL __attribute__((preserve_access_index))
char LICENSE[] SEC("license") = "GPL";
unsigned long long out;

enum bpf_func_id___kernel { BPF_FUNC_get_task_btf_sibling = 174, BPF_FUNC_kptr_xchg___k = 194 };

SEC("raw_tp/sched_switch") int prog(void *ctx)
{
	out = bpf_core_enum_value(enum bpf_func_id___kernel, BPF_FUNC_kptr_xchg___k);
	return 0;
}
