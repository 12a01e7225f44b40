/// Which URLs a token request may use: https, or http on this host's loopback.
package enum EndpointURL {
    /// What is wrong with a rendered URL, to follow its name; `nil` if nothing.
    ///
    /// - Parameters:
    ///   - url: The URL, with every variable in place.
    ///   - isOurs: The URL comes from the configuration, so its host may be quoted.
    package static func problem(of url: String, isOurs: Bool = false) -> RequestError? {
        let isSecure = url.hasBytePrefix("https://")
        guard isSecure || url.hasBytePrefix("http://") else {
            return RequestError(problem: "has no https scheme", remedy: "start it with https://")
        }
        // From here on the URL is ASCII; metadata and responses contain URLs too.
        guard url.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            if let problem = foreignHost(authority(of: url), isOurs: isOurs) { return problem }
            return RequestError(
                problem: "has a character that no URL may have", remedy: "percent-encode it")
        }
        let authority = authority(of: url)
        guard !authority.isEmpty, !authority.contains("@"), !url.contains("#") else {
            return RequestError(
                problem: "has no host, a user or a fragment", remedy: "write https://host/path")
        }
        let isPlainHost = authority.utf8.allSatisfy {
            isDigit($0) || ($0 | 0x20 >= 0x61 && $0 | 0x20 <= 0x7A)
                || [0x2E, 0x2D, 0x3A, 0x5B, 0x5D].contains($0)
        }
        guard isPlainHost else {
            if authority.contains("_") {
                return RequestError(
                    problem: "has a host name with an underscore, which no certificate is for",
                    remedy: "write a name of letters, digits and hyphens for that host "
                        + "(RFC 1123 section 2.1)")
            }
            return RequestError(
                problem: "has a host with odd characters", remedy: "write a DNS name or address")
        }
        guard isSecure || isLoopback(authority) else {
            return RequestError(
                problem: "would send secrets over plain http",
                remedy: "write https:// (http is only for this host's loopback)")
        }
        return nil
    }

    /// A host that is not ASCII must be written in its DNS form.
    private static func foreignHost(_ authority: Substring, isOurs: Bool) -> RequestError? {
        guard !authority.utf8.allSatisfy({ $0 < 0x80 }), !authority.contains("@") else {
            return nil
        }
        let parts = authority.split(separator: ":", maxSplits: 1)
        let spelled = isOurs ? parts.first.flatMap { Punycode.host($0) } : nil
        let port = parts.count > 1 ? ":" + parts[1] : ""
        return RequestError(
            problem: "has a host that is not in ASCII",
            remedy: spelled.map { "write \($0)\(port)" }
                ?? "write it as the DNS does (xn--…, RFC 5890)")
    }

    package static func authority(of url: String) -> Substring {
        guard let scheme = url.firstRange(of: "://") else { return "" }
        return url[scheme.upperBound...].prefix { $0 != "/" && $0 != "?" && $0 != "#" }
    }

    /// Scheme, host and port as the URL spells them.
    package static func spelledOrigin(of url: String) -> String {
        let scheme = url.hasBytePrefix("http://") ? "http://" : "https://"
        return scheme + authority(of: url)
    }

    /// Path and query.
    package static func path(of url: String) -> String {
        guard let scheme = url.firstRange(of: "://") else { return url }
        return String(url[scheme.upperBound...].drop { !"/?#".contains($0) })
    }

    /// The host in lower case, without its port.
    package static func host(of url: String) -> String {
        let authority = authority(of: url).lowercased()
        if authority.hasPrefix("[") {
            return authority.split(separator: "]").first.map { $0 + "]" } ?? authority
        }
        return String(authority.prefix { $0 != ":" })
    }

    /// Scheme, host and port (RFC 6454 section 4), normalised.
    package static func origin(of url: String) -> String {
        let isSecure = url.hasBytePrefix("https:")
        let authority = authority(of: url).asciiLowercased
        // The text after the last colon, unless the colon is inside the brackets of an IPv6
        // address; the port may be empty (RFC 3986 section 3.2.3).
        let behind = authority.utf8.reversed().prefix { $0 != 0x3A }
        let hasPort = behind.count < authority.utf8.count && !behind.contains(0x5D)
        let host = hasPort ? String(authority.dropLast(behind.count + 1)) : authority
        let spelled = hasPort ? String(authority.suffix(behind.count)) : ""
        let port = spelled.isEmpty ? (isSecure ? "443" : "80") : spelled
        return "\(isSecure ? "https" : "http")://\(host):\(port)"
    }

    /// Whether two hosts probably belong to the same owner, judged without the public suffix list:
    /// the last two labels are equal, or three where the last two look like a registry's (`co.uk`,
    /// `com.cn`). IP addresses must be equal.
    package static func isSameSite(_ left: String, _ right: String) -> Bool {
        if left == right { return true }
        let (leftLabels, rightLabels) = (labels(left), labels(right))
        guard let last = leftLabels.last, !last.utf8.allSatisfy(isDigit), !left.hasPrefix("["),
            leftLabels.count >= 2, rightLabels.count >= 2
        else { return false }
        let second = leftLabels[leftLabels.count - 2]
        let depth = last.utf8.count == 2 && second.utf8.count <= 3 ? 3 : 2
        guard leftLabels.count >= depth else { return false }
        return leftLabels.suffix(depth) == rightLabels.suffix(depth)
    }

    private static func labels(_ host: String) -> [Substring] {
        host.split(separator: ".", omittingEmptySubsequences: false)
    }

    /// Whether the URL's host is this host's loopback: such a request uses no proxy.
    package static func isLoopback(_ url: String) -> Bool {
        isLoopback(authority(of: url).asciiLowercased[...])
    }

    private static func isLoopback(_ authority: Substring) -> Bool {
        if authority.hasPrefix("[::1]") {
            return ["", ":"].contains(authority.dropFirst(5).prefix(1))
        }
        let host = authority.prefix { $0 != ":" }
        if host == "localhost" { return true }
        let octets = host.split(separator: ".", omittingEmptySubsequences: false)
        return octets.count == 4 && octets[0] == "127" && octets.allSatisfy { UInt8($0) != nil }
    }
}
