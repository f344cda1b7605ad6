/* An enumerator too large for 32 bits.
 *
 * IFF_CHANGE_PROTO_DOWN is bit 32 in Linux 6.1,
 * whose enum is 64 bits wide; the one declared here
 * is not. Both slots of the load must change. Later
 * kernels dropped the flag again. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

enum netdev_priv_flags {
	IFF_802_1Q_VLAN = 1,
	IFF_CHANGE_PROTO_DOWN = 2,
};

unsigned long long vlan, proto_down;

SEC("raw_tp/net_dev_queue")
int device_flags(void *ctx)
{
	vlan = bpf_core_enum_value(
		enum netdev_priv_flags, IFF_802_1Q_VLAN);
	if (bpf_core_enum_value_exists(
		    enum netdev_priv_flags,
		    IFF_CHANGE_PROTO_DOWN))
		proto_down = bpf_core_enum_value(
			enum netdev_priv_flags,
			IFF_CHANGE_PROTO_DOWN);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
