internal import Crypto
internal import TokenFormats

/// The functions of the template language. They are pure: time and randomness come from the nonce.
enum TemplateFunction: String, CaseIterable, Sendable {
    case concat, upper, lower, substr, int, urlencode, base64, base64url
    case hash
    case hashBase64 = "hash_base64"
    case hmac
    case hmacBase64 = "hmac_base64"
    case sign
    case signBase64url = "sign_base64url"
    case signHex = "sign_hex"
    case uuid, random, now
    // Format a time given in epoch seconds, such as expires_at.
    case rfc3339, time
    // Quote a text as one word of a file that another program reads (TextQuoting).
    case shell, json, ini, netrc, curl

    var argumentCounts: ClosedRange<Int> {
        switch self {
        case .concat: 1...32
        case .upper, .lower, .int, .urlencode, .base64, .base64url: 1...1
        case .shell, .json, .ini, .netrc, .curl: 1...1
        case .substr: 2...3
        case .hash, .hashBase64: 2...2
        case .hmac, .hmacBase64, .sign, .signBase64url, .signHex: 3...3
        case .uuid: 0...0
        case .random: 1...1
        case .now: 1...2
        case .rfc3339: 1...2
        case .time: 2...3
        }
    }

    var usage: String {
        switch self {
        case .concat: "write concat(a, b, …)"
        case .upper, .lower, .int, .urlencode, .base64, .base64url: "write \(rawValue)(text)"
        case .shell, .json, .ini, .netrc, .curl: "write \(rawValue)(text)"
        case .substr: "write substr(text, start) or substr(text, start, length)"
        case .hash, .hashBase64: "write \(rawValue)('sha256', text)"
        case .hmac, .hmacBase64: "write \(rawValue)('sha256', key, text)"
        case .sign, .signBase64url, .signHex: "write \(rawValue)('RS256', key, text)"
        case .uuid: "write uuid()"
        case .random: "write random(16)"
        case .now: "write now('epoch_seconds')"
        case .rfc3339: "write rfc3339(expires_at), or with a zone such as '+08:00'"
        case .time: "write time(expires_at, 'yyyy-MM-dd HH:mm:ss'), or with a zone too"
        }
    }

    static let hashes = ["md5", "sha1", "sha256", "sha384", "sha512"]

    /// A suggestion for a literal argument that can never be valid; `literals` has `nil` for
    /// others.
    func mistake(in literals: [String?]) -> String? {
        switch self {
        case .hash, .hashBase64, .hmac, .hmacBase64:
            if let name = literals[0], !Self.hashes.contains(name) {
                return "use one of " + Self.hashes.joined(separator: ", ")
            }
        case .now:
            if let format = literals[0], !["epoch_seconds", "epoch_milliseconds"].contains(format),
                DateTimePattern(format) == nil
            {
                return "write now('epoch_seconds') or a date such as now('yyyy-MM-dd')"
            }
            if literals.count == 2, let zone = literals[1], DateTimePattern.offset(of: zone) == nil
            {
                return "write the zone as 'UTC' or '+08:00'"
            }
        case .rfc3339, .time: return GivenTime.mistake(in: literals, hasPattern: self == .time)
        case .sign, .signBase64url, .signHex:
            let known = AssertionSpecification.Algorithm.allCases.map(\.rawValue)
            if let name = literals[0], !known.contains(name) {
                return "use one of " + known.joined(separator: ", ")
            }
        case .random:
            if let count = literals[0], !(1...64).contains(Int(count) ?? 0) {
                return "write random(1) to random(64)"
            }
        default: break
        }
        return nil
    }

    /// `nil` when an argument is invalid.
    func apply(_ arguments: [String], _ nonce: RequestNonce) -> JSONNode? {
        switch self {
        case .concat: return .string(arguments.joined())
        case .upper: return .string(asciiUppercased(arguments[0]))
        case .lower: return .string(arguments[0].asciiLowercased)
        case .substr: return substring(arguments)
        case .int: return Int64(arguments[0]).map { .integer($0) }
        case .urlencode: return .string(percentEncoded(arguments[0]))
        case .base64: return .string(TokenFormats.base64(Array(arguments[0].utf8)))
        case .base64url:
            return .string(TokenFormats.base64(Array(arguments[0].utf8), urlSafe: true))
        case .hash: return digest(arguments).map { .string(hexadecimal($0)) }
        case .hashBase64: return digest(arguments).map { .string(TokenFormats.base64($0)) }
        case .hmac: return authenticationCode(arguments).map { .string(hexadecimal($0)) }
        case .hmacBase64:
            return authenticationCode(arguments).map { .string(TokenFormats.base64($0)) }
        case .sign, .signBase64url, .signHex: return signature(arguments)
        case .uuid: return .string(nonce.uuid)
        case .random:
            return Int(arguments[0]).flatMap {
                1...64 ~= $0 ? .string(String(nonce.random.prefix($0))) : nil
            }
        case .now: return formatTime(nonce.now, arguments)
        case .rfc3339: return GivenTime(arguments[0])?.rfc3339(Array(arguments.dropFirst()))
        case .time: return GivenTime(arguments[0])?.formatted(Array(arguments.dropFirst()))
        case .shell, .json, .ini, .netrc, .curl:
            return TextQuoting(rawValue: rawValue)?.quote(arguments[0]).map { .string($0) }
        }
    }

    /// Whether its result is safe to insert anywhere, for any arguments.
    var tames: Bool {
        switch self {
        case .shell, .json, .ini, .netrc, .curl: true
        case .int, .urlencode, .base64, .base64url, .hash, .hashBase64, .hmac, .hmacBase64: true
        case .uuid, .random, .now, .sign, .signBase64url, .signHex: true
        case .rfc3339, .time: true
        case .concat, .upper, .lower, .substr: false
        }
    }

    private func substring(_ arguments: [String]) -> JSONNode? {
        guard let start = Int(arguments[1]), start >= 0 else { return nil }
        let tail = arguments[0].dropFirst(start)
        guard arguments.count == 3 else { return .string(String(tail)) }
        return Int(arguments[2]).flatMap { $0 >= 0 ? .string(String(tail.prefix($0))) : nil }
    }

    private func digest(_ arguments: [String]) -> [UInt8]? {
        let data = Array(arguments[1].utf8)
        switch arguments[0] {
        case "md5": return Array(Insecure.MD5.hash(data: data))
        case "sha1": return Array(Insecure.SHA1.hash(data: data))
        case "sha256": return Array(SHA256.hash(data: data))
        case "sha384": return Array(SHA384.hash(data: data))
        case "sha512": return Array(SHA512.hash(data: data))
        default: return nil
        }
    }

    private func authenticationCode(_ arguments: [String]) -> [UInt8]? {
        let key = SymmetricKey(data: Array(arguments[1].utf8))
        let data = Array(arguments[2].utf8)
        switch arguments[0] {
        case "md5":
            return Array(HMAC<Insecure.MD5>.authenticationCode(for: data, using: key))
        case "sha1":
            return Array(HMAC<Insecure.SHA1>.authenticationCode(for: data, using: key))
        case "sha256": return Array(HMAC<SHA256>.authenticationCode(for: data, using: key))
        case "sha384": return Array(HMAC<SHA384>.authenticationCode(for: data, using: key))
        case "sha512": return Array(HMAC<SHA512>.authenticationCode(for: data, using: key))
        default: return nil
        }
    }
}

/// Only the letters a-z: the result must not depend on a locale.
private func asciiUppercased(_ text: String) -> String {
    String(decoding: text.utf8.map { 0x61...0x7A ~= $0 ? $0 - 32 : $0 }, as: UTF8.self)
}

/// `epoch_seconds`, `epoch_milliseconds`, or a ``DateTimePattern`` in a zone (`UTC` unless said).
func formatTime(_ time: WallTime, _ arguments: [String]) -> JSONNode? {
    switch arguments[0] {
    case "epoch_seconds": return .integer(time.epochSeconds)
    case "epoch_milliseconds": return .integer(time.sinceEpoch.nanoseconds / 1_000_000)
    default: break
    }
    guard let pattern = DateTimePattern(arguments[0]),
        let offset = DateTimePattern.offset(of: arguments.count == 2 ? arguments[1] : "UTC")
    else { return nil }
    return .string(pattern.text(of: time, offset: offset))
}
