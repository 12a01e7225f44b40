/// Which host names are being looked up, and whether one more look-up may begin.
///
/// A value. A look-up is a thread that waits for name servers, for as long as the system's resolver
/// wants (resolv.conf(5): half a minute is usual), whether or not the caller still waits. One that
/// nobody waits for any more is a stray: it cannot be ended, only counted.
struct ResolverBook {
    /// Threads in all.
    static let most = 64
    /// Of them, those that a name with a stray of its own may not take: others need them.
    static let kept = 16
    static let mostStraysOfOneName = 2

    enum Decision: Equatable {
        /// Wait for the look-up that is under way.
        case join(UInt64)
        /// Begin one of this number.
        case begin(UInt64)
        /// Too many of this name, or of all, wait for servers that do not answer.
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

    /// A caller's time is up.
    mutating func giveUp(_ number: UInt64) { lookUps[number]?.waiting -= 1 }

    /// The thread has come back.
    mutating func ended(_ number: UInt64) { lookUps[number] = nil }
}
