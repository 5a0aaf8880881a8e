// SPDX-License-Identifier: Apache-2.0
#ifndef APUS_CCURL_H
#define APUS_CCURL_H
#include <curl/curl.h>
#endif
