#ifndef CVERIFICATION_H
#define CVERIFICATION_H
#include <stdint.h>

/* OpenSSL's first error about a certificate chain, and the certificate that it concerns. */
struct cverification {
    /* X509_STORE_CTX_get_error(3) of the first error; 0 without one. */
    int error;
    /* 0 is the server's own certificate, 1 its issuer's, and so on. */
    int depth;
    /* The server's own certificate, once seen; for errors that libcurl itself finds. */
    void *leaf;
    /* The certificate of the first error. */
    void *objected;
};

/* Observes the verification of every connection with an SSL_CTX without changing its result.
   `seen` must outlive the SSL_CTX. Returns 0, or -1 if the verification cannot be observed. */
int cverification_watch(void *ssl_ctx, struct cverification *seen);

/* Frees the certificates. */
void cverification_clear(struct cverification *seen);

/* The common name of the certificate's subject (or issuer) as UTF-8, "" if it has none. */
void cverification_name(const void *certificate, int of_issuer, char *name, int size);

/* Begin and end of its validity in seconds since 1970; 0 if one of them is unreadable. */
int cverification_times(const void *certificate, int64_t *begin, int64_t *end);
#endif
