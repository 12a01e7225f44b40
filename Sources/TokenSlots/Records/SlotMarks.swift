/// For each slot the highest sequence of a record that was committed to it, stored in the file's
/// metadata; 0 without a mark.
///
/// A backup that is copied over the files restores their content but not the mark. A mark is set
/// after its record is on disk, without a flush of its own: a power cut may undo it, so it may lag
/// behind the content but never leads it.
package struct SlotMarks: Sendable, Equatable {
    /// Of `slotA`.
    package var a: UInt64
    /// Of `slotB`.
    package var b: UInt64

    /// Marks of these sequences; 0 is none.
    package init(a: UInt64 = 0, b: UInt64 = 0) { (self.a, self.b) = (a, b) }
}

extension SlotPair {
    /// The sequence of a record that was committed here, if the slots now hold an older one.
    ///
    /// Only a readable slot counts: a damaged one may hold the record that its mark refers to.
    /// Times decide nothing (I10).
    package var lostSequence: UInt64? {
        guard let winner else { return nil }
        let newest = [(a, marks.a), (b, marks.b)].compactMap { state, mark -> UInt64? in
            guard case .valid(let contents) = state, mark > contents.record.sequence else {
                return nil
            }
            return mark
        }.max()
        return newest.flatMap { $0 > winner.contents.record.sequence ? $0 : nil }
    }
}
