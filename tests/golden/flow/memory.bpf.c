#include "guards.h"
/* Guards that pass through memory. */
const volatile int wanted = 0;
volatile int seen = 0;

SEC("socket") int by_rodata(void *ctx)
{
	return wanted ? WANTED : 0;
}

SEC("socket") int by_data(void *ctx)
{
	seen = HAVE;
	return seen ? WANTED : 0;
}

SEC("socket") int by_zero(void *ctx)
{
	volatile int have = HAVE;

	return have ? WANTED : 0;
}

SEC("socket") int by_one(void *ctx)
{
	volatile int missing = !HAVE;

	return missing ? 0 : WANTED;
}

SEC("socket") int by_low_half(void *ctx)
{
	volatile __u64 missing = !HAVE;

	return *(volatile __u32 *)&missing ? 0 : WANTED;
}

SEC("socket") int unguarded(void *ctx)
{
	return WANTED;
}
