#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";
u64 seen;

SEC("raw_tp/sys_enter")
int typedefs(struct bpf_raw_tracepoint_args *ctx)
{
	struct file *file = (void *)ctx->args[0];
	struct super_block *sb = (void *)ctx->args[1];
	atomic_t *counter = (void *)ctx->args[2];
	kuid_t uid = BPF_CORE_READ(file, f_inode, i_uid);
	uuid_t uuid = BPF_CORE_READ(sb, s_uuid);

	seen = uid.val + uuid.b[3] + BPF_CORE_READ(counter, counter);
	seen += bpf_core_type_exists(kuid_t) + bpf_core_type_size(spinlock_t);
	seen += bpf_core_type_id_kernel(atomic_t) + sizeof(struct list_head);
	return bpf_core_type_id_local(wait_queue_head_t);
}
