/* One request from its first byte to the last of its answer. */
#include "bpf.h"
#include "load.h"

int map_fds[MAPS], program_fds[PROGRAMS], btf_fd;

void copy_name(char to[16], struct blob name)
{
	u64 length = name.length < 15 ? name.length : 15;

	memset(to, 0, 16);
	for (u64 i = 0; i < length; i++) {
		u8 c = name.data[i];
		int letter = (c | 32) >= 'a' && (c | 32) <= 'z';

		to[i] = letter || (c >= '0' && c <= '9') || c == '.' ? (char)c : '_';
	}
}

static void load_btf(struct reader *from, struct writer *to)
{
	struct btf_load attr;
	struct blob btf;
	u64 given = take(from), room, length = 0;
	u8 *log;
	long fd;

	btf_fd = -1;
	put(to, given);
	if (!given)
		return;
	btf = take_blob(from);
	memset(&attr, 0, sizeof attr);
	attr.btf = address(btf.data);
	attr.btf_size = (u32)btf.length;
	fd = bpf(BPF_BTF_LOAD, &attr, sizeof attr);
	btf_fd = fd < 0 ? -1 : (int)fd;
	put(to, fd < 0 ? (u64)-fd : 0);
	log = open_blob(to, 1 << 20, &room);
	if (fd < 0 && room >= 128) { /* once more, for the reason */
		log[0] = 0;
		attr.log_buf = address(log);
		attr.log_size = (u32)room;
		attr.log_level = 1;
		fd = bpf(BPF_BTF_LOAD, &attr, sizeof attr);
		if (fd >= 0)
			sys3(SYS_close, fd, 0, 0);
		while (length < room && log[length])
			length++;
	}
	close_blob(to, length);
}

static void close_all(int *fds, int count)
{
	for (int i = 0; i < count; i++) {
		if (fds[i] >= 0)
			sys3(SYS_close, fds[i], 0, 0);
		fds[i] = -1;
	}
}

enum status serve(struct reader *request, struct writer *answer)
{
	struct reader maps, programs;
	u64 map_count, program_count;

	load_btf(request, answer);
	map_count = take_count(request, MAPS);
	maps = *request;
	create_maps(request, map_count);
	program_count = take_count(request, PROGRAMS);
	programs = *request;
	load_programs(request, answer, program_count);
	if (!request->broken) {
		fill_program_arrays(maps, map_count);
		run_tests(programs, answer, program_count);
		put_maps(answer, maps, map_count);
		run_command(request, answer);
	}
	close_all(program_fds, PROGRAMS);
	close_all(map_fds, MAPS);
	close_all(&btf_fd, 1);
	if (request->broken || request->at != request->end)
		return MALFORMED;
	return answer->full ? ANSWER_FULL : ANSWERED;
}
