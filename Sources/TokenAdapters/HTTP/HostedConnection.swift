internal import Dispatch
internal import Glibc

/// One connection of a ``ConnectionHost``: the state of its request and the rest of its response.
/// Used only on the host's queue.
final class HostedConnection {
    enum Phase { case receiving, waiting, sending }

    let descriptor: Int32
    let peer: Peer?
    let isExempt: Bool
    var phase = Phase.receiving
    var take: ConnectionHost.Take?
    /// Called once when the connection has ended, on either side.
    var ended: (() -> Void)?
    var deadline: DispatchTime?
    var outgoing: [UInt8] = []
    var sent = 0
    /// Makes the next piece of a response that is sent in pieces; `nil` in the last one.
    var next: (() -> Void)?
    var reader: (any DispatchSourceRead)?
    var writer: (any DispatchSourceWrite)?
    /// The number of its sources that are not completely cancelled, plus one for itself: the last
    /// one closes the descriptor.
    var users = 1

    init(_ descriptor: Int32, peer: Peer?, isExempt: Bool) {
        (self.descriptor, self.peer, self.isExempt) = (descriptor, peer, isExempt)
    }

    /// The user it counts for; all loopback clients are one.
    var user: UInt32 { peer?.uid ?? .max }

    func letGo() {
        users -= 1
        if users == 0 { close(descriptor) }
    }
}
