internal import Synchronization

/// A body that is made piece by piece, each when the client has taken the one before: a long body
/// needs the memory of one piece.
protocol BodyPieces: Sendable {
    /// Makes the next piece. Called again only after `give`, from any thread.
    ///
    /// - Parameter give: Called once, on a thread that may be kept busy.
    func next(_ give: @escaping @Sendable (BodyPiece) -> Void)
}

/// A piece of a body.
enum BodyPiece: Sendable {
    /// Another one follows.
    case part([UInt8])
    case last([UInt8])
    /// The body cannot be completed.
    case broken
}

extension HTTPResponse {
    enum Body: Sendable {
        /// Rendered when the connection writes it; called once.
        case whole(@Sendable () -> [UInt8])
        case pieces(any BodyPieces, isChunked: Bool)
    }
}

/// Limits the long responses that are sent at the same time.
///
/// Root and the daemon's own user may use all places, the other users together one less: they
/// cannot lock root out. Each of them may use two, which a pair of Prometheus servers needs: all
/// clients of the loopback listener count as one user.
final class StreamPlaces: Sendable {
    /// Of the whole daemon.
    static let shared = StreamPlaces()

    private static let most = 4
    private static let mostOfUser = 2

    private struct Use {
        var exempt = 0
        var others: [UInt32: Int] = [:]
        var ofOthers: Int { others.values.reduce(0, +) }
    }
    private let use = Mutex(Use())

    /// - Parameter user: `nil` for root and the daemon's own user.
    /// - Returns: Whether there is a place; ``leave(_:)`` gives it back.
    func enter(_ user: UInt32?) -> Bool {
        use.withLock { use in
            guard use.exempt + use.ofOthers < Self.most else { return false }
            guard let user else {
                use.exempt += 1
                return true
            }
            guard use.ofOthers < Self.most - 1, use.others[user, default: 0] < Self.mostOfUser
            else { return false }
            use.others[user, default: 0] += 1
            return true
        }
    }

    func leave(_ user: UInt32?) {
        use.withLock { use in
            guard let user else {
                use.exempt -= 1
                return
            }
            use.others[user, default: 1] -= 1
            if use.others[user] == 0 { use.others[user] = nil }
        }
    }
}
