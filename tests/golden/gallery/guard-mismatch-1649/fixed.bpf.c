/* A guard that asks for something else: what helps. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define KERNEL __attribute__((preserve_access_index))
char LICENSE[] SEC("license") = "GPL";
unsigned long long out;

enum tty_driver_type { TTY_DRIVER_TYPE_PTY = 4 };
struct tty_driver { short type; } KERNEL;
struct tty_driver___now { enum tty_driver_type type; } KERNEL;

SEC("raw_tp/sched_switch") int prog(void *ctx)
{
	void *tty = (void *)bpf_get_current_task();
	struct tty_driver___now *now = tty;
	struct tty_driver *old = tty;

	if (bpf_core_field_exists(now->type))
		out = BPF_CORE_READ(now, type);
	else if (bpf_core_field_exists(old->type))
		out = BPF_CORE_READ(old, type);
	return 0;
}
