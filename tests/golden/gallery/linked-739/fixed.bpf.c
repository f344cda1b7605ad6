/* A linked object: an id that the linker left behind: what helps. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define KERNEL __attribute__((preserve_access_index))
char LICENSE[] SEC("license") = "GPL";
unsigned long long out __weak;

struct task_struct { int pid; } KERNEL;
struct file { int f_mode; } KERNEL;

SEC("raw_tp/sched_wakeup") int other(void *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	out += BPF_CORE_READ(task, pid);
	return 0;
}

SEC("raw_tp/sched_switch") int prog(void *ctx)
{
	out = bpf_core_type_id_kernel(struct file);
	return 0;
}
