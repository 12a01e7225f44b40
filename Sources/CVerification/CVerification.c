/* Observes OpenSSL's verification: libcurl reports the number of an error, but neither the
   certificate that it concerns nor when that certificate expires. */
#include "CVerification.h"

#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

static int place = -1;

static void remember(void **where, X509 *certificate) {
    if (*where || !certificate || !X509_up_ref(certificate)) return;
    *where = certificate;
}

/* Returns its first argument unchanged, so that it cannot influence the verification. */
static int watch(int preverify_ok, X509_STORE_CTX *store) {
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    SSL_CTX *context = ssl ? SSL_get_SSL_CTX(ssl) : 0;
    struct cverification *seen = context ? SSL_CTX_get_ex_data(context, place) : 0;
    if (!seen) return preverify_ok;
    int depth = X509_STORE_CTX_get_error_depth(store);
    X509 *certificate = X509_STORE_CTX_get_current_cert(store);
    if (depth == 0) remember(&seen->leaf, certificate);
    if (!preverify_ok && !seen->error) {
        seen->error = X509_STORE_CTX_get_error(store);
        seen->depth = depth;
        remember(&seen->objected, certificate);
    }
    return preverify_ok;
}

int cverification_watch(void *ssl_ctx, struct cverification *seen) {
    SSL_CTX *context = ssl_ctx;
    if (place < 0) place = SSL_CTX_get_ex_new_index(0, 0, 0, 0, 0);
    if (place < 0 || !SSL_CTX_set_ex_data(context, place, seen)) return -1;
    SSL_CTX_set_verify(context, SSL_CTX_get_verify_mode(context), watch);
    return 0;
}

void cverification_clear(struct cverification *seen) {
    X509_free(seen->leaf);
    X509_free(seen->objected);
    memset(seen, 0, sizeof *seen);
}

void cverification_name(const void *certificate, int of_issuer, char *name, int size) {
    name[0] = 0;
    X509_NAME *whole = of_issuer ? X509_get_issuer_name(certificate)
                                 : X509_get_subject_name(certificate);
    int at = whole ? X509_NAME_get_index_by_NID(whole, NID_commonName, -1) : -1;
    if (at < 0) return;
    unsigned char *text = 0;
    int length = ASN1_STRING_to_UTF8(
        &text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(whole, at)));
    /* A zero inside the name would truncate it for the reader. */
    if (length > 0 && length < size && !memchr(text, 0, length)) {
        memcpy(name, text, length);
        name[length] = 0;
    }
    if (length >= 0) OPENSSL_free(text);
}

static int64_t seconds(const ASN1_TIME *time) {
    struct tm parts;
    return ASN1_TIME_to_tm(time, &parts) ? (int64_t)timegm(&parts) : 0;
}

int cverification_times(const void *certificate, int64_t *begin, int64_t *end) {
    *begin = seconds(X509_get0_notBefore(certificate));
    *end = seconds(X509_get0_notAfter(certificate));
    return *begin && *end;
}
