// SPDX-License-Identifier: Apache-2.0
#include "CCurl.h"

#include <stdlib.h>
#include <string.h>

int ccurl_global_init(void) {
    return (int)curl_global_init(CURL_GLOBAL_DEFAULT);
}

const char *ccurl_easy_text(int code) {
    return curl_easy_strerror((CURLcode)code);
}

CURL *ccurl_easy_new(void) {
    return curl_easy_init();
}

void ccurl_easy_free(CURL *easy) {
    curl_easy_cleanup(easy);
}

void ccurl_easy_reset(CURL *easy) {
    curl_easy_reset(easy);
}

int ccurl_easy_set_long(CURL *easy, CURLoption option, long value) {
    return (int)curl_easy_setopt(easy, option, value);
}

int ccurl_easy_set_offset(CURL *easy, CURLoption option, int64_t value) {
    return (int)curl_easy_setopt(easy, option, (curl_off_t)value);
}

int ccurl_easy_set_text(CURL *easy, CURLoption option, const char *text) {
    return (int)curl_easy_setopt(easy, option, text);
}

int ccurl_easy_set_blob(CURL *easy, CURLoption option, const void *bytes, size_t count) {
    struct curl_blob blob = {.data = (void *)bytes, .len = count, .flags = CURL_BLOB_COPY};
    return curl_easy_setopt(easy, option, &blob);
}

int ccurl_easy_set_pointer(CURL *easy, CURLoption option, const void *pointer) {
    return (int)curl_easy_setopt(easy, option, pointer);
}

int ccurl_easy_set_list(CURL *easy, CURLoption option, struct curl_slist *list) {
    return (int)curl_easy_setopt(easy, option, list);
}

int ccurl_easy_set_tag(CURL *easy, uintptr_t tag) {
    return (int)curl_easy_setopt(easy, CURLOPT_PRIVATE, (void *)tag);
}

uintptr_t ccurl_easy_tag(CURL *easy) {
    char *tag = NULL;
    return curl_easy_getinfo(easy, CURLINFO_PRIVATE, &tag) == CURLE_OK ? (uintptr_t)tag : 0;
}

int ccurl_easy_set_write(CURL *easy, ccurl_write_callback callback, void *context) {
    CURLcode code = curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, callback);
    return code ? (int)code : (int)curl_easy_setopt(easy, CURLOPT_WRITEDATA, context);
}

int ccurl_easy_set_close(CURL *easy, ccurl_close_callback callback, void *context) {
    CURLcode code = curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, callback);
    return code ? (int)code : (int)curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, context);
}

long ccurl_easy_long(CURL *easy, CURLINFO info) {
    long value = -1;
    return curl_easy_getinfo(easy, info, &value) == CURLE_OK ? value : -1;
}

int64_t ccurl_easy_offset(CURL *easy, CURLINFO info) {
    curl_off_t value = -1;
    return curl_easy_getinfo(easy, info, &value) == CURLE_OK ? value : -1;
}

const char *ccurl_easy_info_text(CURL *easy, CURLINFO info) {
    char *value = NULL;
    return curl_easy_getinfo(easy, info, &value) == CURLE_OK ? value : NULL;
}

int ccurl_easy_socket(CURL *easy) {
    curl_socket_t fd = CURL_SOCKET_BAD;
    return curl_easy_getinfo(easy, CURLINFO_ACTIVESOCKET, &fd) == CURLE_OK ? fd : -1;
}

int ccurl_easy_send(CURL *easy, const void *bytes, size_t count, size_t *sent) {
    return (int)curl_easy_send(easy, bytes, count, sent);
}

int ccurl_easy_recv(CURL *easy, void *bytes, size_t count, size_t *received) {
    return (int)curl_easy_recv(easy, bytes, count, received);
}

struct curl_slist *ccurl_list_append(struct curl_slist *list, const char *line) {
    return curl_slist_append(list, line);
}

void ccurl_list_free(struct curl_slist *list) {
    curl_slist_free_all(list);
}

CURLM *ccurl_multi_new(void) {
    return curl_multi_init();
}

void ccurl_multi_free(CURLM *multi) {
    curl_multi_cleanup(multi);
}

int ccurl_multi_set_callbacks(CURLM *multi, ccurl_socket_callback socket,
                              ccurl_timer_callback timer, void *context) {
    CURLMcode code = curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, socket);
    if (!code) code = curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, context);
    if (!code) code = curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, timer);
    if (!code) code = curl_multi_setopt(multi, CURLMOPT_TIMERDATA, context);
    return (int)code;
}

int ccurl_multi_set_long(CURLM *multi, CURLMoption option, long value) {
    return (int)curl_multi_setopt(multi, option, value);
}

int ccurl_multi_add(CURLM *multi, CURL *easy) {
    return (int)curl_multi_add_handle(multi, easy);
}

int ccurl_multi_remove(CURLM *multi, CURL *easy) {
    return (int)curl_multi_remove_handle(multi, easy);
}

int ccurl_multi_act(CURLM *multi, curl_socket_t fd, int events) {
    int running = 0;
    return (int)curl_multi_socket_action(multi, fd, events, &running);
}

CURL *ccurl_multi_next_done(CURLM *multi, int *code) {
    int left = 0;
    CURLMsg *message;
    while ((message = curl_multi_info_read(multi, &left))) {
        if (message->msg != CURLMSG_DONE) continue;
        *code = (int)message->data.result;
        return message->easy_handle;
    }
    return NULL;
}

CURLSH *ccurl_share_new_tls_sessions(void) {
    CURLSH *share = curl_share_init();
    if (share && curl_share_setopt(share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION)) {
        curl_share_cleanup(share);
        return NULL;
    }
    return share;
}

int ccurl_share_free(CURLSH *share) {
    return (int)curl_share_cleanup(share);
}

int ccurl_url_host(const char *url, char *host, size_t capacity, uint16_t *port) {
    CURLU *parsed = curl_url();
    if (!parsed) return (int)CURLUE_OUT_OF_MEMORY;
    char *text = NULL;
    *port = 0;
    CURLUcode code = curl_url_set(parsed, CURLUPART_URL, url, CURLU_GUESS_SCHEME);
    if (!code) code = curl_url_get(parsed, CURLUPART_HOST, &text, 0);
    if (!code && strlen(text) >= capacity) code = CURLUE_BAD_HOSTNAME;
    if (!code) strcpy(host, text);
    curl_free(text);
    text = NULL;
    if (!code && curl_url_get(parsed, CURLUPART_PORT, &text, CURLU_DEFAULT_PORT) == CURLUE_OK) {
        *port = (uint16_t)strtoul(text, NULL, 10);
    }
    curl_free(text);
    curl_url_cleanup(parsed);
    return (int)code;
}
