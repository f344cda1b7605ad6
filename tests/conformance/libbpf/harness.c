/* Runs libbpf's relocation and linking on files. Nothing is loaded into a kernel (see answers.c).
 *
 * Jobs come as lines on standard input, with tabs between id, object, BTF, stage and, if there are
 * any, modules (NAME=PATH,...); each is answered by one JSON line in the form of tests/golden. With
 * modules, the BTF is the running kernel's and not one that the user gives. Stage "log" is stage "core" with what
 * libbpf said meanwhile. libbpf.c is included, because its stages have no names outside it.
 */
#include "libbpf.c"

#define VERSION (LIBBPF_MAJOR_VERSION * 100 + LIBBPF_MINOR_VERSION)

int answer_modules(char *list);

static FILE *warnings, *debug_log;
static char *warned;
static size_t warned_size;

static const char *const levels[] = { "warning", "info", "debug" };

static int take_note(enum libbpf_print_level level, const char *format, va_list list)
{
	static const char prefix[] = "libbpf: ";
	char *line = NULL, *text;

	if (vasprintf(&line, format, list) < 0)
		return 0;
	text = strncmp(line, prefix, strlen(prefix)) ? line : line + strlen(prefix);
	if (level == LIBBPF_WARN && warnings)
		fputs(text, warnings);
	if (debug_log)
		fprintf(debug_log, "%s: %s", levels[level], text);
	free(line);
	return 0;
}

static void start_listening(void)
{
	if (warnings)
		fclose(warnings);
	free(warned);
	warned = NULL;
	warnings = open_memstream(&warned, &warned_size);
}

static void print_text(const char *text, size_t length)
{
	putchar('"');
	for (size_t i = 0; i < length; i++) {
		unsigned char c = text[i];

		if (c == '\n')
			fputs("\\n", stdout);
		else if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c < 0x20)
			printf("\\u%04x", c);
		else
			putchar(c);
	}
	putchar('"');
}

static void print_error(int err)
{
	const char *name = strerrorname_np(-err);

	fflush(warnings);
	printf("{\"code\":\"%s\",\"text\":", name ? name : "unknown");
	print_text(warned, warned_size && warned[warned_size - 1] == '\n' ? warned_size - 1 : warned_size);
	putchar('}');
}

/* Since 1.5 libbpf turns big-endian instructions around while it reads them. */
static void turn_back(struct bpf_object *obj, struct bpf_insn *insn)
{
#if VERSION >= 105
	if (!is_native_endianness(obj))
		bpf_insn_bswap(insn);
#endif
}

static void print_insns(struct bpf_object *obj, struct bpf_program *prog, bool linked)
{
	putchar('[');
	for (size_t i = 0; i < prog->insns_cnt; i++) {
		struct bpf_insn insn = prog->insns[i];
		const unsigned char *bytes = (const void *)&insn;

		if (linked && insn.code == (BPF_LD | BPF_IMM | BPF_DW) &&
		    (insn.src_reg == BPF_PSEUDO_MAP_FD || insn.src_reg == BPF_PSEUDO_MAP_VALUE))
			insn.imm = 0;
		turn_back(obj, &insn);
		printf(i ? ",\"" : "\"");
		for (size_t b = 0; b < sizeof(insn); b++)
			printf("%02x", bytes[b]);
		putchar('"');
	}
	putchar(']');
}

static void print_programs(struct bpf_object *obj, bool linked)
{
	bool first = true;

	for (size_t i = 0; i < obj->nr_programs; i++) {
		struct bpf_program *prog = &obj->programs[i];

		if (linked && prog_is_subprog(obj, prog))
			continue;
		if (!first)
			putchar(',');
		first = false;
		print_text(prog->name, strlen(prog->name));
		fputs(":{\"section\":", stdout);
		print_text(prog->sec_name, strlen(prog->sec_name));
		fputs(",\"insns\":", stdout);
		print_insns(obj, prog, linked);
		fputs(",\"error\":null}", stdout);
	}
}

/* The function that a warning names first is where libbpf stopped. */
static void print_failed_program(struct bpf_object *obj, int err)
{
	static const char start[] = "prog '";
	char *line, *end;

	fflush(warnings);
	for (line = warned; line && strncmp(line, start, strlen(start)); line += !!line)
		line = strchr(line, '\n');
	if (!line || !(end = strchr(line + strlen(start), '\'')))
		return;
	for (size_t i = 0; i < obj->nr_programs; i++) {
		struct bpf_program *prog = &obj->programs[i];
		const char *name = line + strlen(start);

		if (strlen(prog->name) != (size_t)(end - name) ||
		    strncmp(prog->name, name, end - name))
			continue;
		print_text(prog->name, strlen(prog->name));
		fputs(":{\"section\":", stdout);
		print_text(prog->sec_name, strlen(prog->sec_name));
		fputs(",\"insns\":[],\"error\":", stdout);
		print_error(err);
		putchar('}');
		return;
	}
}

static struct bpf_object *open_all(const char *path, const char *btf)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .btf_custom_path = btf);
	struct bpf_object *obj = bpf_object__open_file(path, &opts);
	struct bpf_program *prog;
	long err = libbpf_get_error(obj); /* before 1.0 an error is a pointer */

	if (err) {
		errno = -err;
		return NULL;
	}
	bpf_object__for_each_program(prog, obj)
		bpf_program__set_autoload(prog, true);
	return obj;
}

/* Not that of the machine this runs on. */
static int know_vmlinux(struct bpf_object *obj, const char *btf)
{
	int err;

	obj->btf_vmlinux = btf__parse(btf, NULL);
	err = libbpf_get_error(obj->btf_vmlinux);
	if (err)
		obj->btf_vmlinux = NULL;
	return err;
}

/* The steps of bpf_object_load() up to the one that gives programs to the kernel. */
static int load(struct bpf_object *obj, const char *btf)
{
	int err = 0;

	if (obj_needs_vmlinux_btf(obj)) {
		err = know_vmlinux(obj, btf);
		if (err)
			return err;
	}
#if VERSION >= 106
	return bpf_object_prepare(obj, NULL);
#elif VERSION >= 105
	err = bpf_object_prepare_token(obj);
	err = err ?: bpf_object__probe_loading(obj);
	err = err ?: bpf_object__load_vmlinux_btf(obj, false);
	err = err ?: bpf_object__resolve_externs(obj, obj->kconfig);
	err = err ?: bpf_object__sanitize_maps(obj);
	err = err ?: bpf_object__init_kern_struct_ops_maps(obj);
	err = err ?: bpf_object_adjust_struct_ops_autoload(obj);
	err = err ?: bpf_object__relocate(obj, btf);
	err = err ?: bpf_object__sanitize_and_load_btf(obj);
	err = err ?: bpf_object__create_maps(obj);
#else
	err = bpf_object__probe_loading(obj);
	err = err ?: bpf_object__load_vmlinux_btf(obj, false);
	err = err ?: bpf_object__resolve_externs(obj, obj->kconfig);
	err = err ?: bpf_object__sanitize_and_load_btf(obj);
	err = err ?: bpf_object__sanitize_maps(obj);
	err = err ?: bpf_object__init_kern_struct_ops_maps(obj);
	err = err ?: bpf_object__create_maps(obj);
	err = err ?: bpf_object__relocate(obj, btf);
#endif
	for (size_t i = 0; !err && i < obj->nr_programs; i++)
		err = bpf_object__sanitize_prog(obj, &obj->programs[i]);
	return err;
}

static struct bpf_object *run(const char *path, const char *btf, bool running, bool linked,
			      FILE *log, int *err)
{
	struct bpf_object *obj;

	start_listening();
	obj = open_all(path, running ? NULL : btf);
	if (!obj) {
		*err = -errno;
		return NULL;
	}
	start_listening(); /* of warnings, those of the relocation count */
	debug_log = log;
	if (running)
		*err = know_vmlinux(obj, btf);
	if (!*err && obj->btf_ext)
		*err = bpf_object__relocate_core(obj, running ? NULL : btf);
	debug_log = NULL;
	if (*err || !linked)
		return obj;
	bpf_object__close(obj);
	obj = open_all(path, btf);
	start_listening();
	*err = load(obj, btf);
	return obj;
}

static void answer(const char *id, const char *path, const char *btf, const char *stage,
		   bool running)
{
	bool linked = !strcmp(stage, "linked");
	char *said = NULL;
	size_t said_size = 0;
	FILE *log = NULL;
	int err = 0;
	struct bpf_object *obj;

	if (!strcmp(stage, "log"))
		log = open_memstream(&said, &said_size);
	obj = run(path, btf, running, linked, log, &err);
	fputs("{\"id\":", stdout);
	print_text(id, strlen(id));
	fputs(",\"programs\":{", stdout);
	if (obj && err)
		print_failed_program(obj, err);
	else if (obj)
		print_programs(obj, linked);
	fputs("},\"error\":", stdout);
	if (err)
		print_error(err);
	else
		fputs("null", stdout);
	if (log) {
		fclose(log);
		fputs(",\"log\":", stdout);
		print_text(said, said_size);
		free(said);
	}
	puts("}");
	fflush(stdout);
	bpf_object__close(obj);
}

int main(void)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t length;

	libbpf_set_print(take_note);
	while ((length = getline(&line, &size, stdin)) > 0) {
		char *fields[5], *rest = line;

		if (line[length - 1] == '\n')
			line[length - 1] = '\0';
		for (int i = 0; i < 5; i++) {
			fields[i] = strsep(&rest, "\t");
			if (!fields[i] && i < 4) {
				fprintf(stderr, "not a job: %s\n", line);
				return 2;
			}
		}
		if (answer_modules(fields[4])) {
			fprintf(stderr, "not modules\n");
			return 2;
		}
		answer(fields[0], fields[1], fields[2], fields[3], fields[4]);
	}
	return 0;
}
