internal import TokenFormats
internal import TokenSlots

/// An attempt that no slot contains, and the recorded attempt that precedes it.
struct UnrecordedAttempt: Sendable, Equatable {
    var attempt: PastAttempt
    /// The last recorded attempt at that time; `nil` without one.
    var behind: PastAttempt?
}

extension [PastAttempt] {
    /// Merges unrecorded attempts into the recorded ones, in the order in which they ended. Times
    /// cannot decide the order: those from a slot have whole seconds.
    func merged(with unrecorded: [UnrecordedAttempt]) -> [PastAttempt] {
        var placed: [Int: [PastAttempt]] = [:]
        for one in unrecorded {
            // A predecessor that was dropped is older than all that are kept.
            let place = one.behind.flatMap { behind in lastIndex { $0.isSame(as: behind) } }
            placed[place ?? -1, default: []].append(one.attempt)
        }
        return (placed[-1] ?? []) + indices.flatMap { [self[$0]] + (placed[$0] ?? []) }
    }
}

extension PastAttempt {
    /// Whether both have the same form in a slot.
    fileprivate func isSame(as other: PastAttempt) -> Bool {
        at.epochSeconds == other.at.epochSeconds && kind == other.kind
            && failureClass == other.failureClass && httpStatus == other.httpStatus
    }
}
