package import TokenFormats

/// The result of one step for the later steps. Stored in the slots, because recovery must read a
/// later response as the daemon would have.
package struct StepResult: Sendable, Equatable {
    /// The step's name in the profile.
    package var id: String
    /// `access_token`, `token_type`, `scope` and the step's `keep`, as templates name them.
    package var values: [JSONMember]
    /// The values that later selectors read from its response, by JSON Pointer.
    package var pointed: [JSONMember]
    /// The host that sent the response.
    package var host: String
    /// When the step's request was sent: its life counts from here.
    package var sentAt: Moment
    /// Lifetime of its token; `nil` when it does not expire.
    package var lifetime: Duration?

    /// Whether a cached result can be used: its token has enough remaining life.
    package func isFresh(at now: Moment) -> Bool {
        guard let lifetime else { return true }
        guard let age = now.elapsed(since: sentAt) else { return false }
        return age < lifetime - min(.seconds(60), lifetime / 4)
    }

    package init(
        id: String, values: [JSONMember], pointed: [JSONMember], host: String, sentAt: Moment,
        lifetime: Duration? = nil
    ) {
        self.id = id
        self.values = values
        self.pointed = pointed
        self.host = host
        self.sentAt = sentAt
        self.lifetime = lifetime
    }
}

extension StepResult {
    package func json() -> JSONNode {
        .object([
            ("id", .string(id)), ("values", JSONNode(.object(values))),
            ("pointed", pointed.isEmpty ? nil : JSONNode(.object(pointed))),
            ("host", .string(host)), ("sent_at", sentAt.json), ("lifetime", lifetime?.json),
        ])
    }

    package init?(json node: JSONNode) {
        guard let id = node["id"]?.text, let host = node["host"]?.text,
            let sentAt = node["sent_at"].flatMap(Moment.init(json:))
        else { return nil }
        self.init(
            id: id, values: node["values"]?.members ?? [],
            pointed: node["pointed"]?.members ?? [], host: host, sentAt: sentAt,
            lifetime: node["lifetime"].flatMap(Duration.init(json:)))
    }
}
