/// How many connections and unsent bytes a listening socket holds, for all and for each user.
///
/// A value. Root and the daemon's own user are exempt: whatever others do, they get in.
struct ConnectionCaps {
    struct Limits {
        /// Connections whose request is not whole yet.
        var receiving: Int
        var receivingByUser: Int
        /// Connections whose answer is waited for or being taken.
        var held: Int
        var heldByUser: Int
        /// Of answers that are not taken yet.
        var bytes: Int
        var bytesByUser: Int
    }
    private struct Use {
        var receiving = 0
        var held = 0
        var bytes = 0

        var isNone: Bool { receiving == 0 && held == 0 && bytes == 0 }
    }

    let limits: Limits
    private var all = Use()
    private var byUser: [UInt32: Use] = [:]

    init(_ limits: Limits) { self.limits = limits }

    /// Takes a place for a request that is still to come.
    ///
    /// - Returns: The user whose oldest request, if it is not whole yet, must go for it.
    mutating func beginReceiving(_ user: UInt32) -> UInt32? {
        all.receiving += 1
        byUser[user, default: Use()].receiving += 1
        if byUser[user]?.receiving ?? 0 > limits.receivingByUser { return user }
        guard all.receiving > limits.receiving else { return nil }
        // Whoever has the most; of several the same one each time.
        return byUser.max { ($0.value.receiving, $0.key) < ($1.value.receiving, $1.key) }?.key
    }

    mutating func endReceiving(_ user: UInt32) { change(user) { $0.receiving -= 1 } }

    /// - Returns: Whether there was room for another answer to wait for.
    mutating func beginHolding(_ user: UInt32) -> Bool {
        guard all.held < limits.held, byUser[user]?.held ?? 0 < limits.heldByUser else {
            return false
        }
        change(user) { $0.held += 1 }
        return true
    }

    mutating func endHolding(_ user: UInt32) { change(user) { $0.held -= 1 } }

    /// - Returns: Whether there was room for these bytes; there always is for a user's only answer.
    mutating func add(_ bytes: Int, _ user: UInt32) -> Bool {
        let own = byUser[user]?.bytes ?? 0
        guard own == 0 || (all.bytes + bytes <= limits.bytes && own + bytes <= limits.bytesByUser)
        else { return false }
        change(user) { $0.bytes += bytes }
        return true
    }

    mutating func remove(_ bytes: Int, _ user: UInt32) { change(user) { $0.bytes -= bytes } }

    private mutating func change(_ user: UInt32, _ body: (inout Use) -> Void) {
        body(&all)
        body(&byUser[user, default: Use()])
        if byUser[user]?.isNone == true { byUser[user] = nil }
    }
}
