/*
 * The guest's only program: process 1 of a kernel that exists to verify BPF programs.
 *
 * The host maps a piece of memory that the guest's kernel does not use (mem= on its command line)
 * and puts requests there; `reqmem=address,length` says where. The guest waits by looking at it:
 * a clone that has nothing to do is stopped, so nothing is wasted, and neither interrupts nor a
 * terminal have to work. A byte on the first serial port tells the host: R ready, D done, E
 * followed by a letter: cannot go on.
 */
#include "load.h"

#ifdef GUEST_MISBEHAVE
#include "misbehave.h"
#endif

enum { SERIAL = 0x3f8, PAGE = 4096 };

struct header {
	/* written by the host */
	u64 magic, go, request_length, answer_at;
	/* written by the guest; `done` is the value of `go` */
	u64 done, status, answer_length;
};

static const u64 MAGIC = 0x3130594c50455243; /* "CREPLY01" */

static void ring(char byte)
{
	u8 state;

	do /* until the transmitter is empty */
		asm volatile("inb %1, %0" : "=a"(state) : "Nd"((u16)(SERIAL + 5)));
	while (!(state & 0x20));
	asm volatile("outb %0, %1" : : "a"(byte), "Nd"((u16)SERIAL));
}

static void give_up(char why)
{
	ring('E');
	ring(why);
	for (;;)
		sys3(SYS_pause, 0, 0, 0);
}

static u64 number(const char **text)
{
	u64 value = 0;

	if ((*text)[0] == '0' && (*text)[1] == 'x')
		*text += 2;
	for (;; (*text)++) {
		char c = **text;

		if (c >= '0' && c <= '9')
			value = value * 16 + (u64)(c - '0');
		else if (c >= 'a' && c <= 'f')
			value = value * 16 + (u64)(c - 'a' + 10);
		else
			return value;
	}
}

/* The kernel hands on what it does not know of its command line as environment variables. */
static const char *variable(char **environment, const char *name)
{
	for (; *environment; environment++) {
		u64 i = 0;

		while (name[i] && (*environment)[i] == name[i])
			i++;
		if (!name[i])
			return *environment + i;
	}
	return 0;
}

static u8 *map_area(char **environment, u64 *length)
{
	const char *text = variable(environment, "reqmem=");
	u64 start;
	long fd, area;

	if (!text)
		give_up('m');
	start = number(&text);
	text++;
	*length = number(&text);
	fd = sys3(SYS_open, (long)"/dev/mem", 2 /* O_RDWR */, 0);
	if (fd < 0)
		give_up('o');
	area = sys6(SYS_mmap, 0, (long)*length, 3, 1 /* MAP_SHARED */, fd, (long)start);
	if (area < 0 && area > -PAGE)
		give_up('a');
	return (u8 *)area;
}

asm("restore: mov $15, %eax\n syscall\n"); /* rt_sigreturn */
extern void restore(void);

static void on_alarm(int number)
{
	(void)number;
}

/* An alarm ends a test run with EINTR; 5.10 counts maps against RLIMIT_MEMLOCK. */
static void prepare(void)
{
	struct { void (*handler)(int); u64 flags; void (*restorer)(void); u64 mask; } action = {
		on_alarm, 0x04000000 /* SA_RESTORER */, restore, 0,
	};
	u64 unlimited[2] = { ~0ull, ~0ull };

	sys6(SYS_rt_sigaction, 14 /* SIGALRM */, (long)&action, 0, 8, 0, 0);
	sys3(SYS_setrlimit, 8 /* RLIMIT_MEMLOCK */, (long)unlimited, 0);
	if (sys3(SYS_ioperm, SERIAL, 8, 1) < 0)
		for (;;)
			sys3(SYS_pause, 0, 0, 0);
}

static void answer(u8 *area, u64 length)
{
	volatile struct header *header = (volatile struct header *)area;
	u64 request_length = header->request_length, answer_at = header->answer_at;
	struct reader request = { area + PAGE, area + PAGE + request_length, 0 };
	struct writer to = { area + answer_at, area + length, 0 };

	header->status = MALFORMED;
	header->answer_length = 0;
	if (header->magic == MAGIC && request_length <= length - PAGE && answer_at >= PAGE &&
	    answer_at <= length && answer_at % 8 == 0 && request_length <= answer_at - PAGE) {
#ifdef GUEST_MISBEHAVE
		misbehave(request, area);
#endif
		header->status = serve(&request, &to);
		header->answer_length = (u64)(to.at - (area + answer_at));
	}
}

/* From _start: the stack holds argc, argv, NULL, environment, NULL. */
__attribute__((used)) void start(long *stack)
{
	u64 length, last = 0;
	u8 *area;
	volatile struct header *header;

	prepare();
	area = map_area((char **)(stack + stack[0] + 2), &length);
	header = (volatile struct header *)area;
	header->status = READY;
	ring('R');
	for (;;) {
		u64 go = __atomic_load_n(&header->go, __ATOMIC_ACQUIRE);

		if (!go || go == last) {
			asm volatile("pause");
			continue;
		}
		last = go;
		answer(area, length);
		__atomic_store_n(&header->done, go, __ATOMIC_RELEASE);
		ring('D');
	}
}

asm(".globl _start\n_start: mov %rsp, %rdi\n and $-16, %rsp\n call start\n");
