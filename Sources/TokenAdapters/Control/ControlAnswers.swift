internal import TokenControl
internal import TokenEngine
internal import TokenFormats

extension HTTPResponse {
    /// Renders on the socket's thread, not in the loop.
    init(_ reply: ControlReply) {
        // RFC 9457, except the health report, whose 503 has its own form.
        let isProblem = reply.problem != nil
        self.init(
            reply.status,
            contentType: isProblem ? "application/problem+json" : "application/json",
            rendering: { reply.body.serialized() + [0x0A] })
    }
}

/// Chooses the metrics format that a client prefers (RFC 9110 section 12.5.1).
enum MetricsNegotiation {
    /// OpenMetrics, unless the client prefers the other one. A client that accepts neither also
    /// gets OpenMetrics, which was the only format in earlier versions.
    ///
    /// - Parameter accept: The header, `nil` if it is missing.
    static func format(accept: String?) -> MetricsFormat {
        guard let accept else { return .openMetrics }
        let ranges = accept.utf8.split(separator: UInt8(ascii: ",")).compactMap { Range($0) }
        let open = quality(of: ["application/openmetrics-text", "application/*"], among: ranges)
        let older = quality(of: ["text/plain", "text/*"], among: ranges)
        return older > open ? .prometheus : .openMetrics
    }

    /// The most specific range decides; of equally specific ones the highest quality.
    private static func quality(of names: [String], among ranges: [Range]) -> Double {
        for name in names + ["*/*"] {
            let found = ranges.filter { $0.name.hasSameBytes(as: name) }.map(\.quality)
            if let best = found.max() { return best }
        }
        return 0
    }

    private struct Range {
        var name: String
        var quality = 1.0

        init?(_ text: Substring.UTF8View) {
            let parts = text.split(separator: UInt8(ascii: ";")).map {
                String(String(Substring($0)).trimmedOfSpace).asciiLowercased
            }
            guard let name = parts.first, !name.isEmpty else { return nil }
            self.name = name
            for part in parts.dropFirst() where part.hasBytePrefix("q=") {
                // A quality that is not a number counts as 0.
                let number = Double(String(decoding: part.utf8.dropFirst(2), as: UTF8.self))
                quality = number.map { $0.isNaN ? 0 : min(1, max(0, $0)) } ?? 0
            }
        }
    }
}
