internal import TokenFormats

/// Keys and certificates as text (RFC 7468).
package enum PEMText {
    package enum Kind: Sendable, Hashable {
        case certificate, privateKey

        fileprivate var name: String { self == .certificate ? "certificate" : "private key" }
    }

    package enum Fault: Sendable, Hashable {
        case empty
        /// The binary form (DER), or a container such as PKCS #12.
        case binary
        /// A block without an end: the file is truncated.
        case cut
        case encrypted
        /// No block of this kind.
        case absent
    }

    /// What is wrong with the contents of a PEM file; `nil` if it has a complete block of the kind.
    package static func fault(of bytes: [UInt8], as kind: Kind) -> CheckCause? {
        found(bytes, kind).map { .notPEM(kind, $0) }
    }

    private static func found(_ bytes: [UInt8], _ kind: Kind) -> Fault? {
        let text = String(decoding: bytes, as: UTF8.self)
        // Signing keys may also be JWKs.
        let start = text.drop(while: \.isWhitespace)
        if start.isEmpty { return .empty }
        if kind == .privateKey, start.hasPrefix("{") { return nil }
        let label = kind == .certificate ? "CERTIFICATE-----" : "PRIVATE KEY-----"
        guard let begin = blocks(text, "-----BEGIN ").first(where: { $0.hasSuffix(label) }) else {
            return bytes.first == 0x30 && bytes.contains { $0 < 0x09 || $0 > 0x7E }
                ? .binary : .absent
        }
        if kind == .privateKey,
            begin.containsBytes(of: "ENCRYPTED") || text.containsBytes(of: "Proc-Type: 4,ENCRYPTED")
        {
            return .encrypted
        }
        return blocks(text, "-----END ").contains(begin) ? nil : .cut
    }

    /// The labels of blocks, with the dashes that follow.
    private static func blocks(_ text: String, _ opening: String) -> [String] {
        text.ranges(of: opening).compactMap { range in
            let rest = text[range.upperBound...]
            return rest.firstRange(of: "-----").map { String(rest[..<$0.upperBound]) }
        }
    }
}

extension PEMText.Fault {
    func problem(_ kind: PEMText.Kind) -> String {
        switch self {
        case .empty: "is empty"
        case .binary, .absent: "holds no \(kind.name) in PEM"
        case .cut: "ends within a \(kind.name)"
        case .encrypted: "holds an encrypted key, and there is no place for its passphrase"
        }
    }

    /// - Parameter file: Quoted for a shell.
    func remedy(_ kind: PEMText.Kind, _ file: String) -> String {
        switch self {
        case .binary where kind == .certificate:
            "convert it: openssl x509 -inform der -in \(file) -out PEM"
        case .binary: "convert it: openssl pkey -inform der -in \(file) -out PEM"
        case .encrypted: "write it as plain PEM: openssl pkey -in \(file) -out PLAIN"
        case .empty, .cut, .absent:
            kind == .certificate
                ? "put the certificate there, from -----BEGIN CERTIFICATE----- on"
                : "put the key there, from -----BEGIN PRIVATE KEY----- on"
        }
    }
}
