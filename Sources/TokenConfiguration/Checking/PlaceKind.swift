package import TokenFormats

/// The kind of a path that a configuration names.
package enum PlaceKind: Sendable, Hashable {
    /// Text, read at every use.
    case secret(SecretText.Shape, isExact: Bool)
    /// A secret that is a key or a certificate.
    case secretPEM(PEMText.Kind)
    /// A variable of the daemon's environment.
    case variable(String)
    case program
    /// Certificates of authorities.
    case authorities
    case certificate
    case privateKey
    case output
    case configuration

    /// The command or action that creates it.
    func creation(of file: String, for user: CheckedUser) -> String {
        switch self {
        case .secret, .secretPEM, .certificate, .privateKey:
            "create it: " + user.creating(file)
        case .program: "install it, or correct the path"
        case .authorities: "put the certificates there (PEM), or correct the path"
        case .variable, .output, .configuration: "correct the path"
        }
    }

    /// What is wrong with the contents of such a file; `nil` if they are valid.
    ///
    /// - Parameter bytes: The whole file.
    package func fault(of bytes: [UInt8]) -> CheckCause? {
        switch self {
        case .secret(let shape, let isExact): Self.fault(of: bytes, shape, isExact: isExact)
        case .secretPEM(let kind):
            Self.fault(of: bytes, .lines, isExact: true) ?? PEMText.fault(of: bytes, as: kind)
        case .authorities, .certificate: PEMText.fault(of: bytes, as: .certificate)
        case .privateKey: PEMText.fault(of: bytes, as: .privateKey)
        case .variable, .program, .output, .configuration: nil
        }
    }

    private static func fault(
        of bytes: [UInt8], _ shape: SecretText.Shape, isExact: Bool
    ) -> CheckCause? {
        do throws(RequestError) {
            let text = try SecretText(bytes, shape: shape, isExact: isExact)
            return text.trimming.map(CheckCause.trimmed)
        } catch { return .unusable(error.text) }
    }

    /// Maximum bytes that are read of a file of this kind.
    package var longest: Int {
        switch self {
        case .secret, .secretPEM, .variable: 64 * 1024
        case .authorities, .certificate, .privateKey, .configuration: 4 << 20
        case .program, .output: 0
        }
    }
}

/// A path, and the setting that names it.
package struct CheckedPlace: Sendable, Hashable {
    package var credential: String?
    package var key: String
    /// Absolute; a program may be a bare name, and a variable has no path.
    package var path: String
    package var kind: PlaceKind

    package init(credential: String?, key: String, path: String, kind: PlaceKind) {
        (self.credential, self.key, self.path, self.kind) = (credential, key, path, kind)
    }

    package func finding(_ cause: CheckCause) -> CheckFinding {
        var file: String? = path
        if case .variable = kind { file = nil }
        return CheckFinding(credential: credential, key: key, file: file, cause: cause)
    }
}
