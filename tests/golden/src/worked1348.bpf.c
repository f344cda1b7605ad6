/*
 * cilium/ebpf issue 1348 in its smallest form: a value that is read only where it exists.
 * No kernel has this enumerator, so the guard becomes 0 and the value is replaced by poison.
 *
 * objects/worked1348.clang19.v2.el.o: clang-19 -target bpf -mcpu=v2 -O2 -g -c worked1348.bpf.c
 */
enum cgroup_subsys_id { cpuset_cgrp_id_lublub = 1 };

char LICENSE[] __attribute__((section("license"), used)) = "GPL";

#define CHOSEN (*(typeof(enum cgroup_subsys_id) *)cpuset_cgrp_id_lublub)
#define EXISTS 0
#define VALUE 1

__attribute__((section("socket"), used)) int guarded(void *ctx)
{
	if (__builtin_preserve_enum_value(CHOSEN, EXISTS)) {
		volatile int val = __builtin_preserve_enum_value(CHOSEN, VALUE);
	}
	return 0;
}
