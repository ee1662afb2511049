/*
 * Made a shared library with a whole second copy of AWS-LC, all of whose
 * names are visible, and with the allocation hooks that AWS-LC asks for as
 * weak symbols: what any other library of a process may bring along.
 */
#include <malloc.h>
#include <stddef.h>
#include <stdlib.h>

static long calls;

long second_copy_calls(void)
{
	return __atomic_load_n(&calls, __ATOMIC_RELAXED);
}

void *OPENSSL_memory_alloc(size_t size)
{
	__atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED);
	return malloc(size);
}

void OPENSSL_memory_free(void *at)
{
	free(at);
}

size_t OPENSSL_memory_get_size(void *at)
{
	return at == NULL ? 0 : malloc_usable_size(at);
}

void *OPENSSL_memory_realloc(void *at, size_t size)
{
	__atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED);
	return realloc(at, size);
}
