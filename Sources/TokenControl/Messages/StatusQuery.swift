internal import TokenConfiguration
package import TokenFormats

/// The credentials that `GET /v1/status` lists: all of them, or one page.
package struct StatusQuery: Sendable, Equatable {
    /// Only credentials in this state; `nil` for all.
    package var state: CredentialState?
    /// How many credentials the page has at most; `nil` without a page.
    package var limit: Int?
    /// The page begins behind this name, which need not be configured.
    package var after: String?

    /// The limits that a request may name.
    package static let limits = 1...1000
    /// The limit of a page whose request names none.
    package static let usualLimit = 100

    /// - Parameters:
    ///   - state: Only credentials in this state; `nil` for all.
    ///   - limit: How many credentials the page has at most; `nil` for all of them.
    ///   - after: The page begins behind this name.
    package init(state: CredentialState? = nil, limit: Int? = nil, after: String? = nil) {
        (self.state, self.limit, self.after) = (state, limit, after)
    }

    /// Whether the reply is a page, rather than the whole document.
    package var isPage: Bool { limit != nil }

    /// The fields of the query in a URL.
    var fields: [String: String] {
        var fields: [String: String] = [:]
        fields["state"] = state?.rawValue
        fields["limit"] = limit.map(String.init)
        fields["after"] = after
        return fields
    }

    /// Reads the fields of a request.
    ///
    /// - Throws: The problem to reply with, for an unknown parameter or value.
    init(_ fields: [String: String]) throws(ControlProblem) {
        guard fields.keys.allSatisfy({ ["state", "limit", "after"].containsText($0) }) else {
            throw ControlProblem(
                400, "the status has no such parameter", detail: "Use state, limit and after")
        }
        if let word = fields["state"] {
            guard let known = CredentialState(spelled: word) else {
                let words = CredentialState.allCases.map(\.rawValue).joined(separator: ", ")
                throw ControlProblem(
                    400, "there is no such state", detail: "Write one of \(words)")
            }
            state = known
        }
        if let text = fields["limit"] {
            guard let number = Int(text), Self.limits ~= number else {
                throw ControlProblem(
                    400, "limit is not a number of credentials",
                    detail: "Write a number from 1 to \(Self.limits.upperBound)")
            }
            limit = number
        }
        if let name = fields["after"] {
            guard isConfiguredName(name) else {
                throw ControlProblem(
                    400, "after is not the name of a credential",
                    detail: "Write the value of \"next\" of the page before")
            }
            after = name
        }
        if !fields.isEmpty, limit == nil { limit = Self.usualLimit }
    }
}
