/* A poison that nobody names */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define KERNEL __attribute__((preserve_access_index))
char LICENSE[] SEC("license") = "GPL";
unsigned long long out;

struct iovec { void *iov_base; } KERNEL;
struct iov_iter { const struct iovec *iov; } KERNEL;

SEC("raw_tp/sched_switch") int prog(void *ctx)
{
	struct iov_iter *iter = (void *)bpf_get_current_task();

	out = (unsigned long long)BPF_CORE_READ(iter, iov);
	return 0;
}
