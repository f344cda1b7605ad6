/* The kernel, as far as libbpf gets to see one here: every bpf() call is answered in this process.
 *
 * libbpf is compiled with `syscall` named `answered_syscall`, so that no call of bpf() is left.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MAP_BYTES = 1 << 28 }; /* of nothing: libbpf maps the pages of its global data */

/* BTF objects that can be asked for: vmlinux, which has the first id, and modules. */
enum { MODULES = 8192, FIRST_ID = 1 };
static struct { const char *name, *path; int fd; } modules[MODULES + 1] = { { "vmlinux" } };
static unsigned int nr_btfs = 1;

/* Takes NAME=PATH[,NAME=PATH...], which is cut up and must stay; NULL for no modules. */
int answer_modules(char *list)
{
	char *each, *name;

	for (nr_btfs = 1; (each = strsep(&list, ",")); nr_btfs++) {
		name = strsep(&each, "=");
		if (!each || nr_btfs > MODULES)
			return -1;
		modules[nr_btfs].name = name;
		modules[nr_btfs].path = each;
		modules[nr_btfs].fd = -1;
	}
	return 0;
}

static long answered_next_id(union bpf_attr *attr)
{
	if (nr_btfs == 1 || attr->start_id >= FIRST_ID + nr_btfs - 1) {
		errno = ENOENT;
		return -1;
	}
	attr->next_id = attr->start_id + 1;
	return 0;
}

static long answered_open(union bpf_attr *attr)
{
	unsigned int number = attr->btf_id - FIRST_ID;

	if (number >= nr_btfs) {
		errno = ENOENT;
		return -1;
	}
	modules[number].fd = open(number ? modules[number].path : "/dev/null", O_RDONLY | O_CLOEXEC);
	return modules[number].fd;
}

static long answered_info(union bpf_attr *attr)
{
	struct bpf_btf_info *info = (void *)(long)attr->info.info;
	unsigned int number = 1, wanted = info->btf_size;
	struct stat file;

	for (number = nr_btfs; number-- > 0;)
		if (modules[number].fd == (int)attr->info.bpf_fd)
			break;
	if (number >= nr_btfs || fstat(attr->info.bpf_fd, &file))
		return 0; /* not a kernel's: a feature probe asks */
	info->id = FIRST_ID + number;
	info->kernel_btf = 1;
	if (info->name)
		strncpy((char *)(long)info->name, modules[number].name, info->name_len - 1);
	info->name_len = strlen(modules[number].name);
	info->btf_size = file.st_size;
	if (info->btf && pread(attr->info.bpf_fd, (void *)(long)info->btf, wanted, 0) < 0)
		return -1;
	return 0;
}

static long fake_fd(void)
{
	int fd = syscall(SYS_memfd_create, "answered", MFD_CLOEXEC);

	if (fd >= 0 && ftruncate(fd, MAP_BYTES))
		return -1;
	return fd;
}

static long answered_bpf(long command, union bpf_attr *attr)
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
	case BPF_BTF_GET_NEXT_ID:
		return answered_next_id(attr);
	case BPF_BTF_GET_FD_BY_ID:
		return answered_open(attr);
	case BPF_OBJ_GET_INFO_BY_FD:
		if (nr_btfs > 1)
			return answered_info(attr);
		errno = EINVAL;
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
		return answered_bpf(arguments[0], (void *)arguments[1]);
	if (number == SYS_dup3 || number == SYS_memfd_create)
		return syscall(number, arguments[0], arguments[1], arguments[2]);
	errno = ENOSYS;
	return -1;
}
