// The form in a slot, beside the sentence that earlier versions read. A version that does not know
// a kind uses the sentence.
extension Cause {
    /// `nil` when there is only a sentence.
    package func json() -> JSONNode? {
        guard kind != .untold else { return nil }
        let facts = self.facts
        let text = { (text: String?) in text.map { JSONNode.string($0) } }
        return .object([
            ("kind", .string(kind.rawValue)), ("host", text(facts.host)),
            ("plain", facts.isPlain ? true : nil), ("file", text(facts.file)),
            ("errno", text(facts.systemError)),
            ("errno_number", facts.errno.map { .integer(Int64($0)) }),
            ("status", facts.status.map { .integer(Int64($0)) }),
            ("code", text(facts.errorCode)), ("date", facts.date?.sinceEpoch.json),
            ("subject", text(facts.subject)), ("type", text(facts.contentType?.rawValue)),
            ("target", text(facts.target)), ("same_path", facts.isSamePath.map { .bool($0) }),
            ("key", text(facts.key)), ("other", text(facts.other)),
            ("account", text(facts.account)), ("folder", text(facts.folder)),
            ("wait", facts.wait?.json), ("detail", text(facts.detail)),
            ("advice", text(facts.advice)),
        ])
    }

    /// - Returns: `nil` for a kind that this version does not know.
    package init?(json node: JSONNode) {
        guard let kind = node["kind"]?.text.flatMap({ CauseKind(spelled: $0) }) else { return nil }
        var facts = CauseFacts(
            host: node["host"]?.text, file: node["file"]?.text,
            systemError: node["errno"]?.text,
            status: node["status"]?.integer.map { Int(clamping: $0) },
            errorCode: node["code"]?.text,
            contentType: node["type"]?.text.flatMap { ForeignContentType(spelled: $0) },
            key: node["key"]?.text, other: node["other"]?.text, folder: node["folder"]?.text,
            wait: node["wait"].flatMap(Duration.init(json:)), detail: node["detail"]?.text,
            advice: node["advice"]?.text)
        facts.errno = node["errno_number"]?.integer.flatMap { Int32(exactly: $0) }
        facts.isPlain = node["plain"]?.flag ?? false
        facts.date = node["date"].flatMap(Duration.init(json:)).map { WallTime($0) }
        (facts.subject, facts.account) = (node["subject"]?.text, node["account"]?.text)
        facts.target = node["target"]?.text
        facts.isSamePath = node["same_path"]?.flag
        self.init(kind, facts)
    }
}
