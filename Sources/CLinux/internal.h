// SPDX-License-Identifier: Apache-2.0
#ifndef APUS_CLINUX_INTERNAL_H
#define APUS_CLINUX_INTERNAL_H

#ifdef APUS_FAULTS
int clinux_forced(int call);
#define CLINUX_FAULT(call)                        \
    do {                                          \
        int forced_ = clinux_forced(call);        \
        if (forced_ != 0) return -forced_;        \
    } while (0)
#else
#define CLINUX_FAULT(call) ((void)0)
#endif

#endif
