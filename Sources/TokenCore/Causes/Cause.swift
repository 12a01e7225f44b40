/// One thing that went wrong: its kind, and the facts that its sentences name.
///
/// A decision looks at the kind, never at a sentence. Facts are this host's own, from a closed
/// list, or have passed a ``PeerFilter``: none of them can hold a secret.
public struct Cause: Sendable, Equatable {
    public var kind: CauseKind
    public var facts: CauseFacts

    public init(_ kind: CauseKind, _ facts: CauseFacts = CauseFacts()) {
        (self.kind, self.facts) = (kind, facts)
    }

    /// Whether it is the same trouble as before: what tells one answer from the next, such as a
    /// date, makes no other trouble of it.
    func isSameTrouble(as other: Cause) -> Bool {
        guard kind == other.kind, facts.status == other.facts.status else { return false }
        let pairs = [
            (facts.errorCode, other.facts.errorCode), (facts.file, other.facts.file),
            (facts.other, other.facts.other),
            kind == .untold ? (facts.detail, other.facts.detail) : (nil, nil),
        ]
        return pairs.allSatisfy { ($0 ?? "").hasSameBytes(as: $1 ?? "") }
    }
}

/// What the sentences of a cause may name. `nil` is "not known", or "does not belong to it".
public struct CauseFacts: Sendable, Equatable {
    /// The host that was asked, with its port where the URL has one; a proxy's for its causes.
    public var host: String?
    /// The host is asked in plain http (this host's loopback only).
    public var isPlain = false
    /// Absolute, or as configured.
    public var file: String?
    /// Of a failed system call, as strerror(3) has it.
    public var systemError: String?
    /// Of HTTP.
    public var status: Int?
    /// From ``knownErrorCodes``, or `KEY NUMBER`.
    public var errorCode: String?
    /// When a certificate ends, or begins.
    public var date: WallTime?
    /// The common name of a certificate.
    public var subject: String?
    public var contentType: ForeignContentType?
    /// Where a redirect leads.
    public var target: String?
    /// Whether that is the same path there.
    public var isSamePath: Bool?
    /// A key of the configuration or of the profile.
    public var key: String?
    /// Another credential.
    public var other: String?
    /// The group or user that a file should have.
    public var account: String?
    /// The directory of a file.
    public var folder: String?
    /// How long the provider asks to wait.
    public var wait: Duration?
    /// This program's own words.
    public var detail: String?
    /// This program's own words: what to write instead.
    public var advice: String?

    public init(
        host: String? = nil, file: String? = nil, systemError: String? = nil, status: Int? = nil,
        errorCode: String? = nil, contentType: ForeignContentType? = nil, key: String? = nil,
        other: String? = nil, folder: String? = nil, wait: Duration? = nil, detail: String? = nil,
        advice: String? = nil
    ) {
        (self.host, self.file, self.systemError, self.status) = (host, file, systemError, status)
        (self.errorCode, self.contentType, self.key) = (errorCode, contentType, key)
        (self.other, self.folder, self.wait) = (other, folder, wait)
        (self.detail, self.advice) = (detail, advice)
    }
}

extension CauseFacts {
    /// Takes over whom a request went to.
    ///
    /// - Parameter url: Of it, or its begin.
    public mutating func set(origin url: String) {
        let authority = EndpointURL.authority(of: url)
        host = authority.isEmpty ? nil : String(authority)
        isPlain = url.hasBytePrefix("http://")
    }
}

/// What a response says that it is, where it is not what a token endpoint answers. A closed list:
/// the header itself is a peer's text.
public enum ForeignContentType: String, Sendable, CaseIterable {
    case html = "text/html"
    case xhtml = "application/xhtml+xml"
    case plain = "text/plain"
    case xml = "text/xml"
    case applicationXML = "application/xml"
    case javascript = "text/javascript"
    case bytes = "application/octet-stream"
    case other

    /// - Returns: `nil` for what a token endpoint may answer (RFC 6749 section 5.1, forms), and
    ///   where the header is missing.
    init?(header: String?) {
        guard let header else { return nil }
        let type = String(
            header.split(separator: ";", omittingEmptySubsequences: false).first ?? ""
        ).asciiLowercased
        let name = String(type.trimmedOfSpace)
        if name.isEmpty || name.containsBytes(of: "json")
            || name.containsBytes(of: "x-www-form-urlencoded")
        {
            return nil
        }
        self = ForeignContentType(spelled: name) ?? .other
    }

    var isPage: Bool { self == .html || self == .xhtml }
}
