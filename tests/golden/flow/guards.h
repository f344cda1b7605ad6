/* What the programs here share: an enumerator that the target does not have. */
typedef unsigned int __u32;
typedef unsigned long long __u64;
#define SEC(name) __attribute__((section(name), used))
#define EXISTS(type, value) __builtin_preserve_enum_value(*(type *)value, 0)
#define VALUE(type, value) __builtin_preserve_enum_value(*(type *)value, 1)

enum cgroup_subsys_id {
	cpuset_cgrp_id = 0,
	absent_cgrp_id = 1,
};

static __u32 (*prandom)(void) = (void *)7;

#define HAVE EXISTS(enum cgroup_subsys_id, absent_cgrp_id)
#define WANTED VALUE(enum cgroup_subsys_id, absent_cgrp_id)

char LICENSE[] SEC("license") = "GPL";
