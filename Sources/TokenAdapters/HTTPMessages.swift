public import TokenCore

/// A request to one of our own little servers.
public struct HTTPRequest: Sendable {
    public var method: String
    /// Without the query, percent-encoding left as it is: our paths need none.
    public var path: String
    public var query: [String: String]
    /// What stands behind the `?`, as it came.
    public var queryText = ""
    public var headers: [String: String]
    public var body: [UInt8]
}

public struct HTTPResponse: Sendable {
    public var status: Int
    public var contentType: String
    public var body: [UInt8]
    /// Further ones.
    public var headers: [HeaderField] = []

    public init(_ status: Int, contentType: String = "application/json", body: [UInt8]) {
        (self.status, self.contentType, self.body) = (status, contentType, body)
    }

    /// HTTP/1.1, one answer a connection.
    var bytes: [UInt8] {
        let reasons = [
            200: "OK", 201: "Created", 202: "Accepted", 400: "Bad Request", 401: "Unauthorized",
            403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 409: "Conflict",
            413: "Content Too Large", 422: "Unprocessable Content", 429: "Too Many Requests",
            431: "Request Header Fields Too Large", 500: "Internal Server Error",
            502: "Bad Gateway", 503: "Service Unavailable", 507: "Insufficient Storage",
        ]
        let more = headers.map { "\($0.name): \($0.value)\r\n" }.joined()
        let head = """
            HTTP/1.1 \(status) \(reasons[status] ?? "Status")\r
            Content-Type: \(contentType)\r
            Content-Length: \(body.count)\r
            Cache-Control: no-store\r
            Connection: close\r
            \(more)\r

            """
        return Array(head.utf8) + body
    }
}

/// Collects one request from what arrives, within bounds.
struct HTTPRequestParser {
    static let maximumHead = 16 * 1024
    static let maximumBody = 128 * 1024

    enum Progress {
        case incomplete
        case complete(HTTPRequest)
        /// The status to refuse it with.
        case refused(Int)
    }

    private var bytes: [UInt8] = []

    mutating func take(_ more: some Sequence<UInt8>) -> Progress {
        bytes += more
        guard let end = headEnd else {
            return bytes.count > Self.maximumHead ? .refused(431) : .incomplete
        }
        guard end <= Self.maximumHead else { return .refused(431) }
        guard let head = String(validating: bytes[..<end], as: UTF8.self),
            var request = Self.request(head)
        else { return .refused(400) }
        if request.headers["transfer-encoding"] != nil { return .refused(400) }
        var length = 0
        if let text = request.headers["content-length"] {
            guard let number = Int(text), number >= 0 else { return .refused(400) }
            length = number
        }
        guard length <= Self.maximumBody else { return .refused(413) }
        guard bytes.count >= end + 4 + length else { return .incomplete }
        request.body = Array(bytes[end + 4..<end + 4 + length])
        return .complete(request)
    }

    private var headEnd: Int? {
        bytes.firstRange(of: [0x0D, 0x0A, 0x0D, 0x0A])?.lowerBound
    }

    private static func request(_ head: String) -> HTTPRequest? {
        var lines = head.components(separatedByCRLF: ())
        guard !lines.isEmpty else { return nil }
        let words = lines.removeFirst().split(separator: " ")
        guard words.count == 3, words[2].hasPrefix("HTTP/1."), words[1].hasPrefix("/") else {
            return nil
        }
        var headers: [String: String] = [:]
        for line in lines {
            guard let colon = line.firstIndex(of: ":") else { return nil }
            let value = line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
            let name = line[..<colon].lowercased()
            // Two lengths, or any header twice, is not worth understanding.
            guard headers.updateValue(String(value), forKey: name) == nil else { return nil }
        }
        let parts = words[1].split(separator: "?", maxSplits: 1)
        var query: [String: String] = [:]
        for pair in parts.count > 1 ? parts[1].split(separator: "&") : [] {
            let sides = pair.split(separator: "=", maxSplits: 1)
            guard let key = sides.first else { continue }
            query[String(key)] = sides.count > 1 ? String(sides[1]) : ""
        }
        return HTTPRequest(
            method: String(words[0]), path: String(parts[0]), query: query,
            queryText: parts.count > 1 ? String(parts[1]) : "", headers: headers, body: [])
    }
}

extension String {
    fileprivate func components(separatedByCRLF: Void) -> [Substring] {
        // "\r\n" is one Character in Swift.
        split(separator: "\r\n", omittingEmptySubsequences: false)
    }
}
