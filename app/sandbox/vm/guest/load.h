/* One request: BTF, maps, programs, test runs; see protocol.py for what each field means. */
#ifndef LOAD_H
#define LOAD_H

#include "wire.h"

enum status { ANSWERED = 1, MALFORMED = 2, ANSWER_FULL = 3, READY = 9 };
enum step { DONE, CREATE, UPDATE, FREEZE, INNER, LOAD };
enum { MAPS = 64, PROGRAMS = 64, NONE = 0xffff };

extern int map_fds[MAPS], program_fds[PROGRAMS], btf_fd;

/* Read one request and write its answer; no file descriptor is left open. */
enum status serve(struct reader *request, struct writer *answer);

/* Names of programs and maps: 15 characters that the kernel allows. */
void copy_name(char to[16], struct blob name);

void create_maps(struct reader *from, u64 count);
/* Again over the same bytes: elements that refer to programs, freezing of those maps. */
void fill_program_arrays(struct reader from, u64 count);
void put_maps(struct writer *to, struct reader from, u64 count);

void load_programs(struct reader *from, struct writer *to, u64 count);
void run_tests(struct reader from, struct writer *to, u64 count);

/* A program of the request that is run, and every BPF_PROG_LOAD of it. */
void run_command(struct reader *from, struct writer *to);

#endif
