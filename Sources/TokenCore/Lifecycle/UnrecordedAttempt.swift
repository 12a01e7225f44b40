/// An attempt that stands in no slot, and behind which recorded one it came.
struct UnrecordedAttempt: Sendable, Equatable {
    var attempt: PastAttempt
    /// The last that was recorded then; `nil` when none was.
    var behind: PastAttempt?
}

extension [PastAttempt] {
    /// With those that stand in no slot, in the order in which all of them ended. Their times do
    /// not tell it: what was read from a slot has whole seconds.
    func merged(with unrecorded: [UnrecordedAttempt]) -> [PastAttempt] {
        var placed: [Int: [PastAttempt]] = [:]
        for one in unrecorded {
            // One that is no longer kept was before all that are.
            let place = one.behind.flatMap { behind in lastIndex { $0.isSame(as: behind) } }
            placed[place ?? -1, default: []].append(one.attempt)
        }
        return (placed[-1] ?? []) + indices.flatMap { [self[$0]] + (placed[$0] ?? []) }
    }
}

extension PastAttempt {
    /// Whether a slot would hold the same of both.
    fileprivate func isSame(as other: PastAttempt) -> Bool {
        at.epochSeconds == other.at.epochSeconds && kind == other.kind
            && failureClass == other.failureClass && httpStatus == other.httpStatus
    }
}
