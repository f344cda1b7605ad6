#include "guards.h"
/* Code follows the guard: the jump skips the first instruction of it, and all else is fine. */
SEC("socket") int different(void *ctx)
{
	volatile int out = 3;

	if (HAVE) {
		volatile int value = WANTED;
	}
	out = 7;
	return 0;
}
