#ifdef GUEST_MISBEHAVE
#include "misbehave.h"

enum { SYS_fork = 57, SYS_exit = 60, SYS_reboot = 169, SERIAL = 0x3f8, DONE_AT = 32 };

static int is(struct blob text, const char *word)
{
	u64 i = 0;

	while (i < text.length && word[i] && text.data[i] == (u8)word[i])
		i++;
	return i == text.length && !word[i];
}

static void flood(void)
{
	for (;;)
		asm volatile("outb %0, %1" : : "a"((u8)'x'), "Nd"((u16)SERIAL));
}

static void hog(void)
{
	for (;;) {
		long at = sys6(SYS_mmap, 0, 1 << 24, 3, 0x22 /* private, anonymous */, -1, 0);

		if (at > 0)
			memset((void *)at, 1, 1 << 24);
	}
}

/* Say that the answer is there: these bytes, or so many that there cannot be. */
static void forge(u8 *area, u64 status, u64 length)
{
	u64 *guest = (u64 *)(area + DONE_AT);
	u64 *host = (u64 *)area;

	memset(area + host[3], 0xff, 64);
	guest[1] = status;
	guest[2] = length;
	guest[0] = host[1];
	for (;;)
		asm volatile("outb %0, %1" : : "a"((u8)'D'), "Nd"((u16)SERIAL));
}

static void leave_file(void)
{
	sys3(SYS_open, (long)"/left", 0102 /* O_CREAT | O_RDWR */, 0600);
}

void misbehave(struct reader request, u8 *area)
{
	struct blob name = { 0, 0 };

	if (take(&request))
		name = take_blob(&request);
	if (is(name, "panic"))
		sys3(SYS_exit, 0, 0, 0);
	if (is(name, "reboot"))
		sys6(SYS_reboot, 0xfee1dead, 672274793, 0x1234567, 0, 0, 0);
	while (is(name, "loop") || (is(name, "fork") && sys3(SYS_fork, 0, 0, 0) > -4096))
		;
	if (is(name, "hog"))
		hog();
	if (is(name, "flood"))
		flood();
	if (is(name, "forge length"))
		forge(area, ANSWERED, ~0ull >> 1);
	if (is(name, "forge answer"))
		forge(area, ANSWERED, 64);
	if (is(name, "forge status"))
		forge(area, 77, 64);
	if (is(name, "leave"))
		leave_file();
	if (is(name, "look") && sys3(SYS_open, (long)"/left", 0, 0) >= 0)
		sys3(SYS_exit, 0, 0, 0);
}
#endif
