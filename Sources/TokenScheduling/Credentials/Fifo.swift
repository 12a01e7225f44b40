/// First in, first out, in constant time. (A package with a deque would add a minute and a half to
/// a clean build.)
package struct Fifo<Element> {
    private var elements: [Element] = []
    private var head = 0

    package init() {}

    package var count: Int { elements.count - head }
    package var isEmpty: Bool { count == 0 }
    /// The oldest element.
    package var first: Element? { isEmpty ? nil : elements[head] }

    package mutating func append(_ element: Element) { elements.append(element) }

    /// Removes the oldest element; `nil` without one.
    package mutating func popFirst() -> Element? {
        guard let element = first else { return nil }
        head += 1
        // Half of the array is unused. Elements that are moved were added since the last move, so
        // the cost is constant on average.
        if head * 2 > elements.count {
            elements.removeFirst(head)
            head = 0
        }
        return element
    }

    /// - Parameter index: Counted from the first element, which is 0.
    @discardableResult
    package mutating func remove(at index: Int) -> Element { elements.remove(at: head + index) }
}

extension Fifo: Sendable where Element: Sendable {}
