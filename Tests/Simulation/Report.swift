internal import TokenConfiguration
internal import TokenControl
internal import TokenFormats
internal import TokenProviders
internal import TokenScheduling
internal import TokenSlots

/// The figures of a simulation.
struct Report {
    var problems: [String] = []
    var refreshes = 0
    var requests = 0
    var rotations = 0
    /// Tokens that expired while they were published.
    var missed = 0
    var signIns = 0
    var audits = 0
    var faults: [String: Int] = [:]
    var limitedTimes: [Duration] = []
    /// Credentials whose state was restored, with the newest access token of that time: until a
    /// newer one is published, an older one may be published.
    var restored: [String: Int] = [:]
    /// Restored credentials that no operator has inspected since: only these may be quarantined.
    var unseen: Set<String> = []
    /// Of all events in order.
    private var hash = FNV1a()
    var digest: UInt64 { hash.value }

    /// Prints events of this credential, and every fault.
    var traced = ""

    mutating func trace(_ time: Duration, _ name: String, _ text: @autoclosure () -> String) {
        guard !traced.isEmpty, name == traced || name.isEmpty else { return }
        print(Double(time.nanoseconds / 1_000_000) / 1000, name, text())
    }

    mutating func digest(_ time: Duration, _ text: String) {
        hash.mix(bytes: text.utf8)
        hash.mix(UInt64(bitPattern: time.nanoseconds))
    }

    mutating func count(_ fault: String) { faults[fault, default: 0] += 1 }

    var faultCount: Int { faults.values.reduce(0, +) }

    mutating func add(_ other: Report) {
        problems += other.problems
        refreshes += other.refreshes
        requests += other.requests
        rotations += other.rotations
        missed += other.missed
        signIns += other.signIns
        audits += other.audits
        faults.merge(other.faults, uniquingKeysWith: +)
        hash.mix(other.digest)
    }
}
