internal import TokenFormats

/// Lenient reading of a body that violates RFC 6749 section 5.1 or RFC 8259: the server has rotated
/// and the sent refresh token is spent, whatever is wrong with the response. Used only for
/// responses.
struct TolerantBody {
    /// The value that selectors read; `nil` when it cannot be told from other candidates.
    private(set) var node: JSONNode?
    private(set) var forgiven: [Forgiveness] = []
    private(set) var problem: BodyProblem?
    /// Every JSON value of the body, in order, truncated ones included: the refresh token is
    /// searched in all of them when none is trustworthy as a whole.
    private(set) var values: [ForgivenJSON] = []

    /// Maximum number of separate values in one body.
    private static let maximumValues = 64

    /// - Parameters:
    ///   - hasToken: Whether the profile's selectors find an access token in a value.
    init(_ raw: RawResponse, format: ResponseSpecification.Format, hasToken: (JSONNode) -> Bool) {
        let decoded = DecodedBody(raw)
        (forgiven, problem) = (decoded.forgiven, decoded.problem)
        if !forgiven.isEmpty, !decoded.isCut {
            var plain = raw
            plain.body = decoded.bytes
            if let node = ResponseBody(plain, format: format).node,
                node.text == nil || format == .text
            {
                self.node = node
                return
            }
        }
        guard format != .text else { return }
        let isWhole = !raw.isTruncated && !decoded.isCut
        if format != .form { readJSON(decoded.bytes, isWhole: isWhole, hasToken: hasToken) }
        if node == nil, values.isEmpty {
            readForm(decoded.bytes, isWhole: isWhole, hasToken: hasToken)
        }
        if node == nil, problem == nil { problem = complaint(decoded.bytes) }
    }

    private mutating func readJSON(
        _ bytes: [UInt8], isWhole: Bool, hasToken: (JSONNode) -> Bool
    ) {
        if !forgiven.contains(.insideString), let inner = Self.unwrapped(bytes) {
            forgiven.append(.insideString)
            return readJSON(inner, isWhole: isWhole, hasToken: hasToken)
        }
        values = Self.values(in: bytes)
        guard isWhole, problem == nil else { return }
        let candidates = values.filter { hasToken($0.node) }
        let wholes = values.filter { !$0.isCut }
        let chosen: ForgivenJSON
        if candidates.count == 1 {
            chosen = candidates[0]
        } else if candidates.isEmpty, wholes.count == 1, values.count == 1 {
            // No token, but possibly an error that the rules match.
            chosen = wholes[0]
        } else {
            if values.count > 1 { problem = candidates.isEmpty ? .twoTexts : .twoCandidates }
            return
        }
        if Self.isPage(bytes[..<chosen.start]) {
            problem = .html
            return
        }
        node = chosen.node
        let end = bytes[chosen.end...].contains { !isJSONSpace($0) }
        if end || bytes[..<chosen.start].contains(where: { !isJSONSpace($0) }) {
            forgiven.append(.surroundingText)
        }
        if chosen.isLoose { forgiven.append(.looseJSON) }
        if !chosen.replaced.isEmpty { forgiven.append(.repeatedName) }
        if chosen.isCut { forgiven.append(.endsEarly) }
    }

    /// A form with another Content-Type, if all of it is in that alphabet
    /// (application/x-www-form-urlencoded, WHATWG URL section 5). In a truncated form the last pair
    /// may be incomplete.
    private mutating func readForm(
        _ bytes: [UInt8], isWhole: Bool, hasToken: (JSONNode) -> Bool
    ) {
        let text = String(decoding: bytes, as: UTF8.self).trimmedOfSpace
        guard text.utf8.allSatisfy(Self.isFormByte) else { return }
        var found = ForgivenJSON()
        var members: [JSONMember] = []
        var places: [ByteText: Int] = [:]
        let pairs = text.utf8.split(separator: UInt8(ascii: "&"))
        for pair in isWhole ? pairs[...] : pairs.dropLast() {
            guard let equals = pair.firstIndex(of: UInt8(ascii: "=")),
                let key = formDecoded(Substring(pair[..<equals])),
                let value = formDecoded(Substring(pair[pair.index(after: equals)...]))
            else { continue }
            let member = JSONMember(key, .string(value))
            if let place = places[ByteText(key)] {
                found.replaced.append(members[place])
                members[place] = member
            } else {
                places[ByteText(key)] = members.count
                members.append(member)
            }
        }
        found.node = JSONNode(.object(members))
        values.append(found)
        guard isWhole, hasToken(found.node) else { return }
        (node, problem) = (found.node, nil)
        forgiven.append(.unlabelledForm)
        if !found.replaced.isEmpty { forgiven.append(.repeatedName) }
    }

    private func complaint(_ bytes: [UInt8]) -> BodyProblem {
        if Self.isPage(bytes[...]) { return .html }
        return values.contains { $0.isCut } ? .endsEarly : .noTokenText
    }

    /// The inner bytes, if the whole body is a JSON string that contains an object.
    private static func unwrapped(_ bytes: [UInt8]) -> [UInt8]? {
        guard let first = bytes.first(where: { !isJSONSpace($0) }), first == UInt8(ascii: "\""),
            let text = (try? JSONReader.read(bytes))?.text,
            text.utf8.contains(UInt8(ascii: "{"))
        else { return nil }
        return Array(text.utf8)
    }

    private static func values(in bytes: [UInt8]) -> [ForgivenJSON] {
        var found: [ForgivenJSON] = []
        var at = 0
        // Bounds the work to a few looks at each byte, however many brackets the body has.
        var work = 4 * bytes.count + 4096
        while at < bytes.count, found.count < maximumValues, work > 0 {
            guard bytes[at] == UInt8(ascii: "{") || bytes[at] == UInt8(ascii: "[") else {
                at += 1
                continue
            }
            let value = JSONReader.readForgivingly(bytes, from: at)
            work -= value.end - at
            guard value.isValue, value.node.elements?.isEmpty != true else {
                at += 1
                continue
            }
            found.append(value)
            at = value.end
        }
        return found
    }

    /// Whether a text begins an HTML page: values in a page's scripts grant nothing.
    private static func isPage(_ bytes: ArraySlice<UInt8>) -> Bool {
        guard bytes.contains(UInt8(ascii: "<")) else { return false }
        let text = String(decoding: bytes, as: UTF8.self).asciiLowercased
        return ["<html", "<!doctype", "<head", "<script"].contains { text.containsBytes(of: $0) }
    }

    private static func isFormByte(_ byte: UInt8) -> Bool {
        isDigit(byte) || (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7A)
            || "*-._+%&=~!'()".utf8.contains(byte)
    }
}
