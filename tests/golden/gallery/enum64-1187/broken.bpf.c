/* A 64-bit enumerator */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define KERNEL __attribute__((preserve_access_index))
char LICENSE[] SEC("license") = "GPL";
unsigned long long out;

enum netdev_priv_flags { IFF_CHANGE_PROTO_DOWN = 4294967296ULL };

SEC("raw_tp/sched_switch") int prog(void *ctx)
{
	out = bpf_core_enum_value(enum netdev_priv_flags, IFF_CHANGE_PROTO_DOWN);
	return 0;
}
