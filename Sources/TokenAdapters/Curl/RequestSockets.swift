internal import CLinux
internal import Glibc
internal import TokenFormats

/// The sockets of one transfer: no part of its request may leave this host after the transfer ends.
///
/// The kernel continues to send undelivered data for minutes after the process has died or has
/// given the request up. By then a restarted daemon may have sent the same refresh token again, and
/// the provider receives it twice, which many treat as theft (RFC 9700 section 4.14.2). So a
/// connection that carries a request is reset until the response is complete.
///
/// libcurl closes its descriptors at any time, those of unsuccessful addresses without a callback.
/// Duplicates, made when the sockets are created, certainly refer to these sockets.
struct RequestSockets: ~Copyable {
    private var copies: [Int32] = []
    private var isTied = false
    /// Why a connection could not be tied to the process.
    private(set) var error: SystemError?

    deinit { for copy in copies { close(copy) } }

    /// Adds a socket that was created and will be connected.
    ///
    /// - Returns: Whether it may be used.
    mutating func add(_ socket: Int32) -> Bool {
        let copy = clinux_duplicate(socket)
        guard copy >= 0 else {
            error = SystemError("copy the descriptor of a connection")
            return false
        }
        copies.append(copy)
        return true
    }

    /// Called just before the request is sent.
    ///
    /// - Parameters:
    ///   - port: The local port of the connection that carries it.
    ///   - left: The remaining time for the response.
    /// - Returns: Whether the kernel will close the connection with the process; if not, nothing
    ///   may be sent.
    mutating func tie(port: Int32, left: Duration) -> Bool {
        if copies.count > 1 {
            let others = copies.filter { clinux_local_port($0) != port }
            copies.removeAll { others.contains($0) }
            for copy in others { close(copy) }
        }
        let milliseconds = max(1, (left.nanoseconds + 999_999) / 1_000_000)
        for copy in copies
        where clinux_tie_connection(copy, UInt32(clamping: milliseconds)) != 0 {
            error = SystemError("have a connection end with this process")
            return false
        }
        isTied = !copies.isEmpty
        return isTied
    }

    /// Called when the transfer has ended, whether or not libcurl has closed its connection.
    ///
    /// - Parameter isWhole: Whether the complete response has arrived: the server then had the
    ///   request, and the connection is closed normally.
    mutating func end(isWhole: Bool) {
        for copy in copies {
            if isTied {
                _ = isWhole ? clinux_untie_connection(copy) : clinux_reset_connection(copy)
            }
            close(copy)
        }
        copies = []
    }
}
