internal import TokenSlots

/// The fingerprints of a record as numbers, 8 bytes each: as texts they take 64.
///
/// Memory needs them only to complete a stored state that disappeared while the daemon ran, and to
/// tell what an erased state had spent.
struct PackedFingerprints: Sendable, Equatable {
    private var spent: [UInt64] = []
    private var formerAccess: [UInt64] = []

    init() {}

    /// Takes out what can be put back as it was; any other text stays in the record.
    init(takingFrom record: inout CredentialRecord) {
        spent = Self.taken(&record.spent)
        formerAccess = Self.taken(&record.formerAccess)
    }

    /// Puts back what was taken.
    func restore(in record: inout CredentialRecord) {
        if !spent.isEmpty { record.spent = spent.map(\.fingerprint) }
        if !formerAccess.isEmpty { record.formerAccess = formerAccess.map(\.fingerprint) }
    }

    /// All of a list or nothing, so that its order is kept.
    private static func taken(_ texts: inout [String]) -> [UInt64] {
        let numbers = texts.compactMap { UInt64(fingerprint: $0) }
        guard numbers.count == texts.count else { return [] }
        texts = []
        return numbers
    }
}
