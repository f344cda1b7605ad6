/* A bitfield that became an integer */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define KERNEL __attribute__((preserve_access_index))
char LICENSE[] SEC("license") = "GPL";
unsigned long long out;

struct sock { unsigned int sk_kern_sock : 1, sk_no_check_tx : 1, sk_userlocks : 4, sk_pacing : 2;
	unsigned int sk_protocol : 8, sk_type : 16; } KERNEL;

SEC("tp_btf/inet_sock_set_state") int prog(unsigned long long *ctx)
{
	struct sock *sk = (void *)ctx[0];

	out = sk->sk_protocol;
	return 0;
}
