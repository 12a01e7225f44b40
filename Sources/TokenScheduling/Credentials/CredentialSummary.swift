package import TokenFormats

/// What the status line, readiness and a reload need of all credentials. Kept by difference: an
/// event changes the entry of one credential, and a question walks only the ones that the status
/// line names: all that are neither fresh nor being refreshed.
package struct CredentialSummary: Sendable {
    /// By index; `nil` for a removed credential.
    private var states: [CredentialState?] = []
    private var tally: [CredentialState: Int] = [:]
    private var named: [CredentialState: Set<Int>] = [:]
    private var attempts = DeadlineHeap(breaksTies: true)
    /// Those with a failed program of `on_change`.
    private var failing: Set<Int> = []
    /// Credentials whose stored refresh token belongs to a server and client.
    private(set) var bound: Set<Int> = []
    /// Incremented whenever a state or a next attempt changes.
    package private(set) var changes: UInt64 = 0

    /// How many credentials there are.
    package private(set) var count = 0

    /// Of no credentials.
    init() {}

    /// - Parameters:
    ///   - index: The credential.
    ///   - state: `nil` removes it.
    ///   - nextAttemptAt: `nil` when none is planned.
    mutating func note(_ index: Int, _ state: CredentialState?, nextAttemptAt: Uptime?) {
        while states.count <= index { states.append(nil) }
        let (old, former) = (states[index], attempts[index])
        guard old != state || former != nextAttemptAt else { return }
        changes += 1
        if former != nextAttemptAt { attempts.set(index, to: nextAttemptAt) }
        guard old != state else { return }
        states[index] = state
        if let old {
            tally[old, default: 0] -= 1
            named[old]?.remove(index)
            count -= 1
        }
        if let state {
            tally[state, default: 0] += 1
            if state != .fresh, state != .refreshing { named[state, default: []].insert(index) }
            count += 1
        }
    }

    /// Changes nothing that the status line tells.
    ///
    /// - Parameters:
    ///   - isFailing: A program of `on_change` has failed.
    ///   - isBound: The stored refresh token belongs to a server and client.
    mutating func note(_ index: Int, isFailing: Bool, isBound: Bool) {
        if isFailing { failing.insert(index) } else { failing.remove(index) }
        if isBound { bound.insert(index) } else { bound.remove(index) }
    }

    /// Credentials for which a reload counts although their configuration is the same: their
    /// secrets or programs may have been corrected.
    var troubled: Set<Int> { named.values.reduce(failing) { $0.union($1) } }

    /// How many credentials are in a state.
    package func count(of state: CredentialState) -> Int { tally[state] ?? 0 }

    /// The first attempt that is planned; of several at one time that of the lowest index.
    var nextAttempt: (index: Int, at: Uptime)? { attempts.earliest.map { ($0.id, $0.at) } }

    /// The credentials in a state, unordered; none where they are fresh or being refreshed.
    func indices(of state: CredentialState) -> Set<Int> { named[state] ?? [] }

    /// How many entries it has room for; removed ones are used again.
    var capacity: Int { states.count }
}
