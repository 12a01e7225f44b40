internal import TokenControl
internal import TokenFormats

/// Asks a daemon for its status page by page: at 100 000 credentials the whole document has 60 MB.
/// A daemon of an earlier version ignores the limits and sends all at once.
struct StatusPages {
    /// One request for a status; throws when there is no response.
    typealias Ask = (StatusQuery) throws(ControlClient.Unanswered) -> ControlReply

    let ask: Ask
    let selection: StatusSelection

    /// All selected credentials; of a refusal, the refusal.
    func all() throws(ControlClient.Unanswered) -> ControlReply {
        let limit = StatusQuery.limits.upperBound
        return try rest(of: try ask(StatusQuery(state: onlyState, limit: limit)))
    }

    /// A credential that changes its state meanwhile could be missed in all of several states, so
    /// the daemon chooses only where one is wanted.
    private var onlyState: CredentialState? {
        guard selection.patterns.isEmpty, selection.words.count == 1 else { return nil }
        return selection.states?.first
    }

    /// The pages after this one, joined with it.
    private func rest(of first: ControlReply) throws(ControlClient.Unanswered) -> ControlReply {
        guard case .status(var report) = first.content else { return first }
        while let name = report.next {
            let limit = StatusQuery.limits.upperBound
            let reply = try ask(StatusQuery(state: onlyState, limit: limit, after: name))
            guard case .status(let page) = reply.content else { return reply }
            report.credentials += page.credentials
            // A daemon that does not advance would be asked for ever.
            report.next = page.next.flatMap { $0 > name ? $0 : nil }
        }
        report.counts = nil
        return ControlReply(first.status, .status(report))
    }

    /// The most severe of the selected credentials, state by state.
    ///
    /// - Parameter most: How many, where there are more than one page.
    /// - Returns: With ``StatusReport/counts`` if there are more than a page of credentials.
    func worst(_ most: Int) throws(ControlClient.Unanswered) -> ControlReply {
        let first = try ask(StatusQuery(limit: StatusQuery.limits.upperBound))
        guard case .status(var report) = first.content, report.next != nil else {
            return try rest(of: first)
        }
        // Only this program knows patterns and conditions.
        guard let states = selection.states else { return try rest(of: first) }
        (report.credentials, report.next) = ([], nil)
        var names: Set<String> = []
        for state in CredentialState.worstFirst where states.isEmpty || states.contains(state) {
            let left = min(most - report.credentials.count, StatusQuery.limits.upperBound)
            guard left > 0 else { break }
            guard report.counts?[state.rawValue] != 0 else { continue }
            let reply = try ask(StatusQuery(state: state, limit: left))
            guard case .status(let page) = reply.content else { return reply }
            // Its state may have changed since the last page.
            report.credentials += page.credentials.filter { names.insert($0.name).inserted }
        }
        if !states.isEmpty {
            report.counts = report.counts?.filter { word, _ in
                states.contains { $0.rawValue == word }
            }
        }
        return ControlReply(first.status, .status(report))
    }
}

extension CredentialState {
    /// As ``CredentialStatus/severity`` orders them.
    static let worstFirst: [CredentialState] = [
        .loginRequired, .quarantined, .misconfigured, .expired, .pending, .retrying, .refreshing,
        .fresh,
    ]
}

extension StatusSelection {
    /// The states that select the same as the words do; empty for all. `nil` where patterns or
    /// conditions select: `refreshing` is a condition of expired credentials too.
    fileprivate var states: [CredentialState]? {
        guard patterns.isEmpty else { return nil }
        let states = words.compactMap { CredentialState(rawValue: $0) }
        return states.count == words.count && !states.contains(.refreshing) ? states : nil
    }
}
