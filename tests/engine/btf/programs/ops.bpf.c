#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";
void *seen;

/* function pointers, and structs that are named by members alone */
SEC("fentry/vfs_open")
int BPF_PROG(open, const struct path *path, struct file *file)
{
	seen = BPF_CORE_READ(file, f_op, read_iter);
	seen = BPF_CORE_READ(path, mnt, mnt_sb, s_type, kill_sb);
	seen = BPF_CORE_READ(path, dentry, d_op, d_revalidate);
	seen += path->dentry->d_inode->i_op->lookup == 0;
	return 0;
}
