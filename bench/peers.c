/*
 * peers: what others do with a 32-byte secret, measured in C.
 *
 *   peers libsodium|openssl serve           time operations on request
 *   peers libsodium|openssl trace           each operation between marks
 *   peers libsodium|openssl memory COUNT    locked and resident bytes
 *   peers libsodium|openssl live LIMIT UID  how many fit under a limit
 *
 * The libraries are opened at run time, so neither headers nor link names
 * are needed; the prototypes are those of their manuals. sodium_malloc gives
 * each object pages and guards of its own; OpenSSL's secure heap is one
 * locked arena of the size given at the start.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <grp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define SIZE 32UL
#define PART 4UL
/* Other secrets that are alive meanwhile, as in a program. */
#define NEIGHBOURS 64
/* More than any limit that is measured here can hold. */
#define MOST 400000L
#define TRACED 50
#define HEAP (1UL << 20)

static int (*sodium_start)(void);
static const char *(*sodium_version)(void);
static void *(*sodium_malloc)(size_t);
static void (*sodium_free)(void *);
static int (*sodium_memcmp)(const void *, const void *, size_t);
static int (*sodium_readonly)(void *);
static int (*sodium_noaccess)(void *);
static void (*sodium_random)(void *, size_t);

static const char *(*ssl_version)(int);
static int (*ssl_init)(size_t, size_t);
static void *(*ssl_malloc)(size_t, const char *, int);
static void (*ssl_free)(void *, size_t, const char *, int);
static int (*ssl_memcmp)(const void *, const void *, size_t);
static int (*ssl_random)(unsigned char *, size_t);

static const unsigned char data[SIZE] = "thirty-two bytes, of no concern";
static void *first, *second;
static volatile int sink;

static void die(const char *what)
{
    fprintf(stderr, "peers: %s\n", what);
    exit(2);
}

static void *need(void *library, const char *name)
{
    void *symbol = dlsym(library, name);
    if (!symbol)
        die(dlerror());
    return symbol;
}

/* ISO C has no conversion from an object pointer to a function's. */
#define BIND(library, pointer, name) \
    (*(void **)&(pointer) = need((library), (name)))

/* What each library is asked to do. */
struct peer {
    const char *name;
    int (*open)(void);
    const char *(*version)(void);
    int (*start)(size_t limit);
    void *(*take)(size_t size);
    void (*give)(void *secret, size_t size);
    void (*fill)(void *secret, size_t size);
    int (*compare)(const void *, const void *, size_t);
    int (*closes)(void);
};

static int yes(void) { return 1; }
static int no(void) { return 0; }

static int sodium_open(void)
{
    static const char *const names[] = { "libsodium.so.26", "libsodium.so.23" };
    void *library = NULL;
    for (unsigned i = 0; i < 2 && !library; i++)
        library = dlopen(names[i], RTLD_NOW);
    if (!library)
        return 0;
    BIND(library, sodium_start, "sodium_init");
    BIND(library, sodium_version, "sodium_version_string");
    BIND(library, sodium_malloc, "sodium_malloc");
    BIND(library, sodium_free, "sodium_free");
    BIND(library, sodium_memcmp, "sodium_memcmp");
    BIND(library, sodium_readonly, "sodium_mprotect_readonly");
    BIND(library, sodium_noaccess, "sodium_mprotect_noaccess");
    BIND(library, sodium_random, "randombytes_buf");
    return 1;
}

static const char *sodium_named(void) { return sodium_version(); }
static int sodium_begin(size_t limit) { return (void)limit, sodium_start() >= 0; }
static void *sodium_take(size_t size) { return sodium_malloc(size); }
static void sodium_give(void *at, size_t size) { (void)size, sodium_free(at); }
static void sodium_fill(void *at, size_t size) { sodium_random(at, size); }

static int sodium_same(const void *a, const void *b, size_t size)
{
    return sodium_memcmp(a, b, size);
}

static int ssl_open(void)
{
    void *library = dlopen("libcrypto.so.3", RTLD_NOW);
    if (!library)
        return 0;
    BIND(library, ssl_version, "OpenSSL_version");
    BIND(library, ssl_init, "CRYPTO_secure_malloc_init");
    BIND(library, ssl_malloc, "CRYPTO_secure_malloc");
    BIND(library, ssl_free, "CRYPTO_secure_clear_free");
    BIND(library, ssl_memcmp, "CRYPTO_memcmp");
    BIND(library, ssl_random, "RAND_bytes");
    return 1;
}

static const char *ssl_named(void) { return ssl_version(0); }
/* 2 means: made, but not locked or without guards. */
static int ssl_begin(size_t limit) { return ssl_init(limit, SIZE) == 1; }
static void *ssl_take(size_t size) { return ssl_malloc(size, "peers.c", 1); }
static void ssl_give(void *at, size_t n) { ssl_free(at, n, "peers.c", 1); }

static void ssl_fill(void *at, size_t size)
{
    if (ssl_random(at, size) != 1)
        die("RAND_bytes failed");
}

static int ssl_same(const void *a, const void *b, size_t size)
{
    return ssl_memcmp(a, b, size);
}

static const struct peer peers[] = {
    { "libsodium", sodium_open, sodium_named, sodium_begin, sodium_take,
      sodium_give, sodium_fill, sodium_same, yes },
    { "openssl", ssl_open, ssl_named, ssl_begin, ssl_take, ssl_give, ssl_fill,
      ssl_same, no },
};

static const struct peer *peer;

static void *take(size_t size)
{
    void *secret = peer->take(size);
    if (!secret)
        die("no memory");
    return secret;
}

static void *copied(size_t size)
{
    return memcpy(take(size), data, size);
}

static void create_close(void) { peer->give(copied(SIZE), SIZE); }
static void slice(void) { peer->give(memcpy(take(PART), (char *)first + 4, PART), PART); }
static void compare(void) { sink = peer->compare(first, second, SIZE); }
static void matches(void) { sink = peer->compare(first, data, SIZE); }

static void random_close(void)
{
    void *secret = take(SIZE);
    peer->fill(secret, SIZE);
    peer->give(secret, SIZE);
}

/* Of libsodium alone: it closes memory between uses if it is told to. */
static void reveal(void)
{
    if (sodium_readonly(first))
        die("sodium_mprotect_readonly failed");
    sink = *(volatile unsigned char *)first;
    if (sodium_noaccess(first))
        die("sodium_mprotect_noaccess failed");
}

static const struct operation {
    const char *name;
    void (*once)(void);
} operations[] = {
    { "create_close", create_close }, { "random_close", random_close },
    { "reveal", reveal }, { "compare", compare }, { "matches", matches },
    { "slice_close", slice },
};
#define OPERATIONS (sizeof operations / sizeof operations[0])

static void (*operation_named(const char *name))(void)
{
    if (!strcmp(name, "reveal") && !peer->closes())
        return NULL;
    for (unsigned i = 0; i < OPERATIONS; i++)
        if (!strcmp(operations[i].name, name))
            return operations[i].once;
    return NULL;
}

/* `reveal` leaves its secret closed; the others find theirs open. */
static void renew(void)
{
    if (first)
        peer->give(first, SIZE);
    first = copied(SIZE);
}

static void start(size_t limit)
{
    if (!peer->start(limit))
        die("the library cannot lock its memory");
    for (int i = 0; i < NEIGHBOURS; i++)
        copied(SIZE);
    second = copied(SIZE);
    renew();
    if (peer->compare(first, second, SIZE))
        die("equal secrets differ");
}

static long long now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

struct job {
    void (*once)(void);
    long count;
    pthread_barrier_t *gate;
};

static void *repeat(void *argument)
{
    struct job *job = argument;
    pthread_barrier_wait(job->gate);
    for (long i = 0; i < job->count; i++)
        job->once();
    return NULL;
}

/* Nanoseconds from "all are ready" to "all are done". */
static long long in_threads(struct job job, unsigned threads)
{
    pthread_t others[8];
    pthread_barrier_t gate;
    pthread_barrier_init(&gate, NULL, threads + 1);
    job.gate = &gate;
    for (unsigned i = 0; i < threads; i++)
        if (pthread_create(&others[i], NULL, repeat, &job))
            die("pthread_create failed");
    pthread_barrier_wait(&gate);
    long long start = now();
    for (unsigned i = 0; i < threads; i++)
        pthread_join(others[i], NULL);
    long long took = now() - start;
    pthread_barrier_destroy(&gate);
    return took;
}

static long long alone(struct job job)
{
    long long start = now();
    for (long i = 0; i < job.count; i++)
        job.once();
    return now() - start;
}

/* Each line asks "OPERATION COUNT THREADS BUSY" and is answered by ns. */
static void serve(void)
{
    char name[32];
    long count;
    unsigned threads, busy;
    start(HEAP);
    printf("%s\n", peer->version());
    fflush(stdout);
    while (scanf("%31s %ld %u %u", name, &count, &threads, &busy) == 4) {
        struct job job = { operation_named(name), count, NULL };
        renew();
        if (!job.once || busy || threads > 8)
            puts("-"); /* C has no interpreter for a thread to keep busy */
        else
            printf("%lld\n",
                   threads > 1 ? in_threads(job, threads) : alone(job));
        fflush(stdout);
    }
}

/* getppid(2), which nothing here calls, marks start and end of each. */
static void trace(void)
{
    start(HEAP);
    for (unsigned i = 0; i < OPERATIONS; i++) {
        void (*once)(void) = operation_named(operations[i].name);
        renew();
        if (once)
            once();
        getppid();
        for (int n = 0; once && n < TRACED; n++)
            once();
        getppid();
    }
}

static long field_kib(const char *file, const char *field)
{
    char line[256];
    long kib = -1;
    FILE *f = fopen(file, "r");
    while (f && fgets(line, sizeof line, f))
        if (!strncmp(line, field, strlen(field)))
            kib = atol(line + strlen(field));
    if (f)
        fclose(f);
    return kib;
}

static long locked(void) { return field_kib("/proc/self/status", "VmLck:") * 1024; }
static long resident(void) { return field_kib("/proc/self/smaps_rollup", "Rss:") * 1024; }

static void memory(long count)
{
    size_t heap = HEAP;
    while (heap < 2 * SIZE * (size_t)count)
        heap *= 2;
    long lock0 = locked(), rss0 = resident();
    if (!peer->start(heap))
        die("the library cannot lock its memory");
    copied(SIZE);
    long lock1 = locked(), rss1 = resident();
    for (long i = 0; i < count; i++)
        copied(SIZE);
    printf("{\"first_locked\": %ld, \"first_resident\": %ld, \"count\": %ld, "
           "\"locked\": %ld, \"resident\": %ld}\n",
           lock1 - lock0, rss1 - rss0, count, locked() - lock1, resident() - rss1);
}

static void become(uid_t uid, rlim_t limit)
{
    struct rlimit both = { limit, limit };
    if (setrlimit(RLIMIT_MEMLOCK, &both))
        die("setrlimit failed");
    if (geteuid() == 0)
        if (setgroups(0, NULL) || setresgid(uid, uid, uid) || setresuid(uid, uid, uid))
            die("the privileges cannot be dropped");
}

static void live(rlim_t limit, uid_t uid)
{
    long count = 0;
    become(uid, limit);
    long before = locked();
    if (!peer->start(limit))
        die("the library cannot lock its memory");
    while (count < MOST && peer->take(SIZE))
        count++;
    printf("{\"live\": %ld, \"locked\": %ld}\n", count, locked() - before);
}

int main(int argc, char **argv)
{
    for (unsigned i = 0; argc > 2 && i < 2; i++)
        if (!strcmp(argv[1], peers[i].name))
            peer = &peers[i];
    if (!peer)
        die("usage: peers libsodium|openssl serve|trace|memory|live ...");
    if (!peer->open())
        die("not installed");
    if (!strcmp(argv[2], "serve"))
        serve();
    else if (!strcmp(argv[2], "trace"))
        trace();
    else if (!strcmp(argv[2], "memory") && argc == 4)
        memory(atol(argv[3]));
    else if (!strcmp(argv[2], "live") && argc == 5)
        live(strtoul(argv[3], NULL, 10), (uid_t)atol(argv[4]));
    else
        die("no such request");
    return 0;
}
