/* A log full of "no matching targets": what helps. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define KERNEL __attribute__((preserve_access_index))
char LICENSE[] SEC("license") = "GPL";
unsigned long long out;

struct task_struct { int gone_1, gone_2, gone_3, gone_4, gone_5, gone_6; } KERNEL;
#define READ(field) if (bpf_core_field_exists(task->field)) out += BPF_CORE_READ(task, field)

SEC("raw_tp/sched_switch") int prog(void *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	READ(gone_1);
	READ(gone_2);
	READ(gone_3);
	READ(gone_4);
	READ(gone_5);
	READ(gone_6);
	return 0;
}
