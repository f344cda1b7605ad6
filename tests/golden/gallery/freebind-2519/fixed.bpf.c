/* A bitfield that became a bit of a flags word: what helps. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define KERNEL __attribute__((preserve_access_index))
char LICENSE[] SEC("license") = "GPL";
unsigned long long out;

struct inet_sock { unsigned char recverr : 1; unsigned char is_icsk : 1; unsigned char freebind : 1; } KERNEL;
struct inet_sock___since_6_6 { unsigned long inet_flags; } KERNEL;
enum { INET_FLAGS_FREEBIND = 11 };

SEC("raw_tp/sched_switch") int prog(void *ctx)
{
	struct inet_sock *sk = (void *)bpf_get_current_task();
	struct inet_sock___since_6_6 *now = (void *)sk;

	if (bpf_core_field_exists(now->inet_flags))
		out = BPF_CORE_READ(now, inet_flags) >> INET_FLAGS_FREEBIND & 1;
	else if (bpf_core_field_exists(sk->freebind))
		out = BPF_CORE_READ_BITFIELD_PROBED(sk, freebind);
	return 0;
}
