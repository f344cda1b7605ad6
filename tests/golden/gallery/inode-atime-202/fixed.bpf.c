/* inode.i_atime is gone: what helps. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define KERNEL __attribute__((preserve_access_index))
char LICENSE[] SEC("license") = "GPL";
unsigned long long out;

struct timespec64 { long long tv_sec; long tv_nsec; } KERNEL;
struct inode { struct timespec64 i_atime; } KERNEL;
struct inode___since_6_7 { struct timespec64 __i_atime; } KERNEL;
struct inode___since_6_11 { long long i_atime_sec; } KERNEL;

SEC("raw_tp/sched_switch") int prog(void *ctx)
{
	struct inode *inode = (void *)bpf_get_current_task();
	struct inode___since_6_7 *middle = (void *)inode;
	struct inode___since_6_11 *now = (void *)inode;

	if (bpf_core_field_exists(now->i_atime_sec))
		out = BPF_CORE_READ(now, i_atime_sec);
	else if (bpf_core_field_exists(middle->__i_atime))
		out = BPF_CORE_READ(middle, __i_atime.tv_sec);
	else
		out = BPF_CORE_READ(inode, i_atime.tv_sec);
	return 0;
}
