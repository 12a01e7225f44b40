internal import TokenScheduling

/// Limits how many run at the same time. The others wait in the order in which they came.
actor Turns {
    private let most: Int
    private var free: Int
    private var waiting = Fifo<CheckedContinuation<Void, Never>>()

    init(most: Int) { (self.most, free) = (most, most) }

    /// How many wait now.
    var waitingCount: Int { waiting.count }

    func enter() async {
        guard free == 0 else {
            free -= 1
            return
        }
        await withCheckedContinuation { waiting.append($0) }
    }

    func leave() {
        guard let next = waiting.popFirst() else {
            free += 1
            assert(free <= most, "a turn is given back twice")
            return
        }
        next.resume()
    }
}
