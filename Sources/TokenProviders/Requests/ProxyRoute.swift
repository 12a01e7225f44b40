internal import TokenFormats

/// The proxy setting of a provider or a credential.
package enum ProxyChoice: Sendable, Equatable {
    case none
    case url(String)
}

/// Which proxy the requests of a credential go through.
package struct ProxyRoute: Sendable, Equatable {
    /// The credential's own setting; it wins over the provider's.
    package var own: ProxyChoice?
    /// The global proxy, used when neither sets one.
    package var standard: String?
    /// Hosts that are reached directly, whichever proxy applies.
    package var exceptions: [ProxyException] = []

    package init() {}

    /// The proxy for one request; `nil` when it goes directly to its host.
    ///
    /// - Parameters:
    ///   - url: The URL of the request.
    ///   - provider: The setting of the credential's profile.
    package func proxy(to url: String, provider: ProxyChoice?) -> String? {
        guard case .url(let proxy)? = own ?? provider ?? standard.map(ProxyChoice.url),
            !EndpointURL.isLoopback(url), !exceptions.contains(where: { $0.matches(url) })
        else { return nil }
        return proxy
    }
}

/// One entry of `no_proxy`. Names are compared as the URL spells them; nothing is resolved.
package struct ProxyException: Sendable, Equatable {
    private enum Hosts: Sendable, Equatable {
        case all
        /// A name and its subdomains.
        case name(String)
        /// Only the subdomains of a name.
        case below(String)
        case network(NetworkAddress, bits: Int)
    }
    private let hosts: Hosts
    private let port: UInt16?

    /// `id.example`, `.example` (or `*.example`), `10.1.2.3`, `10.0.0.0/8`, `fd00::/8`, `*`; a host
    /// may be followed by a port. `nil` for anything else.
    package init?(_ text: String) {
        if text == "*" {
            (hosts, port) = (.all, nil)
        } else if let (network, bits) = Self.network(text) {
            (hosts, port) = (.network(network, bits: bits), nil)
        } else {
            guard let (host, port) = Self.place(text) else { return nil }
            self.port = port
            if let address = NetworkAddress(host) {
                hosts = .network(address, bits: address.bitCount)
            } else if host.hasPrefix("*.") || host.hasPrefix(".") {
                guard let name = Self.name(host.drop { $0 == "*" }.dropFirst()) else { return nil }
                hosts = .below(name)
            } else {
                guard let name = Self.name(host) else { return nil }
                hosts = .name(name)
            }
        }
    }

    /// Whether the exception applies to the host and port of a URL.
    package func matches(_ url: String) -> Bool {
        guard let scheme = url.firstRange(of: "://"),
            let (host, port) = Self.place(
                url[scheme.upperBound...].prefix { $0 != "/" && $0 != "?" && $0 != "#" })
        else { return false }
        if let wanted = self.port {
            guard wanted == port ?? (url.hasBytePrefix("http:") ? 80 : 443) else { return false }
        }
        switch hosts {
        case .all: return true
        case .network(let network, let bits):
            return NetworkAddress(host)?.hasPrefix(network, bits: bits) == true
        case .name(let name):
            let host = Self.name(host) ?? ""
            return host.hasSameBytes(as: name) || Self.isBelow(name, host)
        case .below(let name): return Self.isBelow(name, Self.name(host) ?? "")
        }
    }

    private static func isBelow(_ name: String, _ host: String) -> Bool {
        host.utf8.count > name.utf8.count + 1
            && host.utf8.suffix(name.utf8.count + 1).elementsEqual(("." + name).utf8)
    }

    /// `10.0.0.0/8`.
    private static func network(_ text: String) -> (NetworkAddress, bits: Int)? {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let address = NetworkAddress(parts[0]),
            parts[1].utf8.allSatisfy(isDigit), let bits = Int(parts[1]), bits <= address.bitCount
        else { return nil }
        return (address, bits)
    }

    /// Splits a host from its port; an IPv6 address may have brackets (RFC 3986 section 3.2.2).
    private static func place(_ text: some StringProtocol) -> (host: String, port: UInt16?)? {
        if NetworkAddress(text) != nil { return (String(text), nil) }
        var host = text[...]
        var rest = text[text.endIndex...]
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { return nil }
            host = text[text.index(after: text.startIndex)..<end]
            rest = text[text.index(after: end)...]
            guard NetworkAddress(host) != nil else { return nil }
        } else if let colon = text.firstIndex(of: ":") {
            (host, rest) = (text[..<colon], text[colon...])
        }
        guard rest.isEmpty || rest.hasPrefix(":") else { return nil }
        if rest.isEmpty { return (String(host), nil) }
        guard let port = UInt16(rest.dropFirst()), port > 0 else { return nil }
        return (String(host), port)
    }

    /// A DNS name in lower case without the dot of the root; `nil` if it is not one.
    private static func name(_ text: some StringProtocol) -> String? {
        let lowered = text.asciiLowercased
        let name = lowered.hasSuffix(".") ? String(lowered.dropLast()) : lowered
        let labels = name.split(separator: ".", omittingEmptySubsequences: false)
        let isPlain = labels.allSatisfy { label in
            !label.isEmpty
                && label.utf8.allSatisfy {
                    isDigit($0) || (0x61...0x7A).contains($0) || $0 == 0x2D || $0 == 0x5F
                }
        }
        return isPlain ? name : nil
    }
}
