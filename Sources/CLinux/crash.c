// SPDX-License-Identifier: Apache-2.0
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <execinfo.h>
#include <link.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "CLinux.h"
#include "internal.h"

// The handler's stack: backtrace needs about 10 KiB of it, and the unwinder some more.
#define STACK_BYTES (64 * 1024)
// Frames of the handler itself and of the kernel's trampoline, which tell nothing.
#define FRAMES_EXTRA 8

struct crash_note {
    uint32_t written;
    int32_t signal;
    uint64_t address;
    uint64_t base;
    uint64_t end;
    uint32_t count;
    uint32_t zero;
    uint64_t frames[CLINUX_CRASH_FRAMES];
};

_Static_assert(sizeof(struct crash_note) == CLINUX_CRASH_BYTES, "layout of a crash note");

static struct crash_note *crash_note;
// What a signal did before: the runtime can have a report of its own to make.
static struct sigaction earlier[NSIG];

static uint64_t instruction(const void *context) {
    const ucontext_t *state = context;
#if defined(__x86_64__)
    return (uint64_t)state->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
    return state->uc_mcontext.pc;
#else
    return 0;
#endif
}

static void crashed(int number, siginfo_t *info, void *context) {
    struct crash_note *note = crash_note;
    // A second crash inside of the unwinder must not loop.
    sigaction(number, &earlier[number], NULL);
    if (note != NULL && note->written == 0) {
        uint64_t at = instruction(context);
        note->signal = number;
        note->address = number == SIGABRT ? 0 : (uint64_t)(uintptr_t)info->si_addr;
        note->frames[0] = at;
        note->count = 1;
        // Written before the unwinder runs, which may not survive a broken stack.
        __atomic_store_n(&note->written, 1, __ATOMIC_RELEASE);
        void *frames[CLINUX_CRASH_FRAMES + FRAMES_EXTRA];
        int count = backtrace(frames, CLINUX_CRASH_FRAMES + FRAMES_EXTRA);
        int first = 0;
        while (first < count && (uint64_t)(uintptr_t)frames[first] != at) first++;
        if (first == count) first = count > 2 ? 2 : count;
        uint32_t kept = 0;
        for (int i = first; i < count && kept < CLINUX_CRASH_FRAMES; i++) {
            note->frames[kept++] = (uint64_t)(uintptr_t)frames[i];
        }
        if (kept > 0) note->count = kept;
    }
    // The signal is blocked while its handler runs, and does its work when that returns.
    raise(number);
}

static int first_object(struct dl_phdr_info *info, size_t size, void *data) {
    (void)size;
    struct crash_note *note = data;
    note->base = info->dlpi_addr;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        if (info->dlpi_phdr[i].p_type != PT_LOAD) continue;
        uint64_t end = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr + info->dlpi_phdr[i].p_memsz;
        if (end > note->end) note->end = end;
    }
    // The program itself comes first.
    return 1;
}

int clinux_crash_notes(void *memory) {
    static const int numbers[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT};
    struct crash_note *note = memory;
    dl_iterate_phdr(first_object, note);
    // The first call loads the unwinder, which a handler must not do.
    void *frame[1];
    (void)backtrace(frame, 1);
    void *memory_of_stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (memory_of_stack == MAP_FAILED) return -errno;
    stack_t stack = {.ss_sp = memory_of_stack, .ss_size = STACK_BYTES};
    if (sigaltstack(&stack, NULL) < 0) return -errno;
    crash_note = note;
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = crashed;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (sigaction(numbers[i], &action, &earlier[numbers[i]]) < 0) return -errno;
    }
    return 0;
}
