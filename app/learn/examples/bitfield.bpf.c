/* sock.sk_protocol was a bitfield until Linux 5.6
 * and is a plain u16 since.
 *
 * A program with the old layout still reads it:
 * the macro relocates offset, size and both shifts,
 * so that bitfield and integer read alike. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

struct sock {
	unsigned int sk_kern_sock : 1,
		     sk_no_check_tx : 1,
		     sk_no_check_rx : 1,
		     sk_userlocks : 4,
		     sk_protocol : 8,
		     sk_type : 16;
} __attribute__((preserve_access_index));

unsigned long long protocol;

SEC("fentry/tcp_close")
int socket_protocol(unsigned long long *ctx)
{
	struct sock *sk = (void *)ctx[0];

	protocol = BPF_CORE_READ_BITFIELD_PROBED(
		sk, sk_protocol);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
