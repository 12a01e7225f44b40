internal import Dispatch
internal import Glibc

/// One connection of a ``ConnectionHost``: what came of its request, what is left of its answer.
/// Touched on the host's queue only.
final class HostedConnection {
    enum Phase { case receiving, waiting, sending }

    let descriptor: Int32
    let peer: Peer?
    let isExempt: Bool
    var phase = Phase.receiving
    var take: ConnectionHost.Take?
    /// Called once when it has ended, whoever ended it.
    var ended: (() -> Void)?
    var deadline: DispatchTime?
    var outgoing: [UInt8] = []
    var sent = 0
    var reader: (any DispatchSourceRead)?
    var writer: (any DispatchSourceWrite)?
    /// Its sources that are not cancelled to the end, and itself: the last one closes.
    var users = 1

    init(_ descriptor: Int32, peer: Peer?, isExempt: Bool) {
        (self.descriptor, self.peer, self.isExempt) = (descriptor, peer, isExempt)
    }

    /// Who counts for it; everybody on the loopback is one.
    var user: UInt32 { peer?.uid ?? .max }

    func letGo() {
        users -= 1
        if users == 0 { close(descriptor) }
    }
}
