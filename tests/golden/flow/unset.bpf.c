#include "guards.h"
/* The jump lands on the exit: r0 was never written. */
SEC("socket") int unset(void *ctx)
{
	if (HAVE) {
		volatile int value = WANTED;
	}
	return 0;
}
