/* Programs: loaded, never attached; described; run once on given bytes where that was asked. */
#include "bpf.h"
#include "load.h"

enum { RELOCATIONS = 1 << 20, SLOTS = 1 << 21, SUMMARY_BYTES = 256 << 10, ENOSPC = 28 };

struct program {
	struct blob name, code, license;
	u64 type, attach_type, flags, attach_btf_id, attach_program;
	struct reader relocations;
	u64 relocation_count;
	struct blob func_info, line_info, core;
	u64 func_record, line_record, core_record;
	u64 log_level, log_bytes, translated, jited;
	u64 tested;
	struct blob data, context;
	u64 repeat, data_out, context_out, test_flags;
};

struct insn {
	u8 code, registers;
	u16 off;
	u32 imm;
};

static char summary[SUMMARY_BYTES];

static void read_test(struct reader *from, struct program *program)
{
	program->tested = take(from);
	if (!program->tested)
		return;
	program->data = take_blob(from);
	program->context = take_blob(from);
	program->repeat = take(from);
	program->data_out = take(from);
	program->context_out = take(from);
	program->test_flags = take(from);
}

static struct program read_program(struct reader *from)
{
	struct program program;

	memset(&program, 0, sizeof program);
	program.name = take_blob(from);
	program.type = take(from);
	program.code = take_blob(from);
	program.license = take_blob(from);
	program.attach_type = take(from);
	program.flags = take(from);
	program.attach_btf_id = take(from);
	program.attach_program = take_optional(from, NONE);
	program.relocation_count = take_count(from, RELOCATIONS);
	program.relocations = *from;
	for (u64 i = 0; i < 4 * program.relocation_count && !from->broken; i++)
		take(from);
	program.func_info = take_blob(from);
	program.func_record = take(from);
	program.line_info = take_blob(from);
	program.line_record = take(from);
	program.core = take_blob(from);
	program.core_record = take(from);
	program.log_level = take(from);
	program.log_bytes = take(from);
	program.translated = take(from);
	program.jited = take(from);
	read_test(from, &program);
	return program;
}

/* Write file descriptors into the ld_imm64 that name maps; 0, or the errno for the host. */
static int link(struct program *program)
{
	struct reader from = program->relocations;
	struct insn *insns = (struct insn *)program->code.data;
	u64 slots = program->code.length / sizeof *insns;

	for (u64 i = 0; i < program->relocation_count; i++) {
		u64 slot = take(&from), kind = take(&from), map = take(&from), offset = take(&from);

		if (slot + 1 >= slots || insns[slot].code != 0x18 || kind < 1 || kind > 2)
			return 22; /* EINVAL */
		if (map >= MAPS || map_fds[map] < 0)
			return 9; /* EBADF */
		/* src_reg 1 is BPF_PSEUDO_MAP_FD, 2 BPF_PSEUDO_MAP_VALUE. */
		insns[slot].registers = (u8)((insns[slot].registers & 0x0f) | kind << 4);
		insns[slot].imm = (u32)map_fds[map];
		insns[slot + 1].imm = kind == 2 ? (u32)offset : 0;
	}
	return 0;
}

static u32 records(struct blob info, u64 size)
{
	return size ? (u32)(info.length / size) : 0;
}

static struct prog_load attributes(const struct program *program, char license[128])
{
	struct prog_load attr = {
		.prog_type = (u32)program->type,
		.insn_cnt = (u32)(program->code.length / sizeof(struct insn)),
		.insns = address(program->code.data),
		.license = address(license),
		.prog_flags = (u32)program->flags,
		.expected_attach_type = (u32)program->attach_type,
		.attach_btf_id = (u32)program->attach_btf_id,
	};
	u64 length = program->license.length < 127 ? program->license.length : 127;

	memset(license, 0, 128);
	memcpy(license, program->license.data, length);
	copy_name(attr.prog_name, program->name);
	if (program->attach_program != NONE)
		attr.attach_prog_fd = (u32)program_fds[program->attach_program];
	if (btf_fd < 0)
		return attr;
	attr.prog_btf_fd = (u32)btf_fd;
	attr.func_info = address(program->func_info.data);
	attr.func_info_cnt = records(program->func_info, program->func_record);
	attr.func_info_rec_size = attr.func_info_cnt ? (u32)program->func_record : 0;
	attr.line_info = address(program->line_info.data);
	attr.line_info_cnt = records(program->line_info, program->line_record);
	attr.line_info_rec_size = attr.line_info_cnt ? (u32)program->line_record : 0;
	attr.core_relo_cnt = records(program->core, program->core_record);
	if (attr.core_relo_cnt) {
		attr.core_relos = address(program->core.data);
		attr.core_relo_rec_size = (u32)program->core_record;
	}
	return attr;
}

static u64 text_length(const u8 *text, u64 room)
{
	u64 length = 0;

	while (length < room && text[length])
		length++;
	return length;
}

/* Load once more for the log alone; ENOSPC here is about the log, not about the program. */
static void put_log(struct writer *to, const struct program *program, struct prog_load attr, int error)
{
	u64 room, length = 0;
	u8 *log = open_blob(to, program->log_bytes, &room);
	int truncated = 0;

	if (program->log_level && room >= 128) {
		long fd;

		log[0] = 0;
		attr.log_level = (u32)program->log_level;
		attr.log_buf = address(log);
		attr.log_size = (u32)room;
		fd = bpf(BPF_PROG_LOAD, &attr, sizeof attr);
		if (fd >= 0)
			sys3(SYS_close, fd, 0, 0);
		length = text_length(log, room);
		truncated = fd == -ENOSPC && error != ENOSPC;
	} else if (program->log_level) {
		truncated = 1;
	}
	close_blob(to, length);
	put(to, (u64)truncated);
}

/* The instructions after rewriting, or the machine code, as one blob; empty where not asked. */
static void put_code(struct writer *to, int fd, int wanted, int machine)
{
	struct prog_info info;
	struct get_info attr = { (u32)fd, sizeof info, address(&info) };
	u64 room, length;
	u8 *code;

	memset(&info, 0, sizeof info);
	if (!wanted || fd < 0 || bpf(BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof attr) < 0) {
		put_blob(to, "", 0);
		return;
	}
	length = machine ? info.jited_length : info.translated_length;
	code = open_blob(to, length, &room);
	memset(&info, 0, sizeof info);
	*(machine ? &info.jited : &info.translated) = address(code);
	*(machine ? &info.jited_length : &info.translated_length) = (u32)room;
	attr.length = sizeof info;
	if (room < length || bpf(BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof attr) < 0)
		length = 0;
	close_blob(to, length);
}

static void refuse(struct writer *to, u64 step, u64 error)
{
	put(to, step);
	put(to, error);
	put_blob(to, "", 0); /* summary */
	put_blob(to, "", 0); /* log */
	put(to, 0); /* log_truncated */
	put(to, 0); /* nanoseconds */
	put_blob(to, "", 0); /* translated */
	put_blob(to, "", 0); /* jited */
}

static void load_program(struct program *program, struct writer *to, u64 index)
{
	char license[128];
	struct prog_load attr;
	u64 began, spent;
	int error;
	long fd;

	program_fds[index] = -1;
	error = link(program);
	if (!error && program->attach_program != NONE &&
	    (program->attach_program >= index || program_fds[program->attach_program] < 0))
		error = 9; /* EBADF */
	if (error) {
		refuse(to, INNER, (u64)error);
		return;
	}
	attr = attributes(program, license);
	attr.log_level = 4; /* the error and statistics, no states */
	attr.log_buf = address(summary);
	attr.log_size = sizeof summary;
	summary[0] = 0;
	began = nanoseconds();
	fd = bpf(BPF_PROG_LOAD, &attr, sizeof attr);
	spent = nanoseconds() - began;
	program_fds[index] = fd < 0 ? -1 : (int)fd;
	error = fd < 0 ? (int)-fd : 0;
	put(to, error ? LOAD : DONE);
	put(to, (u64)error);
	put_blob(to, summary, text_length((u8 *)summary, sizeof summary));
	put_log(to, program, attr, error);
	put(to, spent);
	put_code(to, program_fds[index], (int)program->translated, 0);
	put_code(to, program_fds[index], (int)program->jited, 1);
}

void load_programs(struct reader *from, struct writer *to, u64 count)
{
	put(to, count);
	for (u64 i = 0; i < count; i++) {
		struct program program = read_program(from);

		if (from->broken)
			return;
		load_program(&program, to, i);
	}
}

static void limit_time(long microseconds)
{
	long timer[4] = { 0, 0, 0, microseconds };

	sys3(SYS_setitimer, 0 /* ITIMER_REAL */, (long)timer, 0);
}

static void run_test(const struct program *program, struct writer *to, int fd)
{
	static u8 data[64 << 10], context[64 << 10];
	struct test_run_attr attr = {
		.prog_fd = (u32)fd,
		.data_size_in = (u32)program->data.length,
		.data_in = program->data.length ? address(program->data.data) : 0,
		.ctx_size_in = (u32)program->context.length,
		.ctx_in = program->context.length ? address(program->context.data) : 0,
		.repeat = (u32)program->repeat,
		.flags = (u32)program->test_flags,
	};
	long result;

	if (program->data_out) {
		attr.data_out = address(data);
		attr.data_size_out = program->data_out < sizeof data ? (u32)program->data_out : sizeof data;
	}
	if (program->context_out) {
		attr.ctx_out = address(context);
		attr.ctx_size_out =
			program->context_out < sizeof context ? (u32)program->context_out : sizeof context;
	}
	limit_time(100000);
	result = bpf(BPF_PROG_TEST_RUN, &attr, sizeof attr);
	limit_time(0);
	if (result < 0)
		attr.retval = attr.duration = attr.data_size_out = attr.ctx_size_out = 0;
	put(to, result < 0 ? (u64)-result : 0);
	put(to, attr.retval);
	put(to, attr.duration);
	/* The kernel gives the size it has, not the size it copied. */
	put_blob(to, data, !attr.data_out ? 0 : attr.data_size_out < sizeof data ? attr.data_size_out : sizeof data);
	put_blob(to, context, attr.ctx_out ? attr.ctx_size_out : 0);
}

void run_tests(struct reader from, struct writer *to, u64 count)
{
	put(to, count);
	for (u64 i = 0; i < count; i++) {
		struct program program = read_program(&from);
		int wanted = program.tested && program_fds[i] >= 0;

		put(to, (u64)wanted);
		if (wanted)
			run_test(&program, to, program_fds[i]);
	}
}
