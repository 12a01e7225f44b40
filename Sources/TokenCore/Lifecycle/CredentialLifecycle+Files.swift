/// A file that was published and is not any more as it was left.
public struct AlteredOutput: Sendable, Equatable {
    /// Whose output it is.
    public var credential: String
    /// As configured.
    public var path: String
    /// Nothing stands there; otherwise something else does.
    public var isMissing: Bool

    /// - Parameter isMissing: The file is gone, rather than changed.
    public init(credential: String, path: String, isMissing: Bool) {
        (self.credential, self.path, self.isMissing) = (credential, path, isMissing)
    }

    var problem: String {
        isMissing ? "\(path) was deleted" : "\(path) was changed by another program"
    }
}

// Token files that others deleted or changed are written again, and until then the credential has
// an output problem: who reads them has no token, or a wrong one.
extension CredentialLifecycle {
    /// How many are named; the rest is counted.
    private static let mostNamed = 3

    /// The token that was published is still good for something, and no write is on its way.
    mutating func outputsAltered(
        _ altered: [AlteredOutput], now: Moment
    ) -> [LifecycleAction] {
        if case .publishing = job { return [] }
        guard isServed(now: now.uptime), publishDueAt == nil, lastOutputProblem == nil,
            grant.access != nil, !altered.isEmpty
        else { return [] }
        var problems = altered.prefix(Self.mostNamed).map(\.problem)
        if altered.count > Self.mostNamed {
            problems.append("so were \(altered.count - Self.mostNamed) more")
        }
        let problem = problems.joined(separator: "; ")
        publishDueAt = now.uptime
        lastOutputProblem = StoredError(
            .output, Cause(.outputAltered, CauseFacts(detail: problem)), at: now.wall)
        return [.report(.outputAltered(problem: problem))]
    }

    /// The first try to write files that are new, or were altered, has not ended.
    public var isWritingOutputs: Bool {
        if case .publishing = job { return true }
        return publishDueAt != nil && publishFailures == 0
    }

    /// Why not every file holds the token; `nil` where all do.
    public var outputProblem: String? { lastOutputProblem?.problem }
}
