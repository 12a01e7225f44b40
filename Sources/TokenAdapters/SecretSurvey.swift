internal import Glibc
public import TokenCore
internal import TokenEngine

/// Looks at the secrets of a configuration as the daemon would read them. What only the service has
/// is passed over: systemd's credentials, its environment; and no program is run.
public struct SecretSurvey: Sendable {
    private let base: String

    /// - Parameter base: The directory of the configuration file; relative paths start there.
    public init(base: String) { self.base = base }

    /// What could not be read or used, and what the daemon will drop around a secret. No secret is
    /// in it.
    public func warnings(of credentials: [CredentialConfiguration]) -> [String] {
        let resolver = SecretResolver(base: base)
        return LoopExecutor.run {
            var warnings: [String] = []
            for credential in credentials {
                for value in credential.secrets where Self.isHere(value.source.place) {
                    let problem: String?
                    do throws(SecretFailure) {
                        let text = try await resolver.read(value.source, as: value.shape)
                        problem = text.trimming.map {
                            "\(value.source.placeName): \($0) is dropped"
                        }
                    } catch { problem = error.problem }
                    if let problem {
                        warnings.append("\(credential.name): \(value.key): \(problem)")
                    }
                }
            }
            return warnings
        }
    }

    private static func isHere(_ place: SecretSource) -> Bool {
        switch place {
        case .file: true
        case .environment(let name): getenv(name) != nil
        case .credential: getenv("CREDENTIALS_DIRECTORY") != nil
        case .inline, .command, .exact: false
        }
    }
}
