/*
 * The parts of union bpf_attr that a guest uses, field by field as in the kernel's
 * include/uapi/linux/bpf.h. Own structs, so that the age of the system's headers does not matter;
 * a kernel that does not know the last fields accepts them as long as they are zero.
 */
#ifndef BPF_H
#define BPF_H

#include "sys.h"

enum {
	BPF_MAP_CREATE = 0, BPF_MAP_LOOKUP_ELEM = 1, BPF_MAP_UPDATE_ELEM = 2, BPF_PROG_LOAD = 5,
	BPF_PROG_TEST_RUN = 10, BPF_OBJ_GET_INFO_BY_FD = 15, BPF_BTF_LOAD = 18, BPF_MAP_FREEZE = 22,
};

struct map_create {
	u32 map_type, key_size, value_size, max_entries, map_flags, inner_map_fd, numa_node;
	char map_name[16];
	u32 map_ifindex, btf_fd, btf_key_type_id, btf_value_type_id, btf_vmlinux_value_type_id;
	u64 map_extra;
};

struct map_elem {
	u32 map_fd, unused;
	u64 key, value, flags;
};

struct prog_load {
	u32 prog_type, insn_cnt;
	u64 insns, license;
	u32 log_level, log_size;
	u64 log_buf;
	u32 kern_version, prog_flags;
	char prog_name[16];
	u32 prog_ifindex, expected_attach_type, prog_btf_fd, func_info_rec_size;
	u64 func_info;
	u32 func_info_cnt, line_info_rec_size;
	u64 line_info;
	u32 line_info_cnt, attach_btf_id, attach_prog_fd, core_relo_cnt;
	u64 fd_array, core_relos;
	u32 core_relo_rec_size, unused;
};

struct btf_load {
	u64 btf, log_buf;
	u32 btf_size, log_size, log_level, unused;
};

struct get_info {
	u32 fd, length;
	u64 info;
};

struct prog_info { /* the beginning of struct bpf_prog_info */
	u32 type, id;
	u8 tag[8];
	u32 jited_length, translated_length;
	u64 jited, translated;
};

struct test_run_attr {
	u32 prog_fd, retval, data_size_in, data_size_out;
	u64 data_in, data_out;
	u32 repeat, duration, ctx_size_in, ctx_size_out;
	u64 ctx_in, ctx_out;
	u32 flags, cpu, batch_size, unused;
};

/* Gives a file descriptor or 0; -errno for a failure. */
static inline long bpf(long command, void *attr, size_t size)
{
	return sys3(SYS_bpf, command, (long)attr, (long)size);
}

#endif
