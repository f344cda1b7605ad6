#include "wire.h"

static u64 left(const u8 *at, const u8 *end)
{
	return (u64)(end - at);
}

u64 take(struct reader *from)
{
	u64 value;

	if (from->broken || left(from->at, from->end) < 8) {
		from->broken = 1;
		return 0;
	}
	memcpy(&value, from->at, 8);
	from->at += 8;
	return value;
}

struct blob take_blob(struct reader *from)
{
	struct blob found = { from->at, 0 };
	u64 length = take(from);
	u64 room = left(from->at, from->end);

	if (length > room || ((length + 7) & ~7ull) > room)
		from->broken = 1;
	if (from->broken)
		return found;
	found.data = from->at;
	found.length = length;
	from->at += (length + 7) & ~7ull;
	return found;
}

u64 take_count(struct reader *from, u64 most)
{
	u64 count = take(from);

	if (count > most || count > left(from->at, from->end) / 8) {
		from->broken = 1;
		return 0;
	}
	return count;
}

u64 take_optional(struct reader *from, u64 otherwise)
{
	return take(from) ? take(from) : otherwise;
}

void put(struct writer *to, u64 value)
{
	if (to->full || left(to->at, to->end) < 8) {
		to->full = 1;
		return;
	}
	memcpy(to->at, &value, 8);
	to->at += 8;
}

u8 *open_blob(struct writer *to, u64 wanted, u64 *room)
{
	u64 space = left(to->at, to->end);

	/* Half of what is left, at most: what follows needs room as well. */
	space = space > 64 ? (space / 2) & ~7ull : 0;
	*room = wanted < space ? wanted : space;
	return to->at + 8;
}

void close_blob(struct writer *to, u64 length)
{
	u64 padded = (length + 7) & ~7ull;

	if (to->full || left(to->at, to->end) < 8 + padded) {
		to->full = 1;
		return;
	}
	put(to, length);
	memset(to->at + length, 0, padded - length);
	to->at += padded;
}

void put_blob(struct writer *to, const void *data, u64 length)
{
	if (to->full || length > left(to->at, to->end) || left(to->at, to->end) < length + 16) {
		to->full = 1;
		return;
	}
	memcpy(to->at + 8, data, length);
	close_blob(to, length);
}

void *memcpy(void *to, const void *from, size_t length)
{
	void *start = to;

	asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(length) : : "memory");
	return start;
}

void *memset(void *to, int value, size_t length)
{
	void *start = to;

	asm volatile("rep stosb" : "+D"(to), "+c"(length) : "a"(value) : "memory");
	return start;
}
