/* For scripts/aarch64: a file in ordinary memory where memfd_secret(2) is
 * asked for. QEMU's user mode does not know that call. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define ARGUMENTS 6

typedef long call(long number, ...);

long syscall(long number, ...)
{
    static call *next;
    long given[ARGUMENTS];
    va_list list;

    va_start(list, number);
    for (int i = 0; i < ARGUMENTS; i++)
        given[i] = va_arg(list, long);
    va_end(list);
    if (number == SYS_memfd_secret)
        return memfd_create("ordinary", MFD_CLOEXEC);
    if (!next)
        next = (call *)dlsym(RTLD_NEXT, "syscall");
    return next(number, given[0], given[1], given[2], given[3], given[4],
                given[5]);
}
