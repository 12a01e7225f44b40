#include "CInflate.h"

#include <string.h>
#include <zlib.h>

// zlib.h: 15 is the largest window; adding 32 detects gzip or zlib; a negative value is deflate
// without a header.
enum { WINDOW = 15, FIND_OUT = 32 };

enum evertoken_inflated evertoken_inflate(
    const uint8_t *input, size_t count, int is_raw, uint8_t *output, size_t room,
    size_t *written) {
    z_stream stream;
    memset(&stream, 0, sizeof stream);
    *written = 0;
    if (count > UINT32_MAX || room > UINT32_MAX) return EVERTOKEN_INFLATED_NOT;
    if (inflateInit2(&stream, is_raw ? -WINDOW : WINDOW + FIND_OUT) != Z_OK)
        return EVERTOKEN_INFLATED_NOT;
    // zlib does not write through this pointer.
    stream.next_in = (Bytef *)(uintptr_t)input;
    stream.avail_in = (uInt)count;
    stream.next_out = output;
    stream.avail_out = (uInt)room;
    int result = inflate(&stream, Z_FINISH);
    *written = room - stream.avail_out;
    inflateEnd(&stream);
    if (result == Z_STREAM_END) return EVERTOKEN_INFLATED_WHOLE;
    // zlib returns Z_BUF_ERROR both for the end of input and for a full output buffer.
    if (result != Z_BUF_ERROR && result != Z_OK) return EVERTOKEN_INFLATED_NOT;
    return stream.avail_out == 0 ? EVERTOKEN_INFLATED_FULL : EVERTOKEN_INFLATED_CUT;
}
