/* Prints the table of cases of the kernel's prog_tests/core_reloc.c, one JSON line each. */
#include <prog_tests/core_reloc.c>

static void print_bytes(const char *name, const char *bytes, int length)
{
	printf(",\"%s\":\"", name);
	for (int i = 0; bytes && i < length; i++)
		printf("%02x", (unsigned char)bytes[i]);
	putchar('"');
}

int main(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(test_cases); i++) {
		struct core_reloc_test_case test = test_cases[i];

		if (test.setup && test.setup(&test))
			return 1;
		printf("{\"name\":\"%s\",\"object\":\"%s\",\"program\":\"%s\",\"fails\":%s",
		       test.case_name, test.bpf_obj_file, test.prog_name,
		       test.fails ? "true" : "false");
		if (test.btf_src_file)
			printf(",\"target\":\"%s\"", test.btf_src_file);
		print_bytes("input", test.input, test.input_len);
		print_bytes("output", test.output, test.output_len);
		puts("}");
	}
	return 0;
}
