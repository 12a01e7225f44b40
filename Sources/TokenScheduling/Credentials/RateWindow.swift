internal import TokenConfiguration
internal import TokenFormats
internal import TokenProviders

/// The requests within the last period of a `rate_limit`, and the credentials that wait for it.
///
/// Counts from when each request was sent: never more than the limit in any period. Each waiting
/// credential has a reserved time, in order of arrival, so none starves.
struct RateWindow: Sendable {
    private(set) var limit: RateLimit
    /// Times of requests, ascending.
    private var sent: [Uptime] = []
    /// Reserved times of waiting credentials, ascending.
    private var reserved: [(index: Int, at: Uptime)] = []

    init(_ limit: RateLimit) { self.limit = limit }

    /// A reload may change the limit; requests already sent still count.
    mutating func apply(_ new: RateLimit) {
        if limit != new { (limit, reserved) = (new, []) }
    }

    /// When this credential may send: now or earlier if there is room, else its reserved time.
    mutating func freeAt(_ now: Uptime, for index: Int) -> Uptime {
        sent.removeAll { $0.advanced(by: limit.period) <= now }
        if let own = reserved.first(where: { $0.index == index }) {
            // An exchange of several steps may have used more than the one reserved place.
            if now < own.at || sent.count < limit.count { return own.at }
            release(index)
        }
        let times = sent + reserved.map(\.at)
        guard times.count >= limit.count else { return now }
        let free = max(now, times[times.count - limit.count].advanced(by: limit.period))
        reserved.append((index, free))
        return free
    }

    /// Whether it counts no request of the last period, and no credential waits for it.
    func isIdle(_ now: Uptime) -> Bool {
        reserved.isEmpty && sent.allSatisfy { $0.advanced(by: limit.period) <= now }
    }

    /// Whether a request may be sent now without using a reserved place.
    mutating func hasPlace(_ now: Uptime) -> Bool {
        sent.removeAll { $0.advanced(by: limit.period) <= now }
        return sent.count + reserved.count < limit.count
    }

    /// Counts one request without a reservation.
    mutating func take(_ now: Uptime) { sent.append(now) }

    /// - Parameter requests: How many requests the exchange makes.
    mutating func note(_ now: Uptime, by index: Int, requests: Int) {
        release(index)
        // Requests of an earlier process may be older; the times stay sorted.
        let position = sent.firstIndex { now < $0 } ?? sent.count
        sent.insert(contentsOf: Array(repeating: now, count: requests), at: position)
        assert(zip(sent, sent.dropFirst()).allSatisfy { $0 <= $1 }, "requests are not in order")
    }

    /// Drops the reservation of a credential that no longer wants to send.
    mutating func release(_ index: Int) { reserved.removeAll { $0.index == index } }
}

extension CredentialConfiguration {
    /// The group of requests that count together; `nil` without a limit.
    ///
    /// `client`: those of one provider and one client id. `account`: all of one provider, because
    /// accounts cannot be told apart. `refresh_token`: only the credential's own.
    var rateLimitGroup: String? {
        guard profile.lifecycle.rateLimit != nil else { return nil }
        switch profile.lifecycle.rateLimitKey {
        case .refreshToken: return "token \(name)"
        case .account: return "account \(profile.name)"
        case .client: return "client \(profile.name) \(clientID.map(Self.place) ?? "")"
        }
    }

    /// The source of a client id; the id itself when it is a literal.
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
