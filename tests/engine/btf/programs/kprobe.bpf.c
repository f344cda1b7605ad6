#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";
u64 seen;

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, sizeof(u32));
	__uint(value_size, sizeof(u32));
} events SEC(".maps");

SEC("kprobe/do_unlinkat")
int by_hand(struct pt_regs *ctx)
{
	struct filename *name = (struct filename *)PT_REGS_PARM2(ctx);
	const char *text = BPF_CORE_READ(name, name);

	seen = PT_REGS_IP(ctx) + PT_REGS_PARM1_CORE(ctx);
	bpf_perf_event_output(ctx, &events, BPF_F_CURRENT_CPU, &text, sizeof(text));
	return 0;
}

SEC("kprobe/vfs_read")
int BPF_KPROBE(by_macro, struct file *file, char *buf, size_t count)
{
	seen = BPF_CORE_READ(file, f_path.dentry, d_parent, d_inode, i_sb, s_dev) + count;
	return 0;
}

SEC("kretprobe/vfs_read")
int BPF_KRETPROBE(ret_of, ssize_t ret)
{
	seen = ret;
	return 0;
}
