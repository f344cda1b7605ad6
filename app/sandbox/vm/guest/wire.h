/* The records of wire.py: 8-byte numbers, and bytes with a length, padded to 8. */
#ifndef WIRE_H
#define WIRE_H

#include "sys.h"

struct reader {
	u8 *at, *end;
	int broken; /* set for good by the first read that leaves the bytes; reads then give 0 */
};

struct blob {
	u8 *data;
	u64 length;
};

struct writer {
	u8 *at, *end;
	int full; /* set for good by the first write that does not fit */
};

u64 take(struct reader *from);
struct blob take_blob(struct reader *from);
/* A number of items, each of which has at least 8 bytes, and at most `most`. */
u64 take_count(struct reader *from, u64 most);
/* `X | None`, where X is a number. */
u64 take_optional(struct reader *from, u64 otherwise);

void put(struct writer *to, u64 value);
void put_blob(struct writer *to, const void *data, u64 length);

/* Bytes that a system call writes in place: open gives the room, close says what was used. */
u8 *open_blob(struct writer *to, u64 wanted, u64 *room);
void close_blob(struct writer *to, u64 length);

#endif
