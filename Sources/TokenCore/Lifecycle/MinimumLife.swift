/// How long a token was asked to last, against what its provider grants.
public struct MinimumLife: Sendable, Equatable {
    /// What a caller wants the token to last from now on.
    public var asked: Duration
    /// The whole life of the present token; `nil` when it never ends.
    public var lifetime: Duration?

    /// - Parameter lifetime: Of the present token, from its grant to its end; `nil` when it never
    ///   ends.
    public init(asked: Duration, lifetime: Duration?) {
        (self.asked, self.lifetime) = (asked, lifetime)
    }

    /// No token of this provider lasts so long: some time has always passed since it was granted.
    public var isBeyondReach: Bool { asked > .zero && lifetime.map { asked >= $0 } ?? false }

    /// What must be left: where no token ever lives so long, half a life must do.
    public var wanted: Duration {
        guard isBeyondReach, let lifetime else { return asked }
        return lifetime / 2
    }

    /// What an answer says where the token does not last as long as asked; `nil` where it does.
    ///
    /// - Parameter left: `nil` when it never ends.
    public func shortfall(left: Duration?) -> JSONNode? {
        guard let left, left < asked else { return nil }
        return .object([
            ("met", .bool(false)), ("asked", .integer(asked.components.seconds)),
            ("left", .integer(max(0, left.components.seconds))),
            ("lifetime", lifetime.map { .integer($0.components.seconds) } ?? JSONNode(.null)),
        ])
    }
}
