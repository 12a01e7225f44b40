package import TokenFormats

/// The refresh token that the configuration names, as its source reads now.
package struct InitialToken: Sendable, Equatable {
    /// The refresh token, without what editors leave around it.
    package var token: Secret
    /// The text that versions before 0.2 read, which their state knows it by; `nil` when it is the
    /// same text.
    package var former: Secret?

    /// - Parameters:
    ///   - token: The token as this version reads it.
    ///   - former: How versions before 0.2 read the same place; `nil` where they read the same.
    package init(_ token: Secret, former: Secret? = nil) {
        (self.token, self.former) = (token, former)
    }

    /// As ``SecretText`` read it.
    package init(_ text: SecretText) { self.init(text.secret, former: text.former) }

    /// Whether the token is known under either of its texts. White space around it may have been
    /// removed from its file after a version before 0.2 adopted it: that is the same token.
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
