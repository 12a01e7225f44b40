internal import TokenFormats
package import TokenProviders

/// A request to one of the daemon's own HTTP servers.
package struct HTTPRequest: Sendable {
    /// Such as `GET`, as it was sent (RFC 9110 section 9).
    package var method: String
    /// Without the query, still percent-encoded: the paths need no encoding.
    package var path: String
    /// The fields of the query, still encoded; for a repeated name the last one counts.
    package var query: [String: String]
    /// The text after `?`, as received.
    package var queryText = ""
    /// With names in lower case.
    package var headers: [String: String]
    /// As many bytes as `Content-Length` said.
    package var body: [UInt8]
    /// Whether the client knows the chunked coding, as every client of HTTP/1.1 does.
    package var takesChunks = true
}

/// A response of one of the daemon's own HTTP servers.
package struct HTTPResponse: Sendable {
    /// The status code (RFC 9110 section 15).
    package var status: Int
    /// The value of `Content-Type`.
    package var contentType: String
    let body: Body
    /// Additional headers.
    package var headers: [HeaderField] = []

    /// A response with a complete body.
    package init(_ status: Int, contentType: String = "application/json", body: [UInt8]) {
        self.init(status, contentType: contentType, rendering: { body })
    }

    /// A response whose body is rendered when the connection writes it, off the handler's thread.
    package init(
        _ status: Int, contentType: String, rendering: @escaping @Sendable () -> [UInt8]
    ) {
        (self.status, self.contentType, body) = (status, contentType, .whole(rendering))
    }

    /// A response whose body comes in pieces.
    init(_ status: Int, contentType: String, pieces: any BodyPieces, isChunked: Bool) {
        (self.status, self.contentType) = (status, contentType)
        body = .pieces(pieces, isChunked: isChunked)
    }

    /// The message with a complete body. HTTP/1.1, one response for each connection.
    func message(_ body: [UInt8]) -> [UInt8] {
        head(HeaderField("Content-Length", String(body.count))) + body
    }

    /// - Parameter framing: How the body ends; `nil` where it ends with the connection (RFC 9112
    ///   section 6.3).
    func head(_ framing: HeaderField?) -> [UInt8] {
        let reasons = [
            200: "OK", 201: "Created", 202: "Accepted", 303: "See Other",
            400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
            405: "Method Not Allowed", 409: "Conflict",
            413: "Content Too Large", 421: "Misdirected Request", 422: "Unprocessable Content",
            429: "Too Many Requests",
            431: "Request Header Fields Too Large", 500: "Internal Server Error",
            502: "Bad Gateway", 503: "Service Unavailable", 507: "Insufficient Storage",
        ]
        let line = { (field: HeaderField) in "\(field.name): \(field.value)\r\n" }
        let head = """
            HTTP/1.1 \(status) \(reasons[status] ?? "Status")\r
            Content-Type: \(contentType)\r
            \(framing.map(line) ?? "")Cache-Control: no-store\r
            Connection: close\r
            \(headers.map(line).joined())\r

            """
        return Array(head.utf8)
    }
}

/// Collects one request from received pieces, within limits.
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
    /// Where the search for the end of the head continues: otherwise a slow client would cause
    /// quadratic work.
    private var searched = 0
    /// The head, once it is complete, and the size of the whole message.
    private var head: (request: HTTPRequest, end: Int, size: Int)?

    mutating func take(_ more: some Sequence<UInt8>) -> Progress {
        bytes += more
        if head == nil {
            guard let end = headEnd() else {
                return bytes.count > Self.maximumHead ? .refused(431) : .incomplete
            }
            guard end <= Self.maximumHead else { return .refused(431) }
            if let refusal = readHead(end) { return .refused(refusal) }
        }
        guard let head, bytes.count >= head.size else { return .incomplete }
        var request = head.request
        request.body = Array(bytes[head.end + 4..<head.size])
        return .complete(request)
    }

    /// - Returns: The status of a refusal; `nil` if the head is valid.
    private mutating func readHead(_ end: Int) -> Int? {
        guard let request = Self.request(bytes[..<end]) else { return 400 }
        if request.headers["transfer-encoding"] != nil { return 400 }
        var length = 0
        if let text = request.headers["content-length"] {
            guard let number = Int(text), number >= 0 else { return 400 }
            length = number
        }
        guard length <= Self.maximumBody else { return 413 }
        head = (request, end, end + 4 + length)
        return nil
    }

    private mutating func headEnd() -> Int? {
        let mark: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A]
        while searched + 4 <= bytes.count {
            if bytes[searched..<searched + 4].elementsEqual(mark) { return searched }
            searched += 1
        }
        return nil
    }

    private static func request(_ head: ArraySlice<UInt8>) -> HTTPRequest? {
        var lines = head.linesEndingInCRLF[...]
        guard let first = lines.popFirst() else { return nil }
        let words = first.split(separator: 0x20)
        // A request target is ASCII; other bytes are percent-encoded (RFC 9112 section 3.2).
        guard words.count == 3, first.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }),
            words[2].starts(with: "HTTP/1.".utf8), words[1].first == UInt8(ascii: "/")
        else { return nil }
        var headers: [String: String] = [:]
        for line in lines {
            guard let field = HeaderField(line: line) else { return nil }
            // Two lengths, or any repeated header, are refused.
            let name = field.name.asciiLowercased
            guard headers.updateValue(field.value, forKey: name) == nil else { return nil }
        }
        let target = words[1].split(separator: UInt8(ascii: "?"), maxSplits: 1)
        let query = target.count > 1 ? HTTPRequest.query(text(target[1])) : [:]
        guard let path = target.first else { return nil }
        return HTTPRequest(
            method: text(words[0]), path: text(path), query: query,
            queryText: target.count > 1 ? text(target[1]) : "", headers: headers, body: [],
            takesChunks: !words[2].elementsEqual("HTTP/1.0".utf8))
    }

    private static func text(_ bytes: some Collection<UInt8>) -> String {
        String(decoding: bytes, as: UTF8.self)
    }
}

extension HTTPRequest {
    /// Members of a query, still percent-encoded.
    static func query(_ text: String) -> [String: String] {
        var query: [String: String] = [:]
        for pair in text.utf8.split(separator: UInt8(ascii: "&")) {
            let sides = pair.split(separator: UInt8(ascii: "="), maxSplits: 1)
                .map { String(decoding: $0, as: UTF8.self) }
            guard let key = sides.first else { continue }
            query[key] = sides.count > 1 ? sides[1] : ""
        }
        return query
    }
}

extension HeaderField {
    /// A line `name: value` of a message (RFC 9112 section 5).
    ///
    /// `nil` unless the name is a token (RFC 9110 section 5.6.2), which is ASCII. The value is any
    /// UTF-8 text, without surrounding blanks and tabs.
    init?(line: some BidirectionalCollection<UInt8>) {
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon != line.startIndex,
            line[..<colon].allSatisfy(Self.isTokenByte),
            let value = String(validating: line[line.index(after: colon)...], as: UTF8.self)
        else { return nil }
        self.init(
            String(decoding: line[..<colon], as: UTF8.self), String(value.trimmedOfSpace))
    }

    private static func isTokenByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }
}

extension ArraySlice<UInt8> {
    /// The parts between CR LF sequences, including those before the first and after the last.
    fileprivate var linesEndingInCRLF: [ArraySlice<UInt8>] {
        var lines: [ArraySlice<UInt8>] = []
        var start = startIndex
        for index in indices.dropLast() where self[index] == 0x0D && self[index + 1] == 0x0A {
            lines.append(self[start..<index])
            start = index + 2
        }
        return lines + [self[start...]]
    }
}
