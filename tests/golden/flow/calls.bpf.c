#include "guards.h"
/* Guards across functions: what a static function returns is known, what a global one is not. */
static __attribute__((noinline)) int have_static(int flags)
{
	return HAVE && flags ? 1 : 0;
}

__attribute__((noinline)) int have_global(int flags)
{
	return HAVE && flags ? 1 : 0;
}

__attribute__((noinline)) int use_global(int flags)
{
	return WANTED + flags;
}

SEC("socket") int by_static(void *ctx)
{
	return have_static(1) ? WANTED : 0;
}

SEC("socket") int by_global(void *ctx)
{
	return have_global(1) ? WANTED : 0;
}

SEC("socket") int dead_global(void *ctx)
{
	return HAVE ? use_global(prandom()) : 0;
}
