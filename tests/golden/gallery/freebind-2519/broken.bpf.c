/* A bitfield that became a bit of a flags word */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define KERNEL __attribute__((preserve_access_index))
char LICENSE[] SEC("license") = "GPL";
unsigned long long out;

struct inet_sock { unsigned char recverr : 1; unsigned char is_icsk : 1; unsigned char freebind : 1; } KERNEL;

SEC("raw_tp/sched_switch") int prog(void *ctx)
{
	struct inet_sock *sk = (void *)bpf_get_current_task();

	out = BPF_CORE_READ_BITFIELD_PROBED(sk, freebind);
	return 0;
}
