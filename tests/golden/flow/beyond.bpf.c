#include "guards.h"
/* The guard stands right before the exit: the jump lands past the end. */
SEC("socket") int beyond(void *ctx)
{
	int result = prandom();

	if (HAVE) {
		volatile int value = WANTED;
	}
	return result;
}
