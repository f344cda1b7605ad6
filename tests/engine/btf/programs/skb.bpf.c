#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";
u64 seen;

SEC("tp_btf/kfree_skb")
int BPF_PROG(drop, struct sk_buff *skb, void *location)
{
	struct iphdr ip;
	struct net *net = BPF_CORE_READ(skb, dev, nd_net.net);

	bpf_probe_read_kernel(&ip, sizeof(ip), skb->head + skb->network_header);
	seen = bpf_ntohl(ip.saddr) + ip.protocol + BPF_CORE_READ(net, ns.inum);
	seen += skb->dev->ifindex + BPF_CORE_READ(skb, sk, __sk_common.skc_dport);
	return 0;
}

SEC("tc")
int classify(struct __sk_buff *skb)
{
	void *end = (void *)(long)skb->data_end, *data = (void *)(long)skb->data;
	struct ethhdr *eth = data;

	if (data + sizeof(*eth) > end)
		return -1;
	return eth->h_proto == bpf_htons(0x0800) ? 0 : 2;
}

SEC("xdp")
int pass(struct xdp_md *ctx)
{
	return ctx->data_end - ctx->data > 60 ? XDP_PASS : XDP_DROP;
}
