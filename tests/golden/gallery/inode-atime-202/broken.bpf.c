/* inode.i_atime is gone */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define KERNEL __attribute__((preserve_access_index))
char LICENSE[] SEC("license") = "GPL";
unsigned long long out;

struct timespec64 { long long tv_sec; long tv_nsec; } KERNEL;
struct inode { struct timespec64 i_atime; } KERNEL;

SEC("raw_tp/sched_switch") int prog(void *ctx)
{
	struct inode *inode = (void *)bpf_get_current_task();

	out = BPF_CORE_READ(inode, i_atime.tv_sec);
	return 0;
}
