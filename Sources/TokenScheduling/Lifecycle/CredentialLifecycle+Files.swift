internal import TokenFormats
internal import TokenProviders
internal import TokenSlots

/// A published file that another program deleted or changed.
package struct AlteredOutput: Sendable, Equatable {
    /// Whose output it is.
    package var credential: String
    /// As configured.
    package var path: String
    /// The file is missing; otherwise another file or content is there.
    package var isMissing: Bool

    /// - Parameters:
    ///   - credential: The name of the credential.
    ///   - path: The path of the file.
    ///   - isMissing: The file is gone, rather than changed.
    package init(credential: String, path: String, isMissing: Bool) {
        (self.credential, self.path, self.isMissing) = (credential, path, isMissing)
    }

    var problem: String {
        isMissing ? "\(path) was deleted" : "\(path) was changed by another program"
    }
}

// Deleted or changed token files are written again. Until then the credential has an output
// problem: their readers have no token, or a wrong one.
extension CredentialLifecycle {
    /// How many files the message names; it counts the rest.
    private static let mostNamed = 3

    /// Acts only while the published token is valid and no write is pending.
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

    /// Whether the first try to write new or altered files has not finished.
    package var isWritingOutputs: Bool {
        if case .publishing = job { return true }
        return publishDueAt != nil && publishFailures == 0
    }

    /// Why not every file has the token; `nil` when all do.
    package var outputProblem: String? { lastOutputProblem?.problem }
}
