/// The result of one step for the later steps. Stored in the slots, because recovery must read a
/// later response as the daemon would have.
public struct StepResult: Sendable, Equatable {
    /// The step's name in the profile.
    public var id: String
    /// `access_token`, `token_type`, `scope` and the step's `keep`, as templates name them.
    public var values: [JSONMember]
    /// The values that later selectors read from its response, by JSON Pointer.
    public var pointed: [JSONMember]
    /// The host that sent the response.
    public var host: String
    /// When the step's request was sent: its life counts from here.
    public var sentAt: Moment
    /// Lifetime of its token; `nil` when it does not expire.
    public var lifetime: Duration?

    /// Whether a cached result can be used: its token has enough remaining life.
    func isFresh(at now: Moment) -> Bool {
        guard let lifetime else { return true }
        guard let age = now.elapsed(since: sentAt) else { return false }
        return age < lifetime - min(.seconds(60), lifetime / 4)
    }
}

extension StepResult {
    func json() -> JSONNode {
        .object([
            ("id", .string(id)), ("values", JSONNode(.object(values))),
            ("pointed", pointed.isEmpty ? nil : JSONNode(.object(pointed))),
            ("host", .string(host)), ("sent_at", sentAt.json), ("lifetime", lifetime?.json),
        ])
    }

    init?(json node: JSONNode) {
        guard let id = node["id"]?.text, let host = node["host"]?.text,
            let sentAt = node["sent_at"].flatMap(Moment.init(json:))
        else { return nil }
        self.init(
            id: id, values: node["values"]?.members ?? [],
            pointed: node["pointed"]?.members ?? [], host: host, sentAt: sentAt,
            lifetime: node["lifetime"].flatMap(Duration.init(json:)))
    }
}
