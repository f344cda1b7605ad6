/* A 64-bit enumerator: what helps. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define KERNEL __attribute__((preserve_access_index))
char LICENSE[] SEC("license") = "GPL";
unsigned long long out;

enum netdev_priv_flags { IFF_CHANGE_PROTO_DOWN = 1, IFF_802_1Q_VLAN = 2 };

SEC("raw_tp/sched_switch") int prog(void *ctx)
{
	if (bpf_core_enum_value_exists(enum netdev_priv_flags, IFF_CHANGE_PROTO_DOWN))
		out = bpf_core_enum_value(enum netdev_priv_flags, IFF_CHANGE_PROTO_DOWN);
	return 0;
}
