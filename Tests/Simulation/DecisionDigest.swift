internal import TokenConfiguration
internal import TokenControl
internal import TokenEngine
internal import TokenFormats
internal import TokenProviders
internal import TokenScheduling
internal import TokenSlots

/// What the daemon decided, in order and with its time: every call of a port that changes
/// something, as one number. A change of the house behind the ports leaves it as it is.
///
/// The encoding is written by hand: no name of a type, no order of a set and no sentence for people
/// is in it, so neither a new name nor a better sentence changes it.
struct DecisionDigest {
    private var hash = FNV1a()
    private(set) var count = 0
    /// Prints each decision, to find where two runs part.
    var isTold = false
    /// Fields of the journal that hold sentences.
    private static let sentences: Set<String> = ["PROBLEM", "REMEDY", "NOTE"]

    var text: String {
        let digits = String(hash.value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    mutating func note(_ time: Duration, _ verb: String, _ words: [String]) {
        count += 1
        if isTold { print(time.nanoseconds, verb, words.joined(separator: " ")) }
        hash.mix(UInt64(bitPattern: time.nanoseconds))
        for word in [verb] + words {
            hash.mix(bytes: word.utf8)
            // Nothing in a word of text: where one ends is part of the sum.
            hash.mix(0x1FF)
        }
    }

    /// A write of a slot. Of a record the facts that decide; of a response all its bytes.
    mutating func noteWrite(
        _ time: Duration, _ name: String, slot: Int, bytes: [UInt8], isRecord: Bool
    ) {
        guard isRecord else {
            note(time, "response", [name, String(slot), String(fingerprint(bytes))])
            return
        }
        guard let record = SlotContents(bytes: bytes, credential: name)?.record else {
            note(time, "unreadable", [name, String(slot)])
            return
        }
        let grant = record.grant
        note(
            time, "record",
            [
                name, String(slot), String(record.sequence), String(record.state.rawValue),
                record.attemptID, record.kind.rawValue, record.step, record.host,
                record.sendsCandidate ? "candidate" : "", String(grant.generation),
                grant.refreshToken?.reveal() ?? "", grant.access?.token.reveal() ?? "",
                grant.candidate?.token.reveal() ?? "", grant.previousRefreshToken?.reveal() ?? "",
                grant.attempts.isLoginRequired ? "login" : "", String(grant.attempts.failures),
                grant.attempts.lastError?.failureClass.rawValue ?? "",
                grant.attempts.lastError?.cause.kind.rawValue ?? "",
            ] + grant.steps.map(\.id))
    }

    mutating func note(_ time: Duration, _ entry: JournalEntry) {
        let fields = entry.fields.filter { !Self.sentences.contains($0.name) }
        note(
            time, "journal",
            [String(entry.level.rawValue), entry.message, entry.messageID ?? ""]
                + fields.flatMap { [$0.name, $0.value] })
    }

    mutating func note(_ time: Duration, _ request: RenderedRequest) {
        note(
            time, "request",
            [request.method, request.url] + request.headers.flatMap { [$0.name, $0.value] }
                + [String(fingerprint(request.body ?? []))])
    }

    private func fingerprint(_ bytes: [UInt8]) -> UInt64 {
        var hash = FNV1a()
        hash.mix(bytes: bytes)
        return hash.value
    }
}
