/* What `./run conformance --modules` relocates: one object for each PART, as a refusal ends an
 * object. Types are those of tests/support/module_kernels.py. No headers are needed.
 */
#define SEC(name) __attribute__((section(name), used))
#define CORE __attribute__((preserve_access_index))
#define OFFSET(value) __builtin_preserve_field_info(value, 0)
#define SIZE(value) __builtin_preserve_field_info(value, 1)
#define EXISTS(value) __builtin_preserve_field_info(value, 2)
#define SIGNED(value) __builtin_preserve_field_info(value, 3)
#define TYPE(type) *(typeof(type) *)0
#define ENUMERATOR(type, value) *(typeof(type) *)value

char LICENSE[] SEC("license") = "GPL";
long out[16];

struct conn { int mark; long tuple; } CORE;
struct peer { int port; } CORE;
enum mode { MODE_OFF = 1, MODE_ON = 2 };

#if PART == 1 /* fields; in each program as some part of a kernel may attach to another module */
static inline __attribute__((always_inline)) int fields(struct conn *conn)
{
	out[0] = EXISTS(conn->mark);
	out[1] = OFFSET(conn->mark);
	out[2] = SIZE(conn->tuple);
	out[3] = SIGNED(conn->mark);
	return conn->mark + conn->tuple;
}
SEC("kprobe/conn_in") int in_a(void *ctx) { return fields(ctx); }
SEC("fentry/other_in") int in_b(void *ctx) { return fields(ctx); }
SEC("kprobe/nobody") int nowhere(void *ctx) { return fields(ctx); }
SEC("socket") int no_point(void *ctx) { return fields(ctx); }
#elif PART == 2 /* a type's id */
SEC("kprobe/conn_in") int target_id(void *ctx) { return __builtin_preserve_type_info(TYPE(struct conn), 0) + __builtin_btf_type_id(TYPE(struct conn), 1); }
SEC("socket") int local_id(void *ctx) { return __builtin_btf_type_id(TYPE(struct conn), 0); }
#elif PART == 3 /* a type's size, whether it exists and matches */
SEC("kprobe/conn_in") int types(void *ctx)
{
	out[0] = __builtin_preserve_type_info(TYPE(struct conn), 0);
	out[1] = __builtin_preserve_type_info(TYPE(struct conn), 1);
	out[2] = __builtin_preserve_type_info(TYPE(struct peer), 1);
	return 0;
}
SEC("fentry/other_in") int matches(void *ctx) { return __builtin_preserve_type_info(TYPE(struct conn), 2); }
#elif PART == 4 /* enumerators */
SEC("kprobe/conn_in") int enums(void *ctx)
{
	out[0] = __builtin_preserve_enum_value(ENUMERATOR(enum mode, MODE_ON), 0);
	out[1] = __builtin_preserve_enum_value(ENUMERATOR(enum mode, MODE_ON), 1);
	out[2] = __builtin_preserve_enum_value(ENUMERATOR(enum mode, MODE_OFF), 1);
	return 0;
}
SEC("socket") int only_exists(void *ctx) { return __builtin_preserve_enum_value(ENUMERATOR(enum mode, MODE_OFF), 0); }
#elif PART == 5 /* flavors, and two types that different BTFs may have */
struct conn___old { int mark; } CORE;
struct conn___odd { int gone; } CORE;
SEC("kprobe/conn_in") int flavors(void *ctx)
{
	struct conn___old *old = ctx;
	struct conn___odd *odd = ctx;
	struct peer *peer = ctx;

	out[0] = old->mark;
	if (EXISTS(odd->gone))
		out[1] = odd->gone;
	return EXISTS(peer->port) ? peer->port : 0;
}
#elif PART == 6 /* two types, and a program that asks for nothing */
SEC("kprobe/conn_in") int both(void *ctx)
{
	struct conn *conn = ctx;
	struct peer *peer = ctx;

	return conn->mark + peer->port;
}
SEC("fentry/other_in") int nothing(void *ctx) { return 0; }
#endif
