internal import TokenFormats

extension FieldReader {
    /// The URL of a proxy, or `"none"` to override the global proxy.
    package func proxyChoice() -> ProxyChoice? {
        if node.text == "none" { return ProxyChoice.none }
        guard node.text.map(Self.isProxyURL) == true else {
            return wrongType("a proxy URL, such as \"http://proxy.example:3128\", or \"none\"")
        }
        return node.text.map(ProxyChoice.url)
    }

    package func proxyURL() -> String? {
        guard let text = string("\"http://proxy.example:3128\"") else { return nil }
        guard Self.isProxyURL(text) else {
            return wrongType("a proxy URL, such as \"http://proxy.example:3128\"")
        }
        return text
    }

    private static func isProxyURL(_ text: String) -> Bool {
        let schemes = ["http://", "https://", "socks5://", "socks5h://"]
        guard let scheme = schemes.first(where: { text.hasPrefix($0) }) else { return false }
        return text.utf8.count > scheme.utf8.count
            && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
    }

    /// Hosts that are reached without a proxy.
    package func proxyExceptions() -> [ProxyException]? {
        array()?.compactMap { element in
            guard let text = element.string("\"id.example\"") else { return nil }
            guard let exception = ProxyException(text) else {
                return element.wrongType(
                    "a host, \".suffix\", an address or a network, such as \"10.0.0.0/8\"")
            }
            return exception
        }
    }
}
