/*
 * mprotect(2) that does nothing, for LD_PRELOAD: what is then measured is the
 * cost of our own code without the gate's system calls. It protects nothing.
 */
#include <stddef.h>

int mprotect(void *address, size_t length, int protection);

int mprotect(void *address, size_t length, int protection)
{
    (void)address, (void)length, (void)protection;
    return 0;
}
