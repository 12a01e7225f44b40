internal import TokenFormats

/// A systemd unit's request by `LoadCredential=ID:SOCKET`.
package struct UnitCredential: Sendable, Hashable {
    /// The requesting unit's whole name, such as `backup.service` or `report@july.service`.
    package var unit: String
    /// The name before the colon in its `LoadCredential=`.
    package var id: String

    /// The request of this unit for this ID.
    package init(unit: String, id: String) { (self.unit, self.id) = (unit, id) }

    /// Reads the address that the service manager binds before it connects: a zero byte, a random
    /// number in hexadecimal, `/unit/UNIT/ID` (systemd.exec(5), `LoadCredential=`).
    ///
    /// - Parameter address: `sun_path`, with the length that getpeername(2) returns.
    /// - Returns: `nil` for every other address: any process may connect.
    package init?(address: [UInt8]) {
        guard address.count <= Self.maximumAddress, address.first == 0,
            address.allSatisfy({ $0 < 0x80 })
        else { return nil }
        let parts = address.dropFirst().split(separator: 0x2F, omittingEmptySubsequences: false)
        guard parts.count == 4, (1...16).contains(parts[0].count),
            parts[0].allSatisfy({ isDigit($0) || (0x61...0x66).contains($0) }),
            parts[1].elementsEqual("unit".utf8)
        else { return nil }
        let unit = String(decoding: parts[2], as: UTF8.self)
        let id = String(decoding: parts[3], as: UTF8.self)
        guard UnitPattern(unit)?.isAnyInstance == false, Self.isID(id) else { return nil }
        self.init(unit: unit, id: id)
    }

    /// Bytes of `sun_path` (unix(7)).
    static let maximumAddress = 108
    /// Bytes that the longest address leaves for a unit's name and an id: the others are the zero
    /// byte, sixteen digits, `/unit/` and a slash.
    static let maximumNames = maximumAddress - 1 - 16 - 6 - 1

    /// Whether systemd accepts the text as a credential name: a file name of printable ASCII
    /// without a colon.
    static func isID(_ text: String) -> Bool {
        guard (1...maximumNames).contains(text.utf8.count), text != ".", text != ".." else {
            return false
        }
        return text.utf8.allSatisfy {
            (0x20...0x7E).contains($0) && $0 != 0x2F && $0 != 0x3A
        }
    }
}

/// A unit's name, or all instances of a template: `report@*.service`.
package struct UnitPattern: Sendable, Hashable {
    /// As the configuration spells it.
    package let text: String
    /// Whether it matches all instances of a template.
    package let isAnyInstance: Bool
    private let prefix: String
    private let suffix: String

    /// Unit types that run programs and so can have credentials.
    static let types = ["service", "socket", "mount", "swap"]

    /// - Returns: `nil` for a name that no unit can have (systemd.unit(5)), and for the bare name
    ///   of a template, which is never started.
    package init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count <= 255, let dot = bytes.lastIndex(of: 0x2E),
            Self.types.contains(String(decoding: bytes[(dot + 1)...], as: UTF8.self))
        else { return nil }
        let name = bytes[..<dot]
        let at = name.firstIndex(of: 0x40)
        let instance = at.map { name[($0 + 1)...] }
        guard !name[..<(at ?? dot)].isEmpty, instance?.isEmpty != true else { return nil }
        isAnyInstance = instance?.elementsEqual([0x2A]) == true
        let checked = isAnyInstance ? name.dropLast() : name
        guard checked.allSatisfy(Self.isNameByte) else { return nil }
        self.text = text
        prefix = String(decoding: checked, as: UTF8.self)
        suffix = String(decoding: bytes[dot...], as: UTF8.self)
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        isDigit(byte) || (0x61...0x7A).contains(byte | 0x20) || ":-_.\\@".utf8.contains(byte)
    }

    /// - Parameter unit: A whole, valid name.
    package func matches(_ unit: String) -> Bool {
        guard isAnyInstance else { return unit == text }
        return unit.hasPrefix(prefix) && unit.hasSuffix(suffix)
            && unit.utf8.count > prefix.utf8.count + suffix.utf8.count
    }

    /// Whether a unit exists that both patterns match.
    func overlaps(_ other: UnitPattern) -> Bool {
        text == other.text || matches(other.text) || other.matches(text)
    }
}

/// A unit that may have a credential's access token through the credential socket.
package struct UnitGrant: Sendable, Equatable {
    /// The units that it covers.
    package var unit: UnitPattern
    /// The name before the colon in the unit's `LoadCredential=`.
    package var id: String
    /// The contents of the unit's credential.
    package var format: OutputSpecification.Format = .raw
    /// A token with less remaining life is renewed first.
    package var minimumLife: Duration = .seconds(60)
    /// How long the unit's start waits for a token.
    package var timeout: Duration = .seconds(30)

    /// The raw token, with the default times.
    package init(unit: UnitPattern, id: String) { (self.unit, self.id) = (unit, id) }

    /// Whether this unit may fetch it under this ID.
    package func allows(_ wanted: UnitCredential) -> Bool {
        id == wanted.id && unit.matches(wanted.unit)
    }
}

/// What each unit may fetch, by the configuration in force.
package struct UnitPolicy: Sendable, Equatable {
    /// One grant of one credential.
    package struct Entry: Sendable, Equatable {
        /// The credential of the token.
        package var credential: String
        /// The grant to the unit.
        package var grant: UnitGrant
    }
    /// Of all credentials, in name order.
    package let entries: [Entry]

    /// Without credentials: no unit may fetch a token.
    package init(_ credentials: [CredentialConfiguration] = []) {
        entries = credentials.flatMap { credential in
            credential.units.map { Entry(credential: credential.name, grant: $0) }
        }
    }

    /// The entry for this request; the configuration check guarantees at most one.
    package func entry(for wanted: UnitCredential) -> Entry? {
        entries.first { $0.grant.allows(wanted) }
    }
}
