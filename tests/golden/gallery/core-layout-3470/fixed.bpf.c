/* module.core_layout is gone: what helps. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define KERNEL __attribute__((preserve_access_index))
char LICENSE[] SEC("license") = "GPL";
unsigned long long out;

struct module_layout { void *base; unsigned int size; } KERNEL;
struct module { struct module_layout core_layout; } KERNEL;
struct module_memory { void *base; unsigned int size; } KERNEL;
struct module___since_6_4 { struct module_memory mem[1]; } KERNEL;

SEC("raw_tp/module_load") int prog(void *ctx)
{
	struct module *mod = (void *)bpf_get_current_task();
	struct module___since_6_4 *now = (void *)mod;

	if (bpf_core_field_exists(now->mem))
		out = (unsigned long long)BPF_CORE_READ(now, mem[0].base);
	else
		out = (unsigned long long)BPF_CORE_READ(mod, core_layout.base);
	return 0;
}
