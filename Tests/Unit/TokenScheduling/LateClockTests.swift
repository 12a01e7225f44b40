import Testing

@testable import TokenFormats
@testable import TokenProviders
@testable import TokenScheduling
@testable import TokenSlots

@Suite("A clock that was behind at start") struct LateClockTests {
    private var random = RandomSource(seed: 1)
    private let noon = Examples.noon

    /// A token of an hour, granted at noon in the previous boot.
    private func granted() -> CredentialRecord {
        var grant = CredentialRecord()
        grant.refreshToken = Secret("RT")
        grant.generation = 1
        grant.access = GrantedAccess(
            token: Secret("AT"), sentAt: noon, lifetime: .seconds(3600))
        grant.attempts.lastSuccessAt = noon
        grant.attempts.lastAttemptAt = noon
        return grant
    }

    private func moment(_ uptime: Int64, wall: Int64, boot: String) -> Moment {
        Moment(
            uptime: Uptime(.seconds(uptime)), wall: noon.wall.advanced(by: .seconds(wall)),
            bootID: boot)
    }

    /// The state after a start at this time, with the token published.
    private mutating func published(at start: Moment) throws -> CredentialLifecycle {
        var life = CredentialLifecycle(try Examples.credential())
        _ = life.start()
        for event in [
            LifecycleEvent.recovered(Ticket(1), .grant(granted())),
            .published(Ticket(2), .complete),
        ] {
            _ = life.handle(event, now: start, mayAttempt: true, using: &random)
        }
        return life
    }

    @Test("when it is put right, the token is as old as it says, and is refreshed in time")
    mutating func putRight() throws {
        let start = moment(20, wall: 60, boot: "the next")
        var life = try published(at: start)
        let planned = try #require(life.nextAttemptAt)
        #expect(planned > start.advanced(by: .seconds(1800)).uptime)
        // This is 100 seconds before the token's expiry.
        let right = moment(40, wall: 3500, boot: "the next")
        life.noteClockStep(now: right, using: &random)
        #expect(life.expiryAt == right.advanced(by: .seconds(100)).uptime)
        #expect(
            life.handle(.woke, now: right, mayAttempt: true, using: &random)
                == [.attempt(Ticket(3), .renew(isManual: false))])
    }

    @Test("I22: a step in the boot of the grant, either way, brings no refresh")
    mutating func noExtraRefresh() throws {
        let start = noon.advanced(by: .seconds(60))
        for years in [-10, 10] as [Int64] {
            var life = try published(at: start)
            let planned = life.nextAttemptAt
            var stepped = start
            stepped.wall = start.wall.advanced(by: .days(365 * years))
            life.noteClockStep(now: stepped, using: &random)
            #expect(life.nextAttemptAt == planned)
            #expect(life.expiryAt == noon.advanced(by: .seconds(3600)).uptime)
        }
    }

    @Test("a step that makes a token of an earlier boot look younger does not postpone its refresh")
    mutating func notPostponed() throws {
        var life = try published(at: moment(20, wall: 1800, boot: "the next"))
        let planned = try #require(life.nextAttemptAt)
        life.noteClockStep(now: moment(40, wall: 60, boot: "the next"), using: &random)
        #expect(life.nextAttemptAt == planned)
    }
}
