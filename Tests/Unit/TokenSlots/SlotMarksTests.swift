import Testing

@testable import TokenFormats
@testable import TokenProviders
@testable import TokenSlots

@Suite("What slots remember beside their content")
struct SlotMarksTests {
    private func slot(_ sequence: UInt64?) -> SlotPair.State {
        guard let sequence else { return .empty }
        let moment = Moment(uptime: Uptime(.zero), wall: WallTime(.zero), bootID: "b")
        let record = SlotRecord(
            sequence: sequence, state: .settled, attemptID: "a", kind: .refresh, sentAt: moment,
            grant: CredentialRecord())
        return .valid(SlotContents(record: record))
    }

    private func lost(_ a: SlotPair.State, _ b: SlotPair.State, marks: SlotMarks) -> UInt64? {
        SlotPair(a: a, b: b, marks: marks).lostSequence
    }

    @Test("slots that hold what their files remember, or newer, have lost nothing")
    func own() {
        #expect(lost(slot(8), slot(7), marks: SlotMarks(a: 8, b: 7)) == nil)
        // A version without marks has written the slots, or a power cut undid the marks.
        #expect(lost(slot(8), slot(7), marks: SlotMarks()) == nil)
        #expect(lost(slot(8), slot(7), marks: SlotMarks(a: 6, b: 5)) == nil)
        #expect(lost(slot(1), slot(nil), marks: SlotMarks(a: 1)) == nil)
    }

    @Test("a backup in both files has lost the newest record, and says which")
    func restored() {
        #expect(lost(slot(4), slot(3), marks: SlotMarks(a: 8, b: 9)) == 9)
        #expect(lost(slot(4), slot(3), marks: SlotMarks(a: 10, b: 9)) == 10)
        #expect(lost(slot(1), slot(nil), marks: SlotMarks(a: 9, b: 8)) == 9)
    }

    @Test("a backup in one file counts if it was the newer one")
    func half() {
        #expect(lost(slot(4), slot(7), marks: SlotMarks(a: 8, b: 7)) == 8)
        #expect(lost(slot(8), slot(3), marks: SlotMarks(a: 8, b: 7)) == nil)
    }

    @Test("a slot that rotted or was torn tells nothing of what it may hold")
    func damaged() {
        #expect(lost(.damaged, slot(7), marks: SlotMarks(a: 8, b: 7)) == nil)
        #expect(lost(slot(8), .damaged, marks: SlotMarks(a: 8, b: 9)) == nil)
        #expect(lost(.damaged, slot(3), marks: SlotMarks(a: 8, b: 7)) == 7)
        #expect(lost(.damaged, .damaged, marks: SlotMarks(a: 8, b: 7)) == nil)
        #expect(lost(.empty, .empty, marks: SlotMarks()) == nil)
    }
}
