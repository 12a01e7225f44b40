#ifndef EVERTOKEN_INFLATE_H
#define EVERTOKEN_INFLATE_H

#include <stddef.h>
#include <stdint.h>

/// How much of a compressed text could be decompressed.
enum evertoken_inflated {
    /// All of it, with a valid checksum.
    EVERTOKEN_INFLATED_WHOLE = 0,
    /// The input is truncated; its decompressed part has been written.
    EVERTOKEN_INFLATED_CUT = 1,
    /// The text is longer than `room`; its beginning has been written.
    EVERTOKEN_INFLATED_FULL = 2,
    /// The input is not such a stream, or it is damaged.
    EVERTOKEN_INFLATED_NOT = 3,
};

/// Decompresses gzip (RFC 1952), zlib (RFC 1950) or, if `is_raw`, bare deflate (RFC 1951).
///
/// Never writes more than `room` bytes. Always sets `*written`.
enum evertoken_inflated evertoken_inflate(
    const uint8_t *input, size_t count, int is_raw, uint8_t *output, size_t room,
    size_t *written);

#endif
