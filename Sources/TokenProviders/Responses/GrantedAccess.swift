package import TokenFormats

/// An access token with all values of `token.json`.
package struct GrantedAccess: Sendable, Equatable {
    /// The access token, as outputs hold it.
    package var token: Secret
    /// How it is presented, such as `Bearer` (RFC 6749 section 7.1).
    package var tokenType: String?
    /// As granted, if the answer said (RFC 6749 section 5.1).
    package var scope: String?
    /// When the request was sent; the lifetime counts from here.
    package var sentAt: Moment
    /// `nil` when it never expires.
    package var lifetime: Duration?
    /// How long the request took: the margin before expiry is never less than this and a second.
    package var roundTrip: Duration
    /// Values of the answer that the profile names in `response.keep`.
    package var keep: [JSONMember] = []
    /// The server's clock in its response (RFC 9110 section 6.6.1).
    package var serverDate: WallTime?

    package init(
        token: Secret, tokenType: String? = nil, scope: String? = nil, sentAt: Moment,
        lifetime: Duration?, roundTrip: Duration = .zero, keep: [JSONMember] = [],
        serverDate: WallTime? = nil
    ) {
        (self.token, self.tokenType, self.scope) = (token, tokenType, scope)
        (self.sentAt, self.lifetime, self.roundTrip) = (sentAt, lifetime, roundTrip)
        (self.keep, self.serverDate) = (keep, serverDate)
    }

    /// Maximum plausible difference between a correct server's clock and ours.
    static let clockTolerance: Duration = .seconds(300)

    /// How old the token is: exact within one boot. Across boots by the wall clock, if that agrees
    /// with the server's clock at the time of issue; `nil` when unknown.
    package func age(at now: Moment) -> Duration? {
        guard let elapsed = now.elapsed(since: sentAt) else { return nil }
        guard sentAt.bootID != now.bootID, let serverDate else { return elapsed }
        let byServer = serverDate.duration(to: now.wall)
        return byServer < .zero - Self.clockTolerance ? nil : max(elapsed, byServer)
    }

    /// The same with the time of issue converted to the present wall clock, which may have been
    /// stepped since.
    package func told(by now: Moment) -> GrantedAccess {
        guard sentAt.bootID == now.bootID else { return self }
        let wall = now.wall(at: sentAt.uptime)
        let difference = sentAt.wall.duration(to: wall)
        guard difference < .zero - Moment.smallestStep || difference > Moment.smallestStep else {
            return self
        }
        var access = self
        access.sentAt.wall = wall
        return access
    }

    /// By the wall clock at the time of the request; outputs show this value.
    package var expiresAt: WallTime? { lifetime.map { sentAt.wall.advanced(by: $0) } }
}
