/* Stands in for the kernel's own test_progs.h: enough to compile prog_tests/core_reloc.c, whose
 * table of cases cases.c then prints. None of its tests is run here.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARRAY_SIZE(x) (sizeof(x) / sizeof((x)[0]))
#define CHECK(condition, tag, ...) ({ bool failed = (condition); failed; })
#define CHECK_FAIL(condition) ({ (condition); })
#define ASSERT_OK(result, name) ((result) == 0)
#define ASSERT_OK_PTR(pointer, name) ((pointer) != NULL)
#define ASSERT_FALSE(value, name) (!(value))
#define ASSERT_GE(left, right, name) ((left) >= (right))
#define sys_gettid() 0
#define test__start_subtest(name) false
#define test__skip() ((void)0)
#define trigger_module_test_read(size) 0

typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef long long s64;
typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef unsigned long long u64;

static struct { bool has_testmod; } env;
