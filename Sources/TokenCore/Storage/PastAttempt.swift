/// One attempt that has ended, as `evertoken status NAME` tells it later. Kept beside the tokens,
/// so that a restart does not forget how it came to this. No server's raw text, no secret.
public struct PastAttempt: Sendable, Equatable {
    public enum Kind: String, Sendable, CaseIterable {
        case refresh
        /// Started over without the refresh token.
        case acquire
        /// A person signed in.
        case signIn = "sign_in"
        /// A person brought tokens.
        case imported = "import"

        init(_ kind: ExchangeKind) {
            switch kind {
            case .refresh: self = .refresh
            case .acquire: self = .acquire
            case .authorizationCode, .deviceCode: self = .signIn
            }
        }
    }

    /// How many are kept of each credential.
    public static let maximumCount = 20
    static let maximumProblem = 200

    public var kind: Kind
    public var at: WallTime
    /// From the request to the last byte of the answer; `nil` where there was none.
    public var took: Duration?
    /// `nil` after a success.
    public var failureClass: FailureClass?
    public var httpStatus: Int?
    public var problem: String?

    public init(_ kind: Kind, at: WallTime, took: Duration? = nil) {
        (self.kind, self.at, self.took) = (kind, at, took)
    }

    init(_ kind: Kind, failedWith error: StoredError, took: Duration?) {
        self.init(kind, at: error.at, took: took)
        (failureClass, httpStatus) = (error.failureClass, error.httpStatus)
        problem = String(error.problem.prefix(Self.maximumProblem))
    }

    /// As `status --json` has it.
    public var json: JSONNode {
        .object([
            ("at", .integer(at.epochSeconds)), ("kind", .string(kind.rawValue)),
            ("result", .string(failureClass == nil ? "success" : "failure")),
            ("class", failureClass.map { .string($0.rawValue) }),
            ("http_status", httpStatus.map { .integer(Int64($0)) }),
            ("problem", problem.map { .string($0) }),
            ("milliseconds", took.map { .integer($0.nanoseconds / 1_000_000) }),
        ])
    }

    public init?(json node: JSONNode) {
        guard let kind = node["kind"]?.text.flatMap(Kind.init(rawValue:)),
            let at = node["at"]?.integer
        else { return nil }
        self.init(
            kind, at: WallTime(epochSeconds: at),
            took: node["milliseconds"]?.integer.map { .milliseconds($0) })
        failureClass = node["class"]?.text.flatMap(FailureClass.init(rawValue:))
        httpStatus = node["http_status"]?.integer.map { Int(clamping: $0) }
        problem = node["problem"]?.text
        if failureClass == nil, node["result"]?.text != "success" { return nil }
    }
}

// In a slot, where room is short and each write costs: `[at, kind, milliseconds]`, and of a failure
// `class, HTTP status, problem` behind it. `true` for a problem is that of the entry before.
extension PastAttempt {
    static func slotJSON(_ attempts: [PastAttempt]) -> JSONNode {
        var before: String?
        return .array(
            attempts.map { attempt in
                var parts: [JSONNode] = [
                    .integer(attempt.at.epochSeconds), .string(attempt.kind.rawValue),
                    attempt.took.map { .integer($0.nanoseconds / 1_000_000) } ?? nil,
                ]
                if let failureClass = attempt.failureClass {
                    let isSame = attempt.problem != nil && attempt.problem == before
                    before = attempt.problem
                    parts += [
                        .string(failureClass.rawValue),
                        attempt.httpStatus.map { .integer(Int64($0)) } ?? nil,
                        isSame ? true : attempt.problem.map { .string($0) } ?? nil,
                    ]
                }
                return .array(parts)
            })
    }

    static func read(slotJSON node: JSONNode?) -> [PastAttempt] {
        var before: String?
        return (node?.elements ?? []).compactMap { entry in
            guard let parts = entry.elements, parts.count >= 3, let at = parts[0].integer,
                let kind = parts[1].text.flatMap(Kind.init(rawValue:))
            else { return nil }
            var attempt = PastAttempt(
                kind, at: WallTime(epochSeconds: at),
                took: parts[2].integer.map { .milliseconds($0) })
            guard parts.count >= 6 else { return attempt }
            guard let failureClass = parts[3].text.flatMap(FailureClass.init(rawValue:)) else {
                return nil
            }
            attempt.failureClass = failureClass
            attempt.httpStatus = parts[4].integer.map { Int(clamping: $0) }
            attempt.problem = parts[5].flag == true ? before : parts[5].text
            before = attempt.problem
            return attempt
        }
    }
}

extension StoredGrant {
    mutating func note(_ attempt: PastAttempt) {
        recent = (recent + [attempt]).suffix(PastAttempt.maximumCount)
    }
}
