#ifndef CCURL_SHIM_H
#define CCURL_SHIM_H
#include <curl/curl.h>

/* libcurl's setopt and getinfo are variadic, which Swift cannot call: one wrapper for each type. */
static inline CURLcode ccurl_set_long(CURL *h, CURLoption o, long v) {
    return curl_easy_setopt(h, o, v);
}
static inline CURLcode ccurl_set_string(CURL *h, CURLoption o, const char *v) {
    return curl_easy_setopt(h, o, v);
}
static inline CURLcode ccurl_set_pointer(CURL *h, CURLoption o, void *v) {
    return curl_easy_setopt(h, o, v);
}
/* libcurl copies the data. */
static inline CURLcode ccurl_set_blob(CURL *h, CURLoption o, const void *data, size_t size) {
    struct curl_blob blob = {(void *)data, size, CURL_BLOB_COPY};
    return curl_easy_setopt(h, o, &blob);
}
typedef size_t (*ccurl_data_callback)(char *, size_t, size_t, void *);
static inline CURLcode ccurl_set_data_callback(CURL *h, CURLoption o, ccurl_data_callback f) {
    return curl_easy_setopt(h, o, f);
}
typedef int (*ccurl_prereq_callback)(void *, char *, char *, int, int);
static inline CURLcode ccurl_set_prereq_callback(CURL *h, ccurl_prereq_callback f) {
    return curl_easy_setopt(h, CURLOPT_PREREQFUNCTION, f);
}
typedef int (*ccurl_sockopt_callback)(void *, curl_socket_t, curlsocktype);
static inline CURLcode ccurl_set_sockopt_callback(CURL *h, ccurl_sockopt_callback f) {
    return curl_easy_setopt(h, CURLOPT_SOCKOPTFUNCTION, f);
}
typedef CURLcode (*ccurl_ssl_ctx_callback)(CURL *, void *, void *);
static inline CURLcode ccurl_set_ssl_ctx_callback(CURL *h, ccurl_ssl_ctx_callback f) {
    return curl_easy_setopt(h, CURLOPT_SSL_CTX_FUNCTION, f);
}
static inline CURLcode ccurl_get_double(CURL *h, CURLINFO i, double *v) {
    return curl_easy_getinfo(h, i, v);
}
static inline CURLcode ccurl_get_long(CURL *h, CURLINFO i, long *v) {
    return curl_easy_getinfo(h, i, v);
}
static inline CURLcode ccurl_get_pointer(CURL *h, CURLINFO i, void **v) {
    return curl_easy_getinfo(h, i, v);
}
typedef int (*ccurl_socket_callback)(CURL *, curl_socket_t, int, void *, void *);
typedef int (*ccurl_timer_callback)(CURLM *, long, void *);
static inline CURLMcode ccurlm_set_long(CURLM *h, CURLMoption o, long v) {
    return curl_multi_setopt(h, o, v);
}
static inline CURLMcode ccurlm_set_pointer(CURLM *h, CURLMoption o, void *v) {
    return curl_multi_setopt(h, o, v);
}
static inline CURLMcode ccurlm_set_socket_callback(CURLM *h, ccurl_socket_callback f) {
    return curl_multi_setopt(h, CURLMOPT_SOCKETFUNCTION, f);
}
static inline CURLMcode ccurlm_set_timer_callback(CURLM *h, ccurl_timer_callback f) {
    return curl_multi_setopt(h, CURLMOPT_TIMERFUNCTION, f);
}
/* The next finished transfer of a multi handle with its result, or NULL. */
static inline CURL *ccurlm_next_done(CURLM *m, CURLcode *result) {
    int left;
    CURLMsg *message;
    while ((message = curl_multi_info_read(m, &left))) {
        if (message->msg == CURLMSG_DONE) {
            *result = message->data.result;
            return message->easy_handle;
        }
    }
    return 0;
}
#endif
