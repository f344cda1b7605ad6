/*
 * Loads the programs of an object, each by itself, with one version of libbpf. Nothing is
 * attached. Who runs it sees what it hands to the kernel; here it prints only what the loader says.
 */
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static char words[512];

/* The first warning tells the cause, those behind it what followed from it. */
static int warn(enum libbpf_print_level level, const char *format, va_list arguments)
{
	if (level != LIBBPF_WARN || words[0])
		return 0;
	vsnprintf(words, sizeof words, format, arguments);
	for (char *at = words; *at; at++)
		if (*at == '\n' || *at == '\t')
			*at = at[1] ? ' ' : 0;
	return 0;
}

static struct bpf_object *open_object(const char *path)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);

	if (libbpf_get_error(object))
		return NULL;
	words[0] = 0;
	return object;
}

static int is_wanted(const char *name, int count, char **names)
{
	for (int i = 0; i < count; i++)
		if (!strcmp(name, names[i]))
			return 1;
	return !count;
}

static void load(const char *path, const char *name)
{
	struct bpf_object *object = open_object(path);
	struct bpf_program *program;
	struct bpf_map *map;
	int error;

	if (!object)
		return;
	bpf_object__for_each_program(program, object)
		bpf_program__set_autoload(program, !strcmp(bpf_program__name(program), name));
	bpf_object__for_each_map(map, object)
		bpf_map__set_pin_path(map, NULL);
	error = bpf_object__load(object);
	if (error)
		printf("-\t%s\t%s (%s)\n", name, words, strerror(-error));
	else
		printf("+\t%s\t\n", name);
	fflush(stdout);
	bpf_object__close(object);
}

int main(int count, char **arguments)
{
	struct bpf_object *object;
	struct bpf_program *program;

	libbpf_set_print(warn);
	object = open_object(arguments[1]);
	if (!object) {
		printf("!\t\t%s (%s)\n", words, strerror(errno));
		return 1;
	}
	bpf_object__for_each_program(program, object)
		if (is_wanted(bpf_program__name(program), count - 2, arguments + 2))
			load(arguments[1], bpf_program__name(program));
	return 0;
}
