/*
 * probe: the laboratory's one program inside a guest, static, no library.
 *
 * It makes secret and ordinary memory, looks at both by the ways a kernel
 * offers, and prints "name=value" lines; what they mean is judged outside.
 *
 * Each marked page holds a 16-byte marker and its number.  The markers are
 * kept XORed in this file and decoded straight into the page, so that neither
 * the program's file nor the page cache can be mistaken for a finding.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif
#define PAGE 4096UL
#define MARK 16
#define HIT (MARK + 4)
#define KEY 0x5a
#define MOST_PAGES 65536U
#define LOOKED_AT 64
#define PIPES 400
#define KERNEL_IMAGE 0xffffffff00000000UL

enum kind { ORDINARY, SECRET };

/* "lab+ORDINARY+pg=" and "lab+SECRETMEM+p=", each byte XOR KEY. */
static const unsigned char hidden[2][MARK] = {
    { 0x36, 0x3b, 0x38, 0x71, 0x15, 0x08, 0x1e, 0x13,
      0x14, 0x1b, 0x08, 0x03, 0x71, 0x2a, 0x3d, 0x67 },
    { 0x36, 0x3b, 0x38, 0x71, 0x09, 0x1f, 0x19, 0x08,
      0x1f, 0x0e, 0x17, 0x1f, 0x17, 0x71, 0x2a, 0x67 },
};
static const char *const kind_name[2] = { "ordinary", "secret" };

static const char *error_name(int error)
{
    const char *name = error ? strerrorname_np(error) : "ok";
    return name ? name : "unknown";
}

static void die(const char *what)
{
    printf("%s=%s\n", what, error_name(errno));
    exit(3);
}

static void mark(unsigned char *page, enum kind kind, uint32_t number)
{
    volatile unsigned char *out = page;
    for (int i = 0; i < MARK; i++)
        out[i] = hidden[kind][i] ^ KEY;
    memcpy(page + MARK, &number, sizeof number);
}

static int marked(const unsigned char *at, enum kind kind)
{
    for (int i = 0; i < MARK; i++)
        if (at[i] != (hidden[kind][i] ^ KEY))
            return 0;
    return 1;
}

static void print_line_of(const char *file, const char *field)
{
    char line[256];
    FILE *in = fopen(file, "r");
    while (in && fgets(line, sizeof line, in))
        if (!strncmp(line, field, strlen(field)))
            printf("%s=%ld\n", field, atol(line + strlen(field) + 1));
    if (in)
        fclose(in);
}

static int memfd_secret(unsigned int flags)
{
    return (int)syscall(SYS_memfd_secret, flags);
}

static unsigned char *secret_pages(size_t pages, int *keep)
{
    int fd = memfd_secret(O_CLOEXEC);
    if (fd < 0)
        die("memfd_secret");
    if (ftruncate(fd, (off_t)(pages * PAGE)))
        die("ftruncate");
    unsigned char *at = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
                             MAP_SHARED, fd, 0);
    if (at == MAP_FAILED)
        die("mmap");
    if (keep)
        *keep = fd;
    else
        close(fd);
    return at;
}

static unsigned char *ordinary_pages(size_t pages)
{
    unsigned char *at = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        die("ordinary_mmap");
    madvise(at, pages * PAGE, MADV_NOHUGEPAGE);
    return at;
}

/* The one flag, each other bit, and memfd_create as the control. */
static int do_call(void)
{
    int fd = memfd_secret(0);
    printf("memfd_secret=%s\n", error_name(fd < 0 ? errno : 0));
    printf("memfd_create=%s\n",
           error_name(memfd_create("control", 0) < 0 ? errno : 0));
    unsigned int accepted = 0;
    for (int bit = 0; bit < 32 && fd >= 0; bit++)
        if (memfd_secret(1U << bit) >= 0)
            accepted |= 1U << bit;
    printf("accepted_flags=%#x\n", accepted);
    return 0;
}

static uint64_t physical(const void *address)
{
    uint64_t entry = 0;
    int fd = open("/proc/self/pagemap", O_RDONLY);
    if (pread(fd, &entry, 8, (off_t)((uintptr_t)address / PAGE * 8)) != 8)
        entry = 0;
    close(fd);
    return entry >> 63 ? (entry & ((1ULL << 55) - 1)) * PAGE : 0;
}

/* Read a page of physical memory through one of the kernel's own mappings of
 * it: the segment of /proc/kcore whose p_paddr covers it, in the direct map
 * or, if image is set, in the mapping of the kernel's own image. */
static ssize_t kcore_page(uint64_t where, int image, unsigned char *into)
{
    Elf64_Ehdr head;
    Elf64_Phdr part;
    ssize_t got = -1;
    static int fd = -1;
    if (fd < 0)
        fd = open("/proc/kcore", O_RDONLY);
    if (fd < 0 || pread(fd, &head, sizeof head, 0) != sizeof head)
        die("kcore_open");
    for (int i = 0; i < head.e_phnum; i++) {
        off_t at = (off_t)(head.e_phoff + (size_t)i * head.e_phentsize);
        if (pread(fd, &part, sizeof part, at) != sizeof part)
            die("kcore_header");
        if (part.p_type != PT_LOAD || part.p_paddr == (uint64_t)-1 ||
            (part.p_vaddr >= KERNEL_IMAGE) != image || where < part.p_paddr ||
            where >= part.p_paddr + part.p_memsz)
            continue;
        got = pread(fd, into, PAGE,
                    (off_t)(part.p_offset + where - part.p_paddr));
        break;
    }
    return got;
}

/* Read every frame and count what is there. */
static void look(const char *name, const uint64_t *frames, enum kind kind)
{
    static unsigned char seen[PAGE];
    int markers = 0, zeros = 0, other = 0, unread = 0;
    for (int f = 0; f < LOOKED_AT; f++) {
        memset(seen, 0xff, PAGE);
        if (!frames[f] || kcore_page(frames[f], 0, seen) != (ssize_t)PAGE) {
            unread++;
            continue;
        }
        size_t i = 0;
        while (i < PAGE && !seen[i])
            i++;
        *(marked(seen, kind) ? &markers : i == PAGE ? &zeros : &other) += 1;
    }
    printf("[%s]\nmarkers=%d\nzeros=%d\nother=%d\nunread=%d\n", name, markers,
           zeros, other, unread);
}

/* Give freed frames a new use: pages of pipes, which the kernel takes from
 * the same free lists (unmovable) as secret ones. */
static void reuse_as_pipes(void)
{
    static unsigned char page[PAGE];
    int ends[2];
    mark(page, ORDINARY, 0);
    for (int i = 0; i < PIPES && !pipe2(ends, O_NONBLOCK); i++)
        while (write(ends[1], page, PAGE) == (ssize_t)PAGE)
            ;
}

static int do_kcore(void)
{
    static uint64_t ordinary_at[LOOKED_AT], secret_at[LOOKED_AT];
    unsigned char *ordinary = ordinary_pages(LOOKED_AT);
    unsigned char *secret = secret_pages(LOOKED_AT, NULL);
    for (uint32_t i = 0; i < LOOKED_AT; i++) {
        mark(ordinary + i * PAGE, ORDINARY, i);
        mark(secret + i * PAGE, SECRET, i);
        ordinary_at[i] = physical(ordinary + i * PAGE);
        secret_at[i] = physical(secret + i * PAGE);
    }
    look("ordinary", ordinary_at, ORDINARY);
    look("secret", secret_at, SECRET);
    munmap(secret, LOOKED_AT * PAGE);
    look("secret-freed", secret_at, SECRET);
    munmap(ordinary, LOOKED_AT * PAGE);
    look("ordinary-freed", ordinary_at, ORDINARY);
    reuse_as_pipes();
    look("reused", secret_at, ORDINARY);
    return 0;
}

/* The kernel's image is mapped a second time.  What it frees of it after
 * boot becomes ordinary memory; look whether secret pages land there. */
static int do_image(size_t pages)
{
    static unsigned char seen[PAGE];
    size_t inside = 0, image = 0, direct = 0;
    unsigned char *secret = secret_pages(pages, NULL);
    for (uint32_t i = 0; i < pages; i++) {
        unsigned char *page = secret + i * PAGE;
        mark(page, SECRET, i);
        uint64_t where = physical(page);
        if (kcore_page(where, 1, seen) != (ssize_t)PAGE)
            continue;
        inside++;
        image += (size_t)marked(seen, SECRET);
        if (kcore_page(where, 0, seen) == (ssize_t)PAGE)
            direct += (size_t)marked(seen, SECRET);
    }
    printf("held=%zu\ninside=%zu\nimage=%zu\ndirect=%zu\n", pages, inside,
           image, direct);
    return 0;
}

static void ready_and_wait(void)
{
    printf("ready=1\n");
    for (;;)
        pause();
}

static int do_hold(size_t secrets, size_t ordinaries)
{
    unsigned char *secret = secrets ? secret_pages(secrets, NULL) : NULL;
    unsigned char *ordinary = ordinary_pages(ordinaries + 1);
    for (uint32_t i = 0; i < secrets; i++)
        mark(secret + i * PAGE, SECRET, i);
    for (uint32_t i = 0; i < ordinaries; i++)
        mark(ordinary + i * PAGE, ORDINARY, i);
    if (secrets)
        printf("pageout_secret=%s\n",
               error_name(madvise(secret, secrets * PAGE, MADV_PAGEOUT)
                              ? errno : 0));
    if (ordinaries)
        printf("pageout_ordinary=%s\n",
               error_name(madvise(ordinary, ordinaries * PAGE, MADV_PAGEOUT)
                              ? errno : 0));
    ready_and_wait();
    return 0;
}

/* An open descriptor with nothing mapped, or a mapping with none open. */
static int do_keep(const char *which)
{
    if (!strcmp(which, "descriptor")) {
        if (memfd_secret(0) < 0)
            die("memfd_secret");
    } else {
        mark(secret_pages(1, NULL), SECRET, 0);
    }
    ready_and_wait();
    return 0;
}

static int do_fill(size_t megabytes)
{
    size_t words = (megabytes << 20) / sizeof(uint64_t);
    uint64_t *at = mmap(NULL, megabytes << 20, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        die("fill");
    /* Two words a page that hardly compress, so that zram fills up too. */
    for (size_t i = 0; i < words; i += PAGE / 2 / sizeof *at)
        at[i] = i * 0x9e3779b97f4a7c15ULL;
    sleep(1);
    printf("filled_mb=%zu\n", megabytes);
    print_line_of("/proc/meminfo", "SwapFree");
    return 0;
}

static int do_put(const char *text, const char *file)
{
    int fd = open(file, O_WRONLY);
    ssize_t done = fd < 0 ? -1 : write(fd, text, strlen(text));
    printf("write=%s\n", error_name(done < 0 ? errno : 0));
    return 0;
}

static int do_scan(const char *file)
{
    static unsigned char window[1 << 20], seen[2][MOST_PAGES];
    size_t kept = 0, pages[2] = { 0, 0 }, hits[2] = { 0, 0 }, total = 0;
    ssize_t got;
    int fd = open(file, O_RDONLY);
    if (fd < 0)
        die("scan");
    while ((got = read(fd, window + kept, sizeof window - kept)) > 0) {
        size_t end = kept + (size_t)got;
        total += (size_t)got;
        for (size_t i = 0; i + HIT <= end; i++)
            for (int kind = 0; kind < 2; kind++) {
                uint32_t number;
                if (window[i] != (hidden[kind][0] ^ KEY) ||
                    !marked(window + i, kind))
                    continue;
                memcpy(&number, window + i + MARK, sizeof number);
                hits[kind]++;
                if (number < MOST_PAGES && !seen[kind][number]++)
                    pages[kind]++;
            }
        kept = end < HIT - 1 ? end : HIT - 1;
        memmove(window, window + end - kept, kept);
    }
    printf("scan_end=%s\nscan_mb=%zu\n", error_name(got < 0 ? errno : 0),
           total >> 20);
    for (int kind = 0; kind < 2; kind++)
        printf("%s_pages=%zu\n%s_hits=%zu\n", kind_name[kind], pages[kind],
               kind_name[kind], hits[kind]);
    return 0;
}

/* Let the kernel touch page after page: at a limit it answers EFAULT. */
static int do_charge(size_t pages, int wait)
{
    size_t done = 0;
    unsigned char *at = secret_pages(pages, NULL);
    printf("mmap=ok\n");
    while (done < pages && syscall(SYS_getrandom, at + done * PAGE, 1, 0) == 1)
        done++;
    printf("charged=%zu\nstopped=%s\n", done,
           done < pages ? error_name(errno) : "no");
    print_line_of("/proc/self/status", "VmLck");
    printf("dontneed=%s\n",
           error_name(done && madvise(at, PAGE, MADV_DONTNEED) ? errno : 0));
    if (wait)
        ready_and_wait();
    return 0;
}

static sigjmp_buf back;

static void on_bus_error(int number)
{
    siglongjmp(back, number);
}

/* Touch page after page oneself: at a limit that is SIGBUS. */
static int do_touch(size_t pages)
{
    static volatile size_t done;
    unsigned char *at = secret_pages(pages, NULL);
    struct sigaction action = { .sa_handler = on_bus_error };
    printf("mmap=ok\n");
    sigaction(SIGBUS, &action, NULL);
    int number = sigsetjmp(back, 1);
    if (!number)
        for (; done < pages; done++)
            at[done * PAGE] = 1;
    printf("touched=%zu\nstopped=%s\n", (size_t)done,
           number ? "SIGBUS" : "no");
    return 0;
}

static void direct_map(const char *when)
{
    printf("[%s]\n", when);
    print_line_of("/proc/meminfo", "DirectMap4k");
    print_line_of("/proc/meminfo", "DirectMap2M");
    print_line_of("/proc/meminfo", "DirectMap1G");
}

static int do_directmap(const char *kind, size_t pages)
{
    direct_map("before");
    unsigned char *at = strcmp(kind, kind_name[SECRET])
                            ? ordinary_pages(pages)
                            : secret_pages(pages, NULL);
    for (size_t i = 0; i < pages; i++)
        at[i * PAGE] = 1;
    direct_map("held");
    munmap(at, pages * PAGE);
    sleep(2);
    direct_map("freed");
    return 0;
}

static int do_kexec(const char *image, const char *initrd, const char *words)
{
    long done = syscall(SYS_kexec_file_load, open(image, O_RDONLY),
                        open(initrd, O_RDONLY), strlen(words) + 1, words,
                        2UL /* KEXEC_FILE_ON_CRASH */);
    printf("kexec=%s\n", error_name(done < 0 ? errno : 0));
    return done < 0;
}

static size_t number(const char *text)
{
    return strtoul(text, NULL, 10);
}

/* -l N: RLIMIT_MEMLOCK of N pages ("-l -1": none); -u ID: become that user. */
static int options(int count, char **words)
{
    int option;
    while ((option = getopt(count, words, "+l:u:")) > 0) {
        rlim_t pages = (rlim_t)strtol(optarg, NULL, 10);
        rlim_t bytes = pages == RLIM_INFINITY ? pages : pages * PAGE;
        struct rlimit limit = { bytes, bytes };
        if (option == 'l' && setrlimit(RLIMIT_MEMLOCK, &limit))
            die("setrlimit");
        if (option == 'u' && setresuid((uid_t)pages, (uid_t)pages,
                                       (uid_t)pages))
            die("setresuid");
    }
    return optind;
}

int main(int count, char **words)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    int first = options(count, words);
    char **rest = words + first;
    int left = count - first;
#define IS(name, arguments) (left == 1 + (arguments) && !strcmp(*rest, name))
    if (IS("call", 0)) return do_call();
    if (IS("kcore", 0)) return do_kcore();
    if (IS("image", 1)) return do_image(number(rest[1]));
    if (IS("hold", 2)) return do_hold(number(rest[1]), number(rest[2]));
    if (IS("keep", 1)) return do_keep(rest[1]);
    if (IS("fill", 1)) return do_fill(number(rest[1]));
    if (IS("put", 2)) return do_put(rest[1], rest[2]);
    if (IS("scan", 1)) return do_scan(rest[1]);
    if (IS("charge", 1)) return do_charge(number(rest[1]), 0);
    if (IS("charged", 1)) return do_charge(number(rest[1]), 1);
    if (IS("touch", 1)) return do_touch(number(rest[1]));
    if (IS("directmap", 2)) return do_directmap(rest[1], number(rest[2]));
    if (IS("kexec", 3)) return do_kexec(rest[1], rest[2], rest[3]);
    fprintf(stderr, "probe [-l PAGES] [-u ID] call|kcore|image N|hold S O|"
            "keep descriptor|keep mapping|fill MB|put TEXT FILE|scan FILE|"
            "charge N|charged N|touch N|directmap KIND N|kexec K I WORDS\n");
    return 2;
}
