/*
 * A static program of the request, run and watched: what it prints, and what it hands to
 * BPF_PROG_LOAD. It is traced, so nothing has to be known of it; a loader's own relocation is seen
 * as the kernel sees it.
 */
#include "bpf.h"
#include "load.h"

enum {
	SYS_pread = 17, SYS_dup2 = 33, SYS_fork = 57, SYS_execve = 59, SYS_exit = 60, SYS_wait4 = 61,
	SYS_mkdir = 83, SYS_ptrace = 101, SYS_process_vm_readv = 310, SYS_write = 1, SYS_seccomp = 317,
};
enum {
	PTRACE_TRACEME = 0, PTRACE_CONT = 7, PTRACE_GETREGS = 12, PTRACE_SYSCALL = 24,
	PTRACE_SETOPTIONS = 0x4200,
	/* syscall stops are marked; forks, vforks, threads and the filter are traced; none outlives us */
	TRACE_OPTIONS = 1 | 2 | 4 | 8 | 1 << 7 | 1 << 20,
	EVENT_SECCOMP = 7,
	WAIT_ALL = 0x40000000, SIGTRAP = 5, SIGSTOP = 19,
};
enum { ARGUMENTS = 16, FILES = 32, PATH = 256, LOADS = 256, LOG_BYTES = 1 << 20 };

struct registers { /* struct user_regs_struct of x86-64 */
	u64 r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi, orig_rax;
	u64 rip, cs, eflags, rsp, ss, fs_base, gs_base, ds, es, fs, gs;
};

/* Stops a task when it calls bpf(), and only then: a stop for every call takes ten times as long. */
static const struct { u16 code; u8 yes, no; u32 value; } filter[] = {
	{ 0x20, 0, 0, 0 }, /* load the number of the system call */
	{ 0x15, 0, 1, SYS_bpf },
	{ 0x06, 0, 0, 0x7ff00000 }, /* SECCOMP_RET_TRACE */
	{ 0x06, 0, 0, 0x7fff0000 }, /* SECCOMP_RET_ALLOW */
};

static char paths[ARGUMENTS][PATH];
static const char OUTPUT[] = "/output";

static char *text(char to[PATH], struct blob from)
{
	u64 length = from.length < PATH - 1 ? from.length : PATH - 1;

	memcpy(to, from.data, length);
	to[length] = 0;
	return to;
}

/* A file with the folders above it; errors show when somebody looks for it. */
static void write_file(struct blob name, struct blob content, u64 executable)
{
	char path[PATH];
	u64 done = 0;
	long fd;

	text(path, name);
	for (u64 i = 1; path[i]; i++) {
		if (path[i] != '/')
			continue;
		path[i] = 0;
		sys3(SYS_mkdir, (long)path, 0755, 0);
		path[i] = '/';
	}
	fd = sys3(SYS_open, (long)path, 01 | 0100 | 01000 /* write, create, empty */,
		  executable ? 0755 : 0644);
	while (fd >= 0 && done < content.length) {
		long wrote = sys3(SYS_write, fd, (long)(content.data + done), (long)(content.length - done));

		if (wrote <= 0)
			break;
		done += (u64)wrote;
	}
	sys3(SYS_close, fd, 0, 0);
}

static void mount(const char *kind, const char *place)
{
	sys3(SYS_mkdir, (long)place, 0755, 0);
	sys6(SYS_mount, (long)kind, (long)place, (long)kind, 0, 0, 0);
}

/* Bytes of the traced process; gives how many there were. */
static u64 peek(long task, void *to, u64 from, u64 length)
{
	struct { u64 base, length; } here = { address(to), length }, there = { from, length };
	long got = sys6(SYS_process_vm_readv, task, (long)&here, 1, (long)&there, 1, 0);

	return got < 0 ? 0 : (u64)got;
}

static u64 name_length(const char *name)
{
	u64 length = 0;

	while (length < 16 && name[length])
		length++;
	return length;
}

static void put_log(long task, struct writer *to, const struct prog_load *attr)
{
	u64 wanted = attr->log_level ? attr->log_size : 0, room, have = 0, length = 0;
	u8 *log = open_blob(to, wanted < LOG_BYTES ? wanted : LOG_BYTES, &room);

	while (length == have && have < room) {
		u64 part = room - have < 4096 ? room - have : 4096;
		u64 got = peek(task, log + have, attr->log_buf + have, part);

		have += got;
		while (length < have && log[length])
			length++;
		if (got < part)
			break;
	}
	close_blob(to, length);
}

/* A BPF_PROG_LOAD that came back. */
static void put_load(long task, struct writer *to, const struct registers *at)
{
	struct prog_load attr;
	u64 room, wanted;
	u8 *code;

	memset(&attr, 0, sizeof attr);
	peek(task, &attr, at->rsi, at->rdx < sizeof attr ? at->rdx : sizeof attr);
	put_blob(to, attr.prog_name, name_length(attr.prog_name));
	put(to, attr.prog_type);
	put(to, (long)at->rax < 0 ? (u64)-(long)at->rax : 0);
	wanted = 8ull * attr.insn_cnt;
	code = open_blob(to, wanted, &room);
	close_blob(to, room < wanted ? 0 : peek(task, code, attr.insns, wanted));
	put_log(task, to, &attr);
}

static int is_load(const struct registers *at)
{
	return at->orig_rax == SYS_bpf && at->rdi == BPF_PROG_LOAD && (long)at->rax != -38 /* ENOSYS */;
}

/* Until the last process is gone; gives the status of the first. */
static u64 watch(long first, struct writer *to, u64 *loads)
{
	u64 ended = 0;
	int status = 0, begun = 0;

	for (;;) {
		long task = sys6(SYS_wait4, -1, (long)&status, WAIT_ALL, 0, 0, 0);
		u32 signal = (u32)status >> 8 & 0xff, event = (u32)status >> 16;
		struct registers at;

		if (task < 0)
			return ended;
		if ((status & 0xff) != 0x7f) { /* not stopped: gone */
			if (task == first)
				ended = (u64)(u32)status;
			continue;
		}
		if (!begun) {
			begun = 1;
			sys6(SYS_ptrace, PTRACE_SETOPTIONS, task, 0, TRACE_OPTIONS, 0, 0);
		}
		if (signal == (SIGTRAP | 0x80) && *loads < LOADS) {
			sys6(SYS_ptrace, PTRACE_GETREGS, task, 0, (long)&at, 0, 0);
			if (is_load(&at)) {
				put_load(task, to, &at);
				++*loads;
			}
		}
		if (signal == (SIGTRAP | 0x80) || signal == SIGTRAP || signal == SIGSTOP)
			signal = 0;
		sys6(SYS_ptrace, event == EVENT_SECCOMP ? PTRACE_SYSCALL : PTRACE_CONT, task, 0, signal,
		     0, 0);
	}
}

static void put_output(struct writer *to, long output, u64 wanted)
{
	u64 room, length = 0;
	u8 *bytes = open_blob(to, wanted, &room);

	while (length < room) {
		long got = sys6(SYS_pread, output, (long)(bytes + length), (long)(room - length),
				(long)length, 0, 0);

		if (got <= 0)
			break;
		length += (u64)got;
	}
	close_blob(to, length);
}

static long begin(long output, u64 count)
{
	const char *arguments[ARGUMENTS + 1] = { 0 };
	/* Go's scheduler need not interrupt anything on one processor. */
	const char *environment[] = { "HOME=/", "GODEBUG=asyncpreemptoff=1", 0 };
	struct { u16 length; const void *filter; } program = { sizeof filter / 8, filter };
	long task = sys3(SYS_fork, 0, 0, 0);

	if (task)
		return task;
	for (u64 i = 0; i < count; i++)
		arguments[i] = paths[i];
	for (int i = 0; i < 3; i++)
		sys3(SYS_dup2, output, i, 0);
	sys3(SYS_ptrace, PTRACE_TRACEME, 0, 0);
	sys3(SYS_seccomp, 1 /* SECCOMP_SET_MODE_FILTER */, 0, (long)&program);
	sys3(SYS_execve, (long)paths[0], (long)arguments, (long)environment);
	sys3(SYS_exit, 127, 0, 0);
	__builtin_unreachable();
}

void run_command(struct reader *from, struct writer *to)
{
	u64 given = take(from), arguments, files, wanted, loads = 0, status = 127;
	u8 *count;
	long output, task;

	put(to, given);
	if (!given)
		return;
	arguments = take_count(from, ARGUMENTS);
	for (u64 i = 0; i < arguments; i++)
		text(paths[i], take_blob(from));
	files = take_count(from, FILES);
	for (u64 i = 0; i < files; i++) {
		struct blob name = take_blob(from), content = take_blob(from);

		write_file(name, content, take(from));
	}
	wanted = take(from);
	if (from->broken || !arguments)
		return;
	mount("proc", "/proc");
	mount("sysfs", "/sys");
	output = sys3(SYS_open, (long)OUTPUT, 02 | 0100 | 01000, 0600);
	count = to->at;
	put(to, 0);
	task = begin(output, arguments);
	if (task > 0)
		status = watch(task, to, &loads);
	if (!to->full)
		memcpy(count, &loads, 8);
	put(to, status);
	put_output(to, output, wanted);
	sys3(SYS_close, output, 0, 0);
}
