/// One failure: its kind, and the facts that its sentences name.
///
/// Decisions use the kind, never a sentence. Facts come from this host, from a closed list, or have
/// passed a ``PeerFilter``: none can contain a secret.
package struct Cause: Error, Sendable, Equatable {
    package var kind: CauseKind
    private var rare: Rare<CauseFacts>

    package init(_ kind: CauseKind, _ facts: CauseFacts = CauseFacts()) {
        (self.kind, rare) = (kind, Rare(facts == Self.noFacts ? nil : facts))
    }

    /// Most places for a cause hold none, and many causes no facts: they are apart.
    package var facts: CauseFacts {
        get { rare.value ?? Self.noFacts }
        set { rare = Rare(newValue == Self.noFacts ? nil : newValue) }
    }

    private static let noFacts = CauseFacts()

    /// - Parameters:
    ///   - kind: A kind whose sentence consists of `detail`.
    ///   - detail: The problem in words.
    ///   - file: The file that it concerns.
    package init(_ kind: CauseKind, _ detail: String, file: String? = nil) {
        self.init(kind, CauseFacts(file: file, detail: detail))
    }

    /// Whether it is the same failure as before: facts that vary between responses, such as a date,
    /// are not compared.
    package func isSameTrouble(as other: Cause) -> Bool {
        guard kind == other.kind, facts.status == other.facts.status else { return false }
        let pairs = [
            (facts.errorCode, other.facts.errorCode), (facts.file, other.facts.file),
            (facts.other, other.facts.other),
            kind == .untold ? (facts.detail, other.facts.detail) : (nil, nil),
        ]
        return pairs.allSatisfy { ($0 ?? "").hasSameBytes(as: $1 ?? "") }
    }
}

/// The facts that the sentences of a cause may name. `nil` means unknown or not applicable.
package struct CauseFacts: Sendable, Equatable {
    /// The host of the request, with its port if the URL has one; for a proxy's causes the proxy.
    package var host: String?
    /// The request uses plain http (only on this host's loopback).
    package var isPlain = false
    /// Absolute, or as configured.
    package var file: String?
    /// Of a failed system call, in the words of strerror(3).
    package var systemError: String?
    /// The number of ``systemError``, for code (errno(3)); `nil` in records of earlier versions.
    package var errno: Int32?
    /// The HTTP status.
    package var status: Int?
    /// A registered error code (RFC 6749 section 5.2), or `KEY NUMBER`.
    package var errorCode: String?
    /// When a certificate expires, or becomes valid.
    package var date: WallTime?
    /// The common name of a certificate.
    package var subject: String?
    package var contentType: ForeignContentType?
    /// The target of a redirect.
    package var target: String?
    /// Whether the redirect keeps the path.
    package var isSamePath: Bool?
    /// A key of the configuration or of the profile.
    package var key: String?
    /// Another credential.
    package var other: String?
    /// The group or user that a file should have.
    package var account: String?
    /// The directory of a file.
    package var folder: String?
    /// How long the provider asks to wait.
    package var wait: Duration?
    /// Text of this program.
    package var detail: String?
    /// Text of this program: what to configure instead.
    package var advice: String?

    package init(
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
    /// Sets the host and the scheme of the request.
    ///
    /// - Parameter url: Its URL, or the beginning of it.
    package mutating func set(origin url: String) {
        let authority = EndpointURL.authority(of: url)
        host = authority.isEmpty ? nil : String(authority)
        isPlain = url.hasBytePrefix("http://")
    }
}

/// A response's Content-Type that is not one of a token endpoint. A closed list: the header itself
/// is text from a peer.
package enum ForeignContentType: String, Sendable, CaseIterable {
    case html = "text/html"
    case xhtml = "application/xhtml+xml"
    case plain = "text/plain"
    case xml = "text/xml"
    case applicationXML = "application/xml"
    case javascript = "text/javascript"
    case bytes = "application/octet-stream"
    case other

    /// - Returns: `nil` for a type that a token endpoint may send (RFC 6749 section 5.1, forms),
    ///   and without the header.
    package init?(header: String?) {
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

    package var isPage: Bool { self == .html || self == .xhtml }
}
