#ifndef EVERTOKEN_INFLATE_H
#define EVERTOKEN_INFLATE_H

#include <stddef.h>
#include <stdint.h>

/// How far a compressed text could be undone.
enum evertoken_inflated {
    /// All of it, and its checksum is right.
    EVERTOKEN_INFLATED_WHOLE = 0,
    /// The input ends before the text does; what there is of it has been written.
    EVERTOKEN_INFLATED_CUT = 1,
    /// The text is longer than the room; its beginning has been written.
    EVERTOKEN_INFLATED_FULL = 2,
    /// The input is no such stream, or it is damaged.
    EVERTOKEN_INFLATED_NOT = 3,
};

/// Undoes gzip (RFC 1952), zlib (RFC 1950) or, where `is_raw`, deflate alone (RFC 1951).
///
/// Never writes more than `room` bytes. `*written` is set in every case.
enum evertoken_inflated evertoken_inflate(
    const uint8_t *input, size_t count, int is_raw, uint8_t *output, size_t room,
    size_t *written);

#endif
