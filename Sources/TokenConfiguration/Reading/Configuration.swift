package import TokenFormats
package import TokenProviders

/// The whole configuration, validated: nothing in it needs checking again.
package struct Configuration: Sendable, Equatable {
    /// Where token files are written (`token_dir`); `nil` leaves it to the command line or systemd.
    package var tokenDirectory: String?
    /// Where slots are kept (`state_dir`); likewise.
    package var stateDirectory: String?
    /// Path of the control socket; `nil` is `control.sock` in the runtime directory.
    package var controlSocket: String?
    /// Where service managers fetch tokens; the socket exists while some credential names a unit.
    package var credentialSocket: String?
    /// Who may use the control socket.
    package var control = ControlPolicy()
    /// `HOST:PORT` of the loopback listener for `/metrics` and `/healthz`.
    package var metricsListen: String?
    /// `READY=1` is sent after this time even if a credential is not settled.
    package var readyTimeout: Duration = .seconds(60)
    /// Maximum concurrent attempts, 1 to 1024.
    package var maxInFlight = 64
    /// Bytes of one slot file.
    package var slotSize = 64 * 1024
    /// Whether the state may lie on a file system that may lose a flush, such as NFS.
    package var allowUnsafeState = false
    /// PEM bundle that replaces the system's certificate store.
    package var caFile: String?
    /// The proxy for all requests, and the hosts without one.
    package var proxy = ProxyRoute()
    /// The least severe level that is written; `nil` leaves it to the command line.
    package var logLevel: LogLevel?
    /// Sorted by name.
    package var credentials: [CredentialConfiguration] = []
    /// Problems of providers that no credential uses.
    package var providerFindings: [CheckFinding] = []

    /// A configuration without credentials, with every default.
    package init() {}
}

/// Who besides root and the daemon's own user may read tokens and change things.
package struct ControlPolicy: Sendable, Equatable {
    /// A user or a group, by name or number.
    package enum Peer: Sendable, Equatable {
        case user(String)
        case group(String)
    }
    /// Callers that may read tokens and change things.
    package var allow: [Peer] = []
    /// Permission bits of the socket.
    package var mode: UInt32 = 0o660
    /// Group of the socket, whose members may read status and metrics; `nil` keeps the daemon's.
    package var group: String?

    /// Root and the daemon's user alone.
    package init() {}
}

/// Severity, by the names and numbers of syslog(3).
package enum LogLevel: Int, Sendable, Comparable, CaseIterable {
    case error = 3
    case warning = 4
    case notice = 5
    case info = 6
    case debug = 7

    /// A more severe level is less than a less severe one.
    package static func < (left: LogLevel, right: LogLevel) -> Bool {
        left.rawValue < right.rawValue
    }
    /// The word in the configuration.
    package var name: String {
        switch self {
        case .error: "error"
        case .warning: "warning"
        case .notice: "notice"
        case .info: "info"
        case .debug: "debug"
        }
    }
}

/// A variable's value as configured: a literal that keeps its JSON type, or a secret.
package enum VariableSource: Sendable, Equatable {
    case literal(JSONNode)
    case secret(SecretSource)
}

/// One configured credential.
package struct CredentialConfiguration: Sendable, Equatable {
    /// The key under `credentials`.
    package var name: String
    /// With all bases and overrides merged.
    package var profile: ProviderProfile
    /// `client_id`, as registered at the provider.
    package var clientID: SecretSource?
    /// `client_secret`, likewise; `nil` for a public client.
    package var clientSecret: SecretSource?
    /// The initial refresh token: adopted once, never preferred to a token that the daemon
    /// obtained.
    package var refreshToken: SecretSource?
    /// The scope to ask for, as the provider writes it.
    package var scope: String?
    /// Values of the profile's variables, by name.
    package var variables: [String: VariableSource]
    /// When and how patiently to refresh.
    package var refresh: RefreshPolicy
    /// The files to write.
    package var outputs: [OutputSpecification]
    /// Units that get the token with `LoadCredential=`.
    package var units: [UnitGrant]
    /// Programs of `on_change`, in order.
    package var hooks: [HookSpecification]
    /// PEM bundle that replaces the system's certificate store for its requests.
    package var caFile: String?
    /// The proxy for its requests, and the hosts without one.
    package var proxy = ProxyRoute()
}

/// When and how patiently to refresh: `refresh` of the configuration (Contract 2.6).
package struct RefreshPolicy: Sendable, Equatable {
    /// Fraction of the lifetime after which the token is refreshed.
    package var at = 0.67
    /// At least this long before expiry, while the lifetime allows it.
    package var margin: Duration = .seconds(60)
    /// Random part: up to this fraction of the lifetime earlier.
    package var jitter = 0.05
    /// Limit for the whole exchange.
    package var timeout: Duration = .seconds(30)
    /// Includes TLS.
    package var connectTimeout: Duration = .seconds(5)
    /// Upper bound of the first pause after a failure.
    package var retryInitial: Duration = .seconds(1)
    /// Upper bound of the doubling pauses.
    package var retryMaximum: Duration = .seconds(300)
    /// Minimum interval between two successful refreshes.
    package var minInterval: Duration = .seconds(10)

    /// The defaults of evertoken.json(5), REFRESH.
    package init() {}
}

/// One file that other programs read.
package struct OutputSpecification: Sendable, Equatable {
    /// The format of a token file; see evertoken.json(5), OUTPUTS.
    package enum Format: Sendable, Equatable {
        case raw, json, header, env, curl
        case template(Template)

        /// The formats that need nothing but their name, as the configuration spells them.
        static let named: [(name: String, format: Format)] = [
            ("raw", .raw), ("json", .json), ("header", .header), ("env", .env), ("curl", .curl),
        ]
    }
    /// Relative to the token directory unless it starts with `/`.
    package var path: String
    /// The format of the file.
    package var format: Format
    /// The file's owner, by name or number; `nil` is the daemon's user.
    package var owner: String?
    /// The file's group, likewise.
    package var group: String?
    /// The file's permission bits.
    package var mode: UInt32 = 0o640
    /// Whether the file is deleted when its token has ended.
    package var removeOnExpiry = false
    /// Overwritten in place instead of replaced by a new file: for a reader that holds the file
    /// itself, such as a container with a bind mount of it.
    package var isWrittenInPlace = false

    /// An output with mode 0640 that stays when its token has ended.
    package init(path: String, format: Format) { (self.path, self.format) = (path, format) }

    /// Whether ``path`` is absolute.
    package var isAbsolute: Bool { path.hasPrefix("/") }
}

/// A program to run after a new token is published.
package struct HookSpecification: Sendable, Equatable {
    /// The program's path and its arguments; no shell reads them.
    package var arguments: [String]
    /// After this time the program and its process group are killed.
    package var timeout: Duration = .seconds(10)
}
