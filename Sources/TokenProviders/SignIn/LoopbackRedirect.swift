/// A redirect URI on this machine's loopback (RFC 8252 section 7.3). Any other redirect URI belongs
/// to another web server.
package struct LoopbackRedirect: Sendable, Equatable {
    /// `127.0.0.1`, `localhost` or `[::1]`.
    package var host: String
    /// `nil` when any port is allowed.
    package var port: UInt16?
    /// As registered with the provider; may be empty.
    package var path: String

    /// - Returns: `nil` for a URI that is not http on the loopback, or that has a query.
    package init?(_ uri: String) {
        guard uri.hasPrefix("http://"), !uri.contains("?"), !uri.contains("#"),
            uri.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
        else { return nil }
        let rest = uri.dropFirst("http://".count)
        let authority = rest.prefix { $0 != "/" }
        path = String(rest[authority.endIndex...])
        guard let host = ["127.0.0.1", "localhost", "[::1]"].first(where: authority.hasPrefix)
        else { return nil }
        self.host = host
        let tail = authority.dropFirst(host.count)
        if tail.isEmpty { return }
        guard tail.hasPrefix(":"), let number = UInt16(tail.dropFirst()), number > 0 else {
            return nil
        }
        port = number
    }

    /// The redirect URI when the configuration has none.
    package static let standard = "http://127.0.0.1/callback"

    package var isIPv6: Bool { host == "[::1]" }

    /// The path in the browser's HTTP request.
    package var requestPath: String { path.isEmpty ? "/" : path }

    package func uri(port: UInt16) -> String { "http://\(host):\(port)\(path)" }
}
