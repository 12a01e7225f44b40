/// Limits how many run at the same time. The others wait in the order in which they came.
actor Turns {
    private let most: Int
    private var free: Int
    private var waiting: [CheckedContinuation<Void, Never>] = []
    /// Of the first one that waits; those before it have had their turn.
    private var head = 0

    init(most: Int) { (self.most, free) = (most, most) }

    /// How many wait now.
    var waitingCount: Int { waiting.count - head }

    func enter() async {
        guard free == 0 else {
            free -= 1
            return
        }
        await withCheckedContinuation { waiting.append($0) }
    }

    func leave() {
        guard head < waiting.count else {
            free += 1
            assert(free <= most, "a turn is given back twice")
            return
        }
        let next = waiting[head]
        head += 1
        if head * 2 > waiting.count {
            waiting.removeFirst(head)
            head = 0
        }
        next.resume()
    }
}
