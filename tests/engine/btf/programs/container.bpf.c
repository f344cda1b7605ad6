#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";
u64 seen;

SEC("fentry/tcp_connect")
int BPF_PROG(connect, struct sock *sk)
{
	struct inet_sock *inet = container_of(sk, struct inet_sock, sk);
	struct socket_alloc *alloc;
	struct tcp_sock *tp = (struct tcp_sock *)sk;

	alloc = container_of(BPF_CORE_READ(sk, sk_socket), struct socket_alloc, socket);
	seen = BPF_CORE_READ(alloc, vfs_inode.i_ino) + inet->inet_sport + tp->snd_cwnd;
	seen += sk->__sk_common.skc_v6_daddr.in6_u.u6_addr32[0];
	return sk->__sk_common.skc_family == 2;
}
