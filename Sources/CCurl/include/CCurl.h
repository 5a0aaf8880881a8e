// SPDX-License-Identifier: Apache-2.0
//
// What Swift cannot say to libcurl by itself: its setters and getters are variadic C functions, and
// its result message carries a union. One typed wrapper per kind of value; the caller names the
// option. Every function that returns an int returns libcurl's own code (CURLcode, CURLMcode or
// CURLSHcode), where 0 is success. No policy.
#ifndef APUS_CCURL_H
#define APUS_CCURL_H

#include <curl/curl.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

// MARK: Library

/// curl_global_init with everything that transfers need. May be called more than once.
int ccurl_global_init(void);
/// The fixed English text of a CURLcode.
const char *ccurl_easy_text(int code);

// MARK: Easy handles

CURL *_Nullable ccurl_easy_new(void);
void ccurl_easy_free(CURL *easy);
/// Restores every option's default; connections and TLS sessions stay.
void ccurl_easy_reset(CURL *easy);
int ccurl_easy_set_long(CURL *easy, CURLoption option, long value);
int ccurl_easy_set_offset(CURL *easy, CURLoption option, int64_t value);
/// libcurl copies the text; NULL restores the default.
int ccurl_easy_set_text(CURL *easy, CURLoption option, const char *_Nullable text);
/// libcurl copies the bytes.
int ccurl_easy_set_blob(CURL *easy, CURLoption option, const void *bytes, size_t count);
/// libcurl keeps the pointer: what it points to must outlive its use.
int ccurl_easy_set_pointer(CURL *easy, CURLoption option, const void *_Nullable pointer);
/// libcurl keeps the list until the option is set again or the handle is freed.
int ccurl_easy_set_list(CURL *easy, CURLoption option, struct curl_slist *_Nullable list);
/// A number that ccurl_multi_next_done gives back (CURLOPT_PRIVATE).
int ccurl_easy_set_tag(CURL *easy, uintptr_t tag);
uintptr_t ccurl_easy_tag(CURL *easy);

typedef size_t (*ccurl_write_callback)(char *bytes, size_t one, size_t count,
                                       void *_Nullable context);
int ccurl_easy_set_write(CURL *easy, ccurl_write_callback callback, void *_Nullable context);

/// Called instead of close(2): returns 0 when the descriptor is dealt with.
typedef int (*ccurl_close_callback)(void *_Nullable context, curl_socket_t fd);
int ccurl_easy_set_close(CURL *easy, ccurl_close_callback callback, void *_Nullable context);

/// The value of a long info, -1 when libcurl has none.
long ccurl_easy_long(CURL *easy, CURLINFO info);
/// The value of a curl_off_t info, -1 when libcurl has none.
int64_t ccurl_easy_offset(CURL *easy, CURLINFO info);
/// The text of an info, which libcurl owns; NULL when there is none.
const char *_Nullable ccurl_easy_info_text(CURL *easy, CURLINFO info);
/// The connected descriptor of a CONNECT_ONLY handle, -1 when there is none.
int ccurl_easy_socket(CURL *easy);
int ccurl_easy_send(CURL *easy, const void *bytes, size_t count, size_t *sent);
int ccurl_easy_recv(CURL *easy, void *bytes, size_t count, size_t *received);

// MARK: Header lists

/// `list` with one more line, NULL when memory is short (the old list then still exists).
struct curl_slist *_Nullable ccurl_list_append(struct curl_slist *_Nullable list,
                                               const char *line);
void ccurl_list_free(struct curl_slist *_Nullable list);

// MARK: Multi handles

/// `what` is CURL_POLL_IN, _OUT, _INOUT or _REMOVE.
typedef int (*ccurl_socket_callback)(CURL *easy, curl_socket_t fd, int what,
                                     void *_Nullable context, void *_Nullable socket);
/// `timeout_ms` is -1 for "no timer".
typedef int (*ccurl_timer_callback)(CURLM *multi, long timeout_ms, void *_Nullable context);

CURLM *_Nullable ccurl_multi_new(void);
void ccurl_multi_free(CURLM *multi);
int ccurl_multi_set_callbacks(CURLM *multi, ccurl_socket_callback socket,
                              ccurl_timer_callback timer, void *_Nullable context);
int ccurl_multi_set_long(CURLM *multi, CURLMoption option, long value);
int ccurl_multi_add(CURLM *multi, CURL *easy);
int ccurl_multi_remove(CURLM *multi, CURL *easy);
/// Says what happened to `fd` (CURL_CSELECT_*), or that a timer is due (CURL_SOCKET_TIMEOUT).
int ccurl_multi_act(CURLM *multi, curl_socket_t fd, int events);
/// Takes the next handle that is done, with its CURLcode; NULL when there is none.
CURL *_Nullable ccurl_multi_next_done(CURLM *multi, int *code);

// MARK: Shares

/// A share of TLS sessions. No lock functions: one thread uses it.
CURLSH *_Nullable ccurl_share_new_tls_sessions(void);
int ccurl_share_free(CURLSH *share);

// MARK: URLs

/// Writes host and port (the scheme's when absent, 0 when unknown) of `url`; 0 on success, a
/// CURLUcode otherwise. What does not fit is an error.
int ccurl_url_host(const char *url, char *host, size_t capacity, uint16_t *port);

#pragma clang assume_nonnull end
#endif
