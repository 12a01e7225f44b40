/// Limits the connections and unsent bytes of a listening socket, in total and for each user.
///
/// Root and the daemon's own user are exempt, so that other users cannot lock them out.
struct ConnectionCaps {
    struct Limits {
        /// Connections with an incomplete request.
        var receiving: Int
        var receivingByUser: Int
        /// Connections that wait for a response or receive it.
        var held: Int
        var heldByUser: Int
        /// Bytes of responses that the clients have not read yet.
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

    /// Counts a connection whose request has not arrived yet.
    ///
    /// - Returns: The user whose oldest connection with an incomplete request must be closed for
    ///   it.
    mutating func beginReceiving(_ user: UInt32) -> UInt32? {
        all.receiving += 1
        byUser[user, default: Use()].receiving += 1
        if byUser[user]?.receiving ?? 0 > limits.receivingByUser { return user }
        guard all.receiving > limits.receiving else { return nil }
        // The user with the most connections; ties are decided by number.
        return byUser.max { ($0.value.receiving, $0.key) < ($1.value.receiving, $1.key) }?.key
    }

    mutating func endReceiving(_ user: UInt32) { change(user) { $0.receiving -= 1 } }

    /// - Returns: Whether another connection may wait for a response.
    mutating func beginHolding(_ user: UInt32) -> Bool {
        guard all.held < limits.held, byUser[user]?.held ?? 0 < limits.heldByUser else {
            return false
        }
        change(user) { $0.held += 1 }
        return true
    }

    mutating func endHolding(_ user: UInt32) { change(user) { $0.held -= 1 } }

    /// - Returns: Whether these bytes fit; a user's only response always fits.
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
