/// The whole configuration, valid: nothing in it needs checking again.
public struct Configuration: Sendable, Equatable {
    public var tokenDirectory: String?
    public var stateDirectory: String?
    public var controlSocket: String?
    /// Where service managers get tokens; it is there while some credential names a unit.
    public var credentialSocket: String?
    public var control = ControlPolicy()
    /// `HOST:PORT` of the loopback listener for `/metrics` and `/healthz`.
    public var metricsListen: String?
    public var readyTimeout: Duration = .seconds(60)
    public var maxInFlight = 64
    /// Bytes of one slot file.
    public var slotSize = 64 * 1024
    public var allowUnsafeState = false
    /// PEM bundle that replaces the system's certificate store.
    public var caFile: String?
    public var proxy = ProxyRoute()
    public var logLevel: LogLevel?
    /// In name order.
    public var credentials: [CredentialConfiguration] = []
    /// What was found wrong with providers that no credential uses.
    public var providerFindings: [CheckFinding] = []

    public init() {}
}

/// Who besides root and the daemon's own user may read tokens and change things.
public struct ControlPolicy: Sendable, Equatable {
    public enum Peer: Sendable, Equatable {
        case user(String)
        case group(String)
    }
    public var allow: [Peer] = []
    public var mode: UInt32 = 0o660
    public var group: String?

    public init() {}
}

/// Severity, by the names and numbers of syslog(3).
public enum LogLevel: Int, Sendable, Comparable, CaseIterable {
    case error = 3
    case warning = 4
    case notice = 5
    case info = 6
    case debug = 7

    public static func < (left: LogLevel, right: LogLevel) -> Bool {
        left.rawValue < right.rawValue
    }
    public var name: String {
        switch self {
        case .error: "error"
        case .warning: "warning"
        case .notice: "notice"
        case .info: "info"
        case .debug: "debug"
        }
    }
}

/// Where a secret comes from. It is read again at every use.
public indirect enum SecretSource: Sendable, Hashable {
    case inline(Secret)
    case file(String)
    /// A file in `$CREDENTIALS_DIRECTORY` (systemd.exec(5), `LoadCredential=`).
    case credential(String)
    case environment(String)
    /// Standard output of a program, run without a shell.
    case command([String])
    /// All that another place says, white space too (`"trim": false`).
    case exact(SecretSource)

    /// The place, however its text is read.
    public var place: SecretSource {
        if case .exact(let source) = self { source.place } else { self }
    }
}

/// A variable's value as configured: a literal that keeps its JSON type, or a secret.
public enum VariableSource: Sendable, Equatable {
    case literal(JSONNode)
    case secret(SecretSource)
}

/// One configured credential.
public struct CredentialConfiguration: Sendable, Equatable {
    public var name: String
    public var profile: ProviderProfile
    public var clientID: SecretSource?
    public var clientSecret: SecretSource?
    /// The seed: adopted once, never preferred to what the daemon obtained later.
    public var refreshToken: SecretSource?
    public var scope: String?
    public var variables: [String: VariableSource]
    public var refresh: RefreshPolicy
    public var outputs: [OutputSpecification]
    /// Units that get the token with `LoadCredential=`.
    public var units: [UnitGrant]
    public var hooks: [HookSpecification]
    public var caFile: String?
    public var proxy = ProxyRoute()
}

/// When and how patiently to refresh (contract section 2, `refresh`).
public struct RefreshPolicy: Sendable, Equatable {
    /// Fraction of the lifetime after which to refresh.
    public var at = 0.67
    /// Never less than this before expiry while the lifetime allows it.
    public var margin: Duration = .seconds(60)
    /// Up to this fraction of the lifetime earlier.
    public var jitter = 0.05
    /// For the whole exchange.
    public var timeout: Duration = .seconds(30)
    public var connectTimeout: Duration = .seconds(5)
    public var retryInitial: Duration = .seconds(1)
    public var retryMaximum: Duration = .seconds(300)
    /// Floor between two successful refreshes.
    public var minInterval: Duration = .seconds(10)

    public init() {}
}

/// One file that other programs read.
public struct OutputSpecification: Sendable, Equatable {
    public enum Format: Sendable, Equatable {
        case raw, json, header, env, curl
        case template(Template)
    }
    /// Relative to the token directory unless it starts with `/`.
    public var path: String
    public var format: Format
    public var owner: String?
    public var group: String?
    public var mode: UInt32 = 0o640
    public var removeOnExpiry = false
    /// Written over in its place, instead of replaced by a new file: for a reader who has the file
    /// itself, such as a container into which it is mounted.
    public var isWrittenInPlace = false

    public init(path: String, format: Format) { (self.path, self.format) = (path, format) }

    public var isAbsolute: Bool { path.hasPrefix("/") }
}

/// A program to run after a new token is published.
public struct HookSpecification: Sendable, Equatable {
    public var arguments: [String]
    public var timeout: Duration = .seconds(10)
}
