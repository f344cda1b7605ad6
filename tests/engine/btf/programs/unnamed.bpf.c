#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";
u64 seen;

/* task_struct is the type of a helper's result and stands nowhere in this text but here */
SEC("raw_tp/sys_enter")
int result_of_helper(void *ctx)
{
	seen = bpf_get_current_task_btf()->tgid;
	seen += bpf_get_current_task_btf()->signal->nr_threads;
	return 0;
}

/* the type of a member that only typeof names */
SEC("fentry/vfs_fsync")
int BPF_PROG(by_typeof, struct file *file)
{
	typeof(file->f_mapping) mapping = file->f_mapping;
	__auto_type inode = file->f_inode;

	seen = BPF_CORE_READ(mapping, host, i_size) + BPF_CORE_READ(inode, i_mode);
	return 0;
}
