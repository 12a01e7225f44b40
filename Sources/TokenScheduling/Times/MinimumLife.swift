package import TokenConfiguration
internal import TokenFormats

/// The remaining life that a client asked for, against the lifetime that the provider grants.
package struct MinimumLife: Sendable, Equatable {
    /// The remaining life that the client requests.
    package var asked: Duration
    /// The full lifetime of the present token; `nil` when it never expires.
    package var lifetime: Duration?

    /// - Parameters:
    ///   - asked: The life that a client asks for.
    ///   - lifetime: Of the present token, from its grant to its end; `nil` when it never ends.
    package init(asked: Duration, lifetime: Duration?) {
        (self.asked, self.lifetime) = (asked, lifetime)
    }

    /// No token of this provider can last so long, because some time has always passed since its
    /// grant.
    package var isBeyondReach: Bool { asked > .zero && lifetime.map { asked >= $0 } ?? false }

    /// The remaining life to require: half the lifetime when no token lasts as long as asked.
    package var wanted: Duration {
        guard isBeyondReach, let lifetime else { return asked }
        return lifetime / 2
    }

    /// The note in a response whose token does not last as long as asked; `nil` when it does.
    ///
    /// - Parameter left: `nil` when it never expires.
    package func shortfall(left: Duration?) -> LifeShortfall? {
        guard let left, left < asked else { return nil }
        return LifeShortfall(
            asked: asked.components.seconds, left: max(0, left.components.seconds),
            lifetime: lifetime?.components.seconds)
    }
}
