/// The refresh token that the configuration names, as its place reads now.
public struct InitialToken: Sendable, Equatable {
    /// The refresh token, without what editors leave around it.
    public var token: Secret
    /// The same text as versions before 0.2 read it, which a state of theirs knows it by; `nil`
    /// where that is no other text.
    public var former: Secret?

    /// - Parameter former: How versions before 0.2 read the same place; `nil` where they read the
    ///   same.
    public init(_ token: Secret, former: Secret? = nil) {
        (self.token, self.former) = (token, former)
    }

    /// As ``SecretText`` read it.
    public init(_ text: SecretText) { self.init(text.secret, former: text.former) }

    /// Whether it is known by one of the texts that may stand for it. Its file may have been tidied
    /// up after a version before 0.2 took from it what people leave around a token: that is the
    /// same token.
    func isKnown(by isKnown: (Secret) -> Bool) -> Bool {
        if isKnown(token) || (former.map(isKnown) ?? false) { return true }
        let text = token.reveal()
        return ["", "\u{FEFF}", " ", "\t"].contains { before in
            ["", "\r", " ", "\t", "\n", "\r\n", "\r\n\r", " \r"].contains { behind in
                isKnown(Secret(before + text + behind))
            }
        }
    }
}
