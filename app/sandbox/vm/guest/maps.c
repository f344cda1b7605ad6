/* Maps: created, filled, frozen; read back in the end. */
#include "bpf.h"
#include "load.h"

enum { PROG_ARRAY = 3, ENTRIES = 1 << 20, KEYS = 1 << 16 };

struct map {
	struct blob name;
	u64 type, key_size, value_size, max_entries, flags, inner;
	struct reader entries;
	u64 entry_count, frozen, btf_key, btf_value, btf_vmlinux_value, extra;
	struct reader keys;
	u64 key_count;
};

struct entry {
	struct blob key, value;
	u64 reference;
};

static struct { u64 step, error, entry; } outcomes[MAPS];

static struct entry read_entry(struct reader *from)
{
	struct entry entry;

	entry.key = take_blob(from);
	entry.value = take_blob(from);
	entry.reference = take_optional(from, NONE);
	return entry;
}

static struct map read_map(struct reader *from)
{
	struct map map;

	map.name = take_blob(from);
	map.type = take(from);
	map.key_size = take(from);
	map.value_size = take(from);
	map.max_entries = take(from);
	map.flags = take(from);
	map.inner = take_optional(from, NONE);
	map.entry_count = take_count(from, ENTRIES);
	map.entries = *from;
	for (u64 i = 0; i < map.entry_count && !from->broken; i++)
		read_entry(from);
	map.frozen = take(from);
	map.btf_key = take(from);
	map.btf_value = take(from);
	map.btf_vmlinux_value = take(from);
	map.extra = take(from);
	map.key_count = take_count(from, KEYS);
	map.keys = *from;
	for (u64 i = 0; i < map.key_count && !from->broken; i++)
		take_blob(from);
	return map;
}

static long create(const struct map *map, int inner_fd)
{
	int with_btf = btf_fd >= 0 && (map->btf_key || map->btf_value || map->btf_vmlinux_value);
	struct map_create attr = {
		.map_type = (u32)map->type,
		.key_size = (u32)map->key_size,
		.value_size = (u32)map->value_size,
		.max_entries = (u32)map->max_entries,
		.map_flags = (u32)map->flags,
		.inner_map_fd = inner_fd < 0 ? 0 : (u32)inner_fd,
		.map_extra = map->extra,
	};

	copy_name(attr.map_name, map->name);
	if (with_btf) {
		attr.btf_fd = (u32)btf_fd;
		attr.btf_key_type_id = (u32)map->btf_key;
		attr.btf_value_type_id = (u32)map->btf_value;
		attr.btf_vmlinux_value_type_id = (u32)map->btf_vmlinux_value;
	}
	return bpf(BPF_MAP_CREATE, &attr, sizeof attr);
}

/* With one processor a per-CPU value is rounded up to 8 bytes, as blobs are padded to. */
static long write_entry(const struct map *map, int fd, const struct entry *entry, const int *fds)
{
	u32 reference = 0;
	struct map_elem attr = { .map_fd = (u32)fd, .key = address(entry->key.data) };

	attr.value = address(entry->value.data);
	if (entry->reference != NONE) {
		if (entry->reference >= MAPS || fds[entry->reference] < 0)
			return -9; /* EBADF */
		reference = (u32)fds[entry->reference];
		attr.value = address(&reference);
	} else if (entry->value.length != map->value_size) {
		return -22; /* EINVAL */
	}
	if (entry->key.length != map->key_size)
		return -22;
	return bpf(BPF_MAP_UPDATE_ELEM, &attr, sizeof attr);
}

static void fill(const struct map *map, u64 index, int program_references)
{
	struct reader entries = map->entries;
	const int *fds = program_references ? program_fds : map_fds;

	for (u64 i = 0; i < map->entry_count && !outcomes[index].step; i++) {
		struct entry entry = read_entry(&entries);
		int to_program = map->type == PROG_ARRAY && entry.reference != NONE;
		long result;

		if (to_program != program_references)
			continue;
		result = write_entry(map, map_fds[index], &entry, fds);
		if (result < 0) {
			outcomes[index].step = UPDATE;
			outcomes[index].error = (u64)-result;
			outcomes[index].entry = i;
		}
	}
}

static void freeze(const struct map *map, u64 index)
{
	u32 fd = (u32)map_fds[index];
	long result;

	if (!map->frozen || outcomes[index].step)
		return;
	result = bpf(BPF_MAP_FREEZE, &fd, sizeof fd);
	if (result < 0) {
		outcomes[index].step = FREEZE;
		outcomes[index].error = (u64)-result;
	}
}

static void create_map(const struct map *map, u64 index)
{
	int inner = -1;
	long fd;

	memset(&outcomes[index], 0, sizeof outcomes[index]);
	map_fds[index] = -1;
	if (map->inner != NONE) {
		if (map->inner >= index || map_fds[map->inner] < 0) {
			outcomes[index].step = INNER;
			outcomes[index].error = 9; /* EBADF */
			return;
		}
		inner = map_fds[map->inner];
	}
	fd = create(map, inner);
	if (fd < 0) {
		outcomes[index].step = CREATE;
		outcomes[index].error = (u64)-fd;
		return;
	}
	map_fds[index] = (int)fd;
	fill(map, index, 0);
	if (map->type != PROG_ARRAY)
		freeze(map, index);
}

void create_maps(struct reader *from, u64 count)
{
	for (u64 i = 0; i < count; i++) {
		struct map map = read_map(from);

		if (from->broken)
			return;
		create_map(&map, i);
	}
}

void fill_program_arrays(struct reader from, u64 count)
{
	for (u64 i = 0; i < count; i++) {
		struct map map = read_map(&from);

		if (map.type == PROG_ARRAY && map_fds[i] >= 0) {
			fill(&map, i, 1);
			freeze(&map, i);
		}
	}
}

/* Give one value, or None; the first 4 GiB of a per-CPU value are one processor's. */
static void put_value(struct writer *to, const struct map *map, u64 index, struct blob key)
{
	struct map_elem attr = { .map_fd = (u32)map_fds[index], .key = address(key.data) };
	struct writer before = *to;
	u64 room;

	put(to, 1);
	attr.value = address(open_blob(to, map->value_size + 8, &room));
	if (map_fds[index] >= 0 && key.length == map->key_size && room == map->value_size + 8 &&
	    bpf(BPF_MAP_LOOKUP_ELEM, &attr, sizeof attr) == 0) {
		close_blob(to, map->value_size);
		return;
	}
	*to = before;
	put(to, 0);
}

void put_maps(struct writer *to, struct reader from, u64 count)
{
	put(to, count);
	for (u64 i = 0; i < count; i++) {
		struct map map = read_map(&from);

		put(to, outcomes[i].step);
		put(to, outcomes[i].error);
		put(to, outcomes[i].entry);
		put(to, map.key_count);
		for (u64 k = 0; k < map.key_count; k++)
			put_value(to, &map, i, take_blob(&map.keys));
	}
}
