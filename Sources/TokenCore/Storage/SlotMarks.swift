/// For each slot the highest sequence of a record that was committed to it, as its file remembers
/// it outside its content; 0 where it remembers none.
///
/// A backup that is copied back over the files brings their content back, and not this. A mark is
/// set after its record is on the disk, without a flush of its own: a power cut may take it back,
/// so it may lag behind the content, and never leads it.
public struct SlotMarks: Sendable, Equatable {
    /// Of `slotA`.
    public var a: UInt64
    /// Of `slotB`.
    public var b: UInt64

    /// Marks of these sequences; 0 is none.
    public init(a: UInt64 = 0, b: UInt64 = 0) { (self.a, self.b) = (a, b) }
}

extension SlotPair {
    /// The sequence of a record that was committed here, if what the slots hold now is older.
    ///
    /// Only a slot that can be read tells: one that is damaged may hold the record that its mark
    /// speaks of. Times decide nothing (I10).
    public var lostSequence: UInt64? {
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
