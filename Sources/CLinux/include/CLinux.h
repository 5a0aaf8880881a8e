// SPDX-License-Identifier: Apache-2.0
#ifndef APUS_CLINUX_H
#define APUS_CLINUX_H
#endif
