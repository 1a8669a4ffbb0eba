/* Shifts the wall clock of one process: CLOCK_REALTIME, gettimeofday and time are off by the number of
 * microseconds in the file named by SHIM_CLOCK, eight bytes that may change while the process runs.
 *
 * Some code bypasses libc and calls the vDSO directly. So this overwrites the vDSO's own functions, in the
 * process's copy of the page, with jumps to the functions below. */
#define _GNU_SOURCE
#include <elf.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile const int64_t *offset_us;

static void give_up(const char *what) {
    fprintf(stderr, "clock shim: %s\n", what);
    _exit(97);
}

static int shifted_clock_gettime(clockid_t clock, struct timespec *time) {
    long result = syscall(SYS_clock_gettime, clock, time);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        int64_t by = *offset_us;
        int64_t nanos = time->tv_nsec + (by % 1000000) * 1000;
        time->tv_sec += by / 1000000 + (nanos < 0 ? -1 : nanos / 1000000000);
        time->tv_nsec = nanos < 0 ? nanos + 1000000000 : nanos % 1000000000;
    }
    return (int)result;
}

static int shifted_gettimeofday(struct timeval *time, void *zone) {
    struct timespec now;
    (void)zone;
    shifted_clock_gettime(CLOCK_REALTIME, &now);
    if (time) {
        time->tv_sec = now.tv_sec;
        time->tv_usec = now.tv_nsec / 1000;
    }
    return 0;
}

static time_t shifted_time(time_t *time) {
    struct timespec now;
    shifted_clock_gettime(CLOCK_REALTIME, &now);
    if (time) *time = now.tv_sec;
    return now.tv_sec;
}

static void jump(uint8_t *from, const void *to) {
#if defined(__x86_64__)
    static const uint8_t code[] = {0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xe0}; /* mov rax; jmp rax */
    const size_t operand = 2;
#elif defined(__aarch64__)
    static const uint8_t code[] = {0x50, 0, 0, 0x58, 0, 0x02, 0x1f, 0xd6, 0, 0, 0, 0, 0, 0, 0, 0}; /* ldr x16; br x16 */
    const size_t operand = 8;
#else
#error "the clock shim knows x86_64 and aarch64"
#endif
    uintptr_t page = (uintptr_t)from & ~(uintptr_t)4095;
    if (mprotect((void *)page, 8192, PROT_READ | PROT_WRITE | PROT_EXEC) != 0 &&
        mprotect((void *)page, 4096, PROT_READ | PROT_WRITE | PROT_EXEC) != 0)
        give_up("the vDSO cannot be changed here");
    memcpy(from, code, sizeof code);
    memcpy(from + operand, &to, sizeof to);
    __builtin___clear_cache((char *)from, (char *)from + sizeof code);
}

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("SHIM_CLOCK");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) give_up("SHIM_CLOCK names no file");
    offset_us = mmap(0, 8, PROT_READ, MAP_SHARED, file, 0);
    if (offset_us == MAP_FAILED) give_up("the file of SHIM_CLOCK cannot be mapped");

    const uint8_t *base = (const uint8_t *)getauxval(AT_SYSINFO_EHDR);
    if (!base) give_up("there is no vDSO");
    const Elf64_Ehdr *head = (const void *)base;
    const Elf64_Phdr *parts = (const void *)(base + head->e_phoff);
    const Elf64_Dyn *dynamic = 0;
    for (int at = 0; at < head->e_phnum; at++)
        if (parts[at].p_type == PT_DYNAMIC) dynamic = (const void *)(base + parts[at].p_offset);
    const Elf64_Sym *symbols = 0;
    const char *names = 0;
    for (; dynamic && dynamic->d_tag != DT_NULL; dynamic++) {
        if (dynamic->d_tag == DT_SYMTAB) symbols = (const void *)(base + dynamic->d_un.d_ptr);
        if (dynamic->d_tag == DT_STRTAB) names = (const char *)(base + dynamic->d_un.d_ptr);
    }
    if (!symbols || !names) give_up("the vDSO cannot be read");
    const Elf64_Shdr *sections = (const void *)(base + head->e_shoff);
    int changed = 0;
    for (int at = 0; at < head->e_shnum; at++) {
        if (sections[at].sh_type != SHT_DYNSYM) continue;
        for (size_t symbol = 0; symbol < sections[at].sh_size / sizeof *symbols; symbol++) {
            const char *name = names + symbols[symbol].st_name;
            uint8_t *code = (uint8_t *)base + symbols[symbol].st_value;
            if (!strcmp(name, "__vdso_clock_gettime") || !strcmp(name, "__kernel_clock_gettime")) {
                jump(code, shifted_clock_gettime);
                changed++;
            } else if (!strcmp(name, "__vdso_gettimeofday") || !strcmp(name, "__kernel_gettimeofday")) {
                jump(code, shifted_gettimeofday);
            } else if (!strcmp(name, "__vdso_time")) {
                jump(code, shifted_time);
            }
        }
    }
    if (!changed) give_up("the vDSO has no clock");
}
