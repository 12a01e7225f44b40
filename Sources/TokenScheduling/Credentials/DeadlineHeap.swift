package import TokenFormats

/// The earliest of many deadlines, each of which can be changed: an indexed 4-ary heap.
///
/// One Dispatch timer is set to its top; a timer per credential would cost 540 bytes each, this 20.
package struct DeadlineHeap: Sendable {
    private var order: [Int] = []
    private var positions: [Int?] = []
    private var deadlines: [Uptime] = []

    /// A heap without deadlines.
    package init() {}

    /// The deadline that comes first, with its owner; `nil` without any.
    package var earliest: (id: Int, at: Uptime)? {
        order.first.map { ($0, deadlines[$0]) }
    }

    /// - Parameters:
    ///   - id: The entry.
    ///   - deadline: `nil` removes the entry.
    package mutating func set(_ id: Int, to deadline: Uptime?) {
        while positions.count <= id {
            positions.append(nil)
            deadlines.append(Uptime(.zero))
        }
        guard let deadline else { return remove(id) }
        deadlines[id] = deadline
        if let position = positions[id] {
            sinkOrRise(position)
        } else {
            order.append(id)
            positions[id] = order.count - 1
            rise(order.count - 1)
        }
        assert(isInPlace(id), "the heap has lost the order of its deadlines")
    }

    private mutating func remove(_ id: Int) {
        guard let position = positions[id] else { return }
        positions[id] = nil
        let last = order.removeLast()
        guard last != id else { return }
        order[position] = last
        positions[last] = position
        sinkOrRise(position)
        assert(isInPlace(last), "the heap has lost the order of its deadlines")
    }

    /// Whether an entry stands where ``positions`` says, not before its parent and not after a
    /// child.
    private func isInPlace(_ id: Int) -> Bool {
        guard let position = positions[id], order[position] == id else { return false }
        let isAfterParent = position == 0 || deadlines[order[(position - 1) / 4]] <= deadlines[id]
        return isAfterParent
            && children(of: position).allSatisfy { deadlines[id] <= deadlines[order[$0]] }
    }

    private func children(of position: Int) -> Range<Int> {
        let first = min(position * 4 + 1, order.count)
        return first..<min(first + 4, order.count)
    }

    private mutating func sinkOrRise(_ position: Int) {
        let id = order[position]
        rise(position)
        if order[position] == id { sink(position) }
    }

    private mutating func rise(_ start: Int) {
        var position = start
        while position > 0 {
            let parent = (position - 1) / 4
            guard deadlines[order[position]] < deadlines[order[parent]] else { return }
            exchange(position, parent)
            position = parent
        }
    }

    private mutating func sink(_ start: Int) {
        var position = start
        while true {
            let children = self.children(of: position)
            guard let least = children.min(by: { deadlines[order[$0]] < deadlines[order[$1]] }),
                deadlines[order[least]] < deadlines[order[position]]
            else { return }
            exchange(position, least)
            position = least
        }
    }

    private mutating func exchange(_ a: Int, _ b: Int) {
        order.swapAt(a, b)
        positions[order[a]] = a
        positions[order[b]] = b
    }
}
