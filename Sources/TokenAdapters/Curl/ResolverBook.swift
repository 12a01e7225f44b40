/// The host names that are being resolved, and whether another look-up may start.
///
/// A look-up is a thread that waits for name servers as long as the system's resolver is configured
/// to (resolv.conf(5): half a minute is usual), whether or not the caller still waits. A look-up
/// without a waiting caller is a stray: it cannot be stopped, only counted.
struct ResolverBook {
    /// Maximum threads in total.
    static let most = 64
    /// Threads reserved for names that have no stray.
    static let kept = 16
    static let mostStraysOfOneName = 2

    enum Decision: Equatable {
        /// Wait for the running look-up with this number.
        case join(UInt64)
        /// Start a look-up with this number.
        case begin(UInt64)
        /// Too many look-ups of this name, or of all names, wait for servers that do not respond.
        case refuse
    }
    private struct LookUp {
        var name: String
        var waiting: Int
    }

    private var lookUps: [UInt64: LookUp] = [:]
    private var lastNumber: UInt64 = 0

    var count: Int { lookUps.count }

    mutating func ask(_ name: String) -> Decision {
        let own = lookUps.filter { $0.value.name == name }
        if let (number, _) = own.first(where: { $0.value.waiting > 0 }) {
            lookUps[number]?.waiting += 1
            return .join(number)
        }
        let limit = own.isEmpty ? Self.most : Self.most - Self.kept
        guard own.count < Self.mostStraysOfOneName, lookUps.count < limit else { return .refuse }
        lastNumber += 1
        lookUps[lastNumber] = LookUp(name: name, waiting: 1)
        return .begin(lastNumber)
    }

    /// A caller's time limit has passed.
    mutating func giveUp(_ number: UInt64) { lookUps[number]?.waiting -= 1 }

    /// The thread has ended.
    mutating func ended(_ number: UInt64) { lookUps[number] = nil }
}
