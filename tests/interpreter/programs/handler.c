/*
 * A handler in C that keeps to signal-safety(7): it uses stack, and keeps
 * errno. The one of faulthandler.register keeps neither errno nor, in the
 * middle of a frame that is being made, its own process.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>

static volatile unsigned long seen;

static void handle(int number)
{
    int kept = errno;
    volatile char room[4096];

    (void)number;
    memset((char *)room, 0x5a, sizeof room);
    seen++;
    errno = kept;
}

int take(int number)
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_handler = handle;
    action.sa_flags = SA_ONSTACK | SA_RESTART;
    return sigaction(number, &action, NULL);
}

unsigned long count(void)
{
    return seen;
}
