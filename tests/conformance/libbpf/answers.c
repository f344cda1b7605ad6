/* The kernel, as far as libbpf gets to see one here: every bpf() call is answered in this process.
 *
 * libbpf is compiled with `syscall` named `answered_syscall`, so that no call of bpf() is left.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MAP_BYTES = 1 << 28 }; /* of nothing: libbpf maps the pages of its global data */

static long fake_fd(void)
{
	int fd = syscall(SYS_memfd_create, "answered", MFD_CLOEXEC);

	if (fd >= 0 && ftruncate(fd, MAP_BYTES))
		return -1;
	return fd;
}

static long answered_bpf(long command)
{
	switch (command) {
	case BPF_MAP_CREATE:
	case BPF_PROG_LOAD:
	case BPF_BTF_LOAD:
		return fake_fd();
	case BPF_MAP_UPDATE_ELEM:
	case BPF_MAP_FREEZE:
	case BPF_PROG_BIND_MAP:
		return 0;
	case BPF_BTF_GET_NEXT_ID: /* there are no modules */
		errno = ENOENT;
		return -1;
	default:
		errno = EINVAL;
		return -1;
	}
}

long answered_syscall(long number, ...)
{
	long arguments[3];
	va_list list;

	va_start(list, number);
	for (int i = 0; i < 3; i++)
		arguments[i] = va_arg(list, long);
	va_end(list);
	if (number == SYS_bpf)
		return answered_bpf(arguments[0]);
	if (number == SYS_dup3 || number == SYS_memfd_create)
		return syscall(number, arguments[0], arguments[1], arguments[2]);
	errno = ENOSYS;
	return -1;
}
