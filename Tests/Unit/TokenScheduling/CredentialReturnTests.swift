import Testing

@testable import TokenConfiguration
@testable import TokenFormats
@testable import TokenScheduling
@testable import TokenSlots

@Suite("Names that are removed from the configuration and come again") struct CredentialReturnTests
{
    /// What a credential does when it is removed.
    enum Stage { case recovering, attempting, waiting }

    private let now = Examples.noon

    private func configuration(
        _ names: [String], client: String = "id", lifecycle: String = "{}"
    ) throws -> Configuration {
        try Examples.configuration(of: names, client: client, lifecycle: lifecycle)
    }

    private static let oneInAnHour = #"{"rate_limit": "1/1h", "rate_limit_key": "account"}"#

    private func recovery(_ orders: [CredentialSet.DueAction], of name: String) throws -> Ticket {
        let tickets = orders.compactMap { order -> Ticket? in
            guard order.credential == name, case .recover(let ticket, _) = order.action else {
                return nil
            }
            return ticket
        }
        #expect(tickets.count == 1)
        return try #require(tickets.first)
    }

    private func attempt(_ orders: [CredentialSet.DueAction]) -> Ticket? {
        orders.lazy.compactMap { order in
            if case .attempt(let ticket, _) = order.action { ticket } else { nil }
        }.first
    }

    private func granted() -> AttemptReport {
        AttemptReport(grant: Examples.held, end: .granted([]), attemptID: "a")
    }

    /// A credential set whose credential "a" is at that stage, and the events that it still waits
    /// for. "b" holds the place of the rate limit, if "a" waits for it.
    private func credentials(
        at stage: Stage, _ whole: Configuration
    ) throws -> (CredentialSet, late: [LifecycleEvent]) {
        var credentials = CredentialSet(maxInFlight: 64, seed: 1)
        let orders = credentials.configure(whole, now: now).orders
        let recovered = LifecycleEvent.recovered(
            try recovery(orders, of: "a"), .grant(CredentialRecord()))
        switch stage {
        case .recovering: return (credentials, [recovered])
        case .attempting:
            let ticket = try #require(attempt(credentials.handle(recovered, for: "a", now: now)))
            return (credentials, [.attemptEnded(ticket, granted())])
        case .waiting:
            let other = LifecycleEvent.recovered(
                try recovery(orders, of: "b"), .grant(CredentialRecord()))
            #expect(attempt(credentials.handle(other, for: "b", now: now)) == nil)
            #expect(attempt(credentials.handle(recovered, for: "a", now: now)) != nil)
            return (credentials, [])
        }
    }

    private func whole(_ stage: Stage) throws -> Configuration {
        guard stage == .waiting else { return try configuration(["a"]) }
        return try configuration(["a", "b"], lifecycle: Self.oneInAnHour)
    }

    @Test(
        "removed by one reload and configured by the next: late ends do not reach the new life",
        arguments: [Stage.recovering, .attempting])
    func twoReloads(stage: Stage) throws {
        let whole = try whole(stage)
        var (credentials, late) = try credentials(at: stage, whole)
        #expect(credentials.configure(try configuration([]), now: now).removed.map(\.name) == ["a"])
        for event in late { #expect(credentials.handle(event, for: "a", now: now) == []) }
        let ticket = try recovery(credentials.configure(whole, now: now).orders, of: "a")
        for event in late {
            #expect(credentials.handle(event, for: "a", now: now) == [])
            #expect(credentials["a"]?.isRecovering == true)
            #expect(credentials["a"]?.grant == CredentialRecord())
        }
        let begun = credentials.handle(
            .recovered(ticket, .grant(CredentialRecord())), for: "a", now: now)
        let asking = try #require(attempt(begun))
        for event in late { #expect(credentials.handle(event, for: "a", now: now) == []) }
        #expect(credentials["a"]?.isAttempting(asking) == true)
        _ = credentials.handle(.attemptEnded(asking, granted()), for: "a", now: now)
        #expect(credentials["a"]?.grant.refreshToken == Examples.held.refreshToken)
    }

    @Test(
        "a name that one reload both gives up and takes keeps its life, and its running job",
        arguments: [Stage.recovering, .attempting])
    func oneReload(stage: Stage) throws {
        var (credentials, late) = try credentials(at: stage, try whole(stage))
        let (orders, removed) = credentials.configure(
            try configuration(["a"], client: "another"), now: now)
        #expect(removed.isEmpty)
        #expect(!orders.contains { if case .recover = $0.action { true } else { false } })
        for event in late { _ = credentials.handle(event, for: "a", now: now) }
        switch stage {
        case .recovering: #expect(credentials["a"]?.isAttempting == true)
        default: #expect(credentials["a"]?.grant.refreshToken == Examples.held.refreshToken)
        }
    }

    @Test(
        "one that waits for a rate limit leaves its place in it when it is removed",
        arguments: ["a", "c"])
    func waiting(next: String) throws {
        var (credentials, _) = try credentials(at: .waiting, try whole(.waiting))
        let hour = now.advanced(by: .seconds(3600))
        if next == "a" {
            _ = credentials.configure(
                try configuration(["b"], lifecycle: Self.oneInAnHour), now: now)
        }
        let new = try configuration(["b", next], lifecycle: Self.oneInAnHour)
        let ticket = try recovery(credentials.configure(new, now: now).orders, of: next)
        let begun = credentials.handle(
            .recovered(ticket, .grant(CredentialRecord())), for: next, now: now)
        #expect(attempt(begun) == nil)
        #expect(attempt(credentials.wake(now: now.advanced(by: .seconds(3599)))) == nil)
        let orders = credentials.wake(now: hour)
        #expect(attempt(orders) != nil)
        #expect(orders.map(\.credential) == [next])
    }

    @Test("a group that a credential leaves at a reload keeps no place for it")
    func otherGroup() throws {
        var (credentials, _) = try credentials(at: .waiting, try whole(.waiting))
        #expect(credentials.windows.keys.sorted() == ["account as"])
        let own = #"{"rate_limit": "1/1h", "rate_limit_key": "refresh_token"}"#
        let new = try configuration(["a", "b"], lifecycle: own)
        _ = credentials.configure(new, now: now)
        _ = credentials.configure(new, now: now.advanced(by: .seconds(7200)))
        #expect(credentials.windows["account as"] == nil)
    }

    @Test("memory does not grow with 10,000 reloads that remove a name and add another")
    func memory() throws {
        var credentials = CredentialSet(maxInFlight: 64, seed: 1)
        let lifecycle = #"{"rate_limit": "1/1h", "rate_limit_key": "refresh_token"}"#
        var whole = try configuration(["steady", "n"], lifecycle: lifecycle)
        let place = try #require(whole.credentials.firstIndex { $0.name == "n" })
        var tickets: Set<Ticket> = []
        for number in 0..<10_000 {
            let (name, time) = ("n\(number)", now.advanced(by: .seconds(number * 60)))
            whole.credentials[place].name = name
            let orders = credentials.configure(whole, now: time).orders
            for order in orders {
                guard case .recover(let ticket, _) = order.action else { continue }
                let read = LifecycleEvent.recovered(ticket, .grant(CredentialRecord()))
                _ = credentials.handle(read, for: order.credential, now: time)
                tickets.insert(ticket)
            }
            #expect(credentials[name]?.isAttempting == true)
        }
        #expect(tickets.count == 10_001)
        #expect(credentials.names.count == 2)
        #expect(credentials.summary.capacity <= 3)
        // An hour of requests that still count, at one a minute.
        #expect(credentials.windows.count <= 62)
    }
}
