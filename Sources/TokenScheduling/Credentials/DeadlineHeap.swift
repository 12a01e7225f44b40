package import TokenFormats

/// The earliest of many deadlines, each of which can be changed: an indexed 4-ary heap.
///
/// One Dispatch timer is set to its top; a timer per credential would cost 540 bytes each, this 20.
package struct DeadlineHeap: Sendable {
    private var order: [Int32] = []
    /// By entry; ``Self/absent`` for one without a deadline.
    private var positions: [Int32] = []
    private var deadlines: [Uptime] = []
    private let breaksTies: Bool
    private static let absent: Int32 = -1

    /// A heap without deadlines.
    ///
    /// - Parameter breaksTies: Of equal deadlines the one of the lowest entry comes first;
    ///   otherwise any of them.
    package init(breaksTies: Bool = false) { self.breaksTies = breaksTies }

    /// The deadline that comes first, with its owner; `nil` without any.
    package var earliest: (id: Int, at: Uptime)? {
        order.first.map { (Int($0), deadlines[Int($0)]) }
    }

    /// The deadline of an entry; `nil` without one.
    package subscript(_ id: Int) -> Uptime? {
        id < positions.count && positions[id] != Self.absent ? deadlines[id] : nil
    }

    /// - Parameters:
    ///   - id: The entry.
    ///   - deadline: `nil` removes the entry.
    package mutating func set(_ id: Int, to deadline: Uptime?) {
        while positions.count <= id {
            positions.append(Self.absent)
            deadlines.append(Uptime(.zero))
        }
        guard let deadline else { return remove(id) }
        deadlines[id] = deadline
        if positions[id] != Self.absent {
            sinkOrRise(Int(positions[id]))
        } else {
            order.append(Int32(id))
            positions[id] = Int32(order.count - 1)
            rise(order.count - 1)
        }
        assert(isInPlace(id), "the heap has lost the order of its deadlines")
    }

    private mutating func remove(_ id: Int) {
        guard positions[id] != Self.absent else { return }
        let position = Int(positions[id])
        positions[id] = Self.absent
        let last = order.removeLast()
        guard Int(last) != id else { return }
        order[position] = last
        positions[Int(last)] = Int32(position)
        sinkOrRise(position)
        assert(isInPlace(Int(last)), "the heap has lost the order of its deadlines")
    }

    /// Whether an entry stands where ``positions`` says, not before its parent and not after a
    /// child.
    private func isInPlace(_ id: Int) -> Bool {
        let position = Int(positions[id])
        guard position >= 0, Int(order[position]) == id else { return false }
        let isAfterParent = position == 0 || !isBefore(position, (position - 1) / 4)
        return isAfterParent && children(of: position).allSatisfy { !isBefore($0, position) }
    }

    /// Whether the entry at a position comes before the one at another.
    private func isBefore(_ left: Int, _ right: Int) -> Bool {
        let (first, second) = (deadlines[Int(order[left])], deadlines[Int(order[right])])
        return first < second || breaksTies && first == second && order[left] < order[right]
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
            guard isBefore(position, parent) else { return }
            exchange(position, parent)
            position = parent
        }
    }

    private mutating func sink(_ start: Int) {
        var position = start
        while true {
            let children = self.children(of: position)
            guard let least = children.min(by: isBefore), isBefore(least, position) else { return }
            exchange(position, least)
            position = least
        }
    }

    private mutating func exchange(_ a: Int, _ b: Int) {
        order.swapAt(a, b)
        positions[Int(order[a])] = Int32(a)
        positions[Int(order[b])] = Int32(b)
    }
}
