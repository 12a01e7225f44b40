internal import CLinux
internal import Glibc
internal import TokenCore

/// The sockets of one transfer: nothing of its request leaves this host once the transfer is over.
///
/// A kernel goes on sending what it has not delivered for minutes after the process has died, or
/// has given the request up. A restarted daemon has sent the same refresh token again by then, and
/// the provider sees it twice: to many that is theft (RFC 9700 section 4.14.2). So a connection
/// that carries a request ends with a reset, until the response is whole.
///
/// libcurl closes its descriptors when it likes, those of addresses that lost without a word.
/// Copies of them, made with the sockets, are certain to be these sockets.
struct RequestSockets: ~Copyable {
    private var copies: [Int32] = []
    private var isTied = false
    /// Why a connection could not be tied to the process.
    private(set) var problem: String?

    deinit { for copy in copies { close(copy) } }

    /// A socket was made and is about to be connected.
    ///
    /// - Returns: Whether it may be used.
    mutating func add(_ socket: Int32) -> Bool {
        let copy = clinux_duplicate(socket)
        guard copy >= 0 else {
            problem = SystemError("copy the descriptor of a connection").text
            return false
        }
        copies.append(copy)
        return true
    }

    /// The request goes out with the next call.
    ///
    /// - Parameters:
    ///   - port: Of the connection that carries it, on this side.
    ///   - left: How long the response is waited for.
    /// - Returns: Whether the connection is sure to end with the process; if not, nothing may be
    ///   sent.
    mutating func tie(port: Int32, left: Duration) -> Bool {
        if copies.count > 1 {
            let others = copies.filter { clinux_local_port($0) != port }
            copies.removeAll { others.contains($0) }
            for copy in others { close(copy) }
        }
        let milliseconds = max(1, (left.nanoseconds + 999_999) / 1_000_000)
        for copy in copies
        where clinux_tie_connection(copy, UInt32(clamping: milliseconds)) != 0 {
            problem = SystemError("have a connection end with this process").text
            return false
        }
        isTied = !copies.isEmpty
        return isTied
    }

    /// The transfer is over, and libcurl has let go of its connection, or soon will.
    ///
    /// - Parameter isWhole: Whether all of the response has come: then the server had the request,
    ///   and is told the end in order.
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
