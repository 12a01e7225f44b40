/// The requests of the last while, against what a provider allows (`rate_limit`), and who waits.
///
/// Counted from when each was sent: never more than the limit in any period. Whoever is held back
/// has a time of its own, in the order of asking: nobody starves.
struct RateWindow: Sendable {
    private(set) var limit: RateLimit
    /// In order of time.
    private var sent: [Uptime] = []
    /// Who may ask when, in order of time.
    private var reserved: [(index: Int, at: Uptime)] = []

    init(_ limit: RateLimit) { self.limit = limit }

    /// A reload may change the limit; what was sent counts all the same.
    mutating func apply(_ new: RateLimit) {
        if limit != new { (limit, reserved) = (new, []) }
    }

    /// When this one may ask: now or earlier if there is room, else the time that is kept for it.
    mutating func freeAt(_ now: Uptime, for index: Int) -> Uptime {
        sent.removeAll { $0.advanced(by: limit.period) <= now }
        if let own = reserved.first(where: { $0.index == index }) {
            // An exchange of several steps may have taken more than the one place kept for it.
            if now < own.at || sent.count < limit.count { return own.at }
            release(index)
        }
        let times = sent + reserved.map(\.at)
        guard times.count >= limit.count else { return now }
        let free = max(now, times[times.count - limit.count].advanced(by: limit.period))
        reserved.append((index, free))
        return free
    }

    /// Whether a request may go now without taking a place that is kept for another.
    mutating func hasPlace(_ now: Uptime) -> Bool {
        sent.removeAll { $0.advanced(by: limit.period) <= now }
        return sent.count + reserved.count < limit.count
    }

    /// Counts one request of none of those who wait.
    mutating func take(_ now: Uptime) { sent.append(now) }

    /// - Parameter requests: How many one exchange makes.
    mutating func note(_ now: Uptime, by index: Int, requests: Int) {
        release(index)
        // What an earlier life sent may lie before; times stay in order.
        let position = sent.firstIndex { now < $0 } ?? sent.count
        sent.insert(contentsOf: Array(repeating: now, count: requests), at: position)
    }

    /// It does not want to ask any more.
    mutating func release(_ index: Int) { reserved.removeAll { $0.index == index } }
}

extension CredentialConfiguration {
    /// Which requests count together; `nil` without a limit.
    ///
    /// `client`: those of one provider and one client id. `account`: all of one provider, for
    /// nothing here tells one account from another. `refresh_token`: the credential's own.
    var rateLimitGroup: String? {
        guard profile.lifecycle.rateLimit != nil else { return nil }
        switch profile.lifecycle.rateLimitKey {
        case .refreshToken: return "token \(name)"
        case .account: return "account \(profile.name)"
        case .client: return "client \(profile.name) \(clientID.map(Self.place) ?? "")"
        }
    }

    /// Where a client id comes from; the id itself where it is spelled out.
    private static func place(_ source: SecretSource) -> String {
        switch source {
        case .inline(let text): "inline \(text.reveal())"
        case .file(let path): "file \(path)"
        case .credential(let name): "credential \(name)"
        case .environment(let name): "env \(name)"
        case .command(let words): "command \(words.joined(separator: "\0"))"
        case .exact(let source): "exact \(place(source))"
        }
    }
}
