/// The refresh token that the configuration names, as its place reads now.
public struct InitialToken: Sendable, Equatable {
    public var token: Secret
    /// The same text as versions before 0.2 read it, which a state of theirs knows it by; `nil`
    /// where that is no other text.
    public var former: Secret?

    public init(_ token: Secret, former: Secret? = nil) {
        (self.token, self.former) = (token, former)
    }

    public init(_ text: SecretText) { self.init(text.secret, former: text.former) }
}
