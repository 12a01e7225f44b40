#ifndef CVERIFICATION_H
#define CVERIFICATION_H
#include <stdint.h>

/* What OpenSSL had against a chain of certificates, and the certificate that it was about. */
struct cverification {
    /* X509_STORE_CTX_get_error(3) of the first objection; 0 without one. */
    int error;
    /* 0 is the server's own certificate, 1 its issuer's, and so on. */
    int depth;
    /* The server's own certificate, once seen; for what libcurl objects to by itself. */
    void *leaf;
    /* The one that the first objection is about. */
    void *objected;
};

/* Watches the verification of every connection made with an SSL_CTX, and changes nothing of it:
   what OpenSSL says of each certificate is passed on as it is. `seen` must outlive the SSL_CTX.
   Returns 0, or -1 where it cannot be watched. */
int cverification_watch(void *ssl_ctx, struct cverification *seen);

/* Frees the certificates. */
void cverification_clear(struct cverification *seen);

/* The common name of the certificate's subject (or issuer) as UTF-8, "" where it has none. */
void cverification_name(const void *certificate, int of_issuer, char *name, int size);

/* Seconds since 1970 of the begin and the end of its validity; 0 if one cannot be read. */
int cverification_times(const void *certificate, int64_t *begin, int64_t *end);
#endif
