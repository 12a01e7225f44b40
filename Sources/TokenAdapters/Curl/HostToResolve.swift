internal import TokenEngine
internal import TokenFormats
internal import TokenProviders

/// A host that must be resolved before a request can be sent.
struct HostToResolve: Sendable, Equatable {
    var name: String
    var port: UInt16
    var isProxy = false

    /// Empty for an IP address, and for this host's own names, which libcurl knows.
    static func hosts(of request: WireRequest) -> [HostToResolve] {
        let url = request.request.url
        guard let target = HostToResolve(url: url, standardPort: nil) else { return [] }
        guard let proxy = request.proxy, !EndpointURL.isLoopback(url) else {
            return [target].filter(\.isNamed)
        }
        // curl_easy_setopt(3), CURLOPT_PROXY: port 1080 unless the URL has one, 443 for https.
        var first = HostToResolve(
            url: proxy, standardPort: proxy.hasBytePrefix("https:") ? 443 : 1080)
        first?.isProxy = true
        // Only a proxy of this kind is sent addresses; the others resolve the target themselves.
        let isTold = proxy.hasBytePrefix("socks5://")
        return ([first].compactMap { $0 } + (isTold ? [target] : [])).filter(\.isNamed)
    }

    /// - Parameter standardPort: Used if the URL names none; `nil` for the standard port of its
    ///   scheme.
    init?(url: String, standardPort: UInt16?) {
        guard let scheme = url.firstRange(of: "://") else { return nil }
        let authority = url[scheme.upperBound...].prefix { !"/?#".contains($0) }
        let place = authority.split(separator: "@").last ?? authority
        guard !place.hasPrefix("[") else { return nil }
        let parts = place.split(separator: ":", maxSplits: 1)
        guard let host = parts.first else { return nil }
        name = String(host)
        let standard = standardPort ?? (url.hasBytePrefix("http:") ? 80 : 443)
        port = parts.count > 1 ? UInt16(parts[1]) ?? standard : standard
    }

    private var isNamed: Bool {
        let lowered = name.asciiLowercased
        let isLocal = lowered == "localhost" || lowered.hasSuffix(".localhost")
        let isNumeric = name.utf8.allSatisfy { $0 == 0x2E || (0x30...0x39).contains($0) }
        return !isLocal && !isNumeric
    }

    /// Why nothing was sent.
    func fault(_ kind: CauseKind) -> WireFault {
        let known = isProxy && kind == .nameNotResolved ? .proxyNameNotResolved : kind
        return WireFault(Cause(known, CauseFacts(host: name)))
    }

    /// A proxy's host and port, without the user and password before them.
    static func authority(ofProxy url: String) -> String {
        let rest = url.firstRange(of: "://").map { url[$0.upperBound...] } ?? url[...]
        let authority = rest.prefix { !"/?#".contains($0) }
        return String(authority.split(separator: "@").last ?? authority)
    }
}

/// The addresses that the resolver found.
struct HostAddresses: Sendable {
    var host: HostToResolve
    var addresses: [String]

    /// The format of CURLOPT_RESOLVE; with `+` the entry can expire.
    var entry: String { "+\(host.name):\(host.port):\(addresses.joined(separator: ","))" }
}
