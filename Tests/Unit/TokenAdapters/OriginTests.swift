import Foundation
import Testing

@testable import TokenAdapters
@testable import TokenEngine
@testable import TokenFormats
@testable import TokenProviders
@testable import TokenSlots

@Suite("Which machine, and whether that lasts")
struct MachineIdentityTests {
    private static let (ext4, overlay): (Int64, Int64) = (0xEF53, 0x794C_7630)
    private static let (tmpfs, ramfs): (Int64, Int64) = (0x0102_1994, 0x8584_58F6)

    private func standing(
        _ fileSystem: Int64, mounted: Bool? = false, upper: Int64? = nil
    ) -> MachineIdentity.Standing {
        MachineIdentity.standing(fileSystem: fileSystem, isMountRoot: mounted, upper: upper)
    }

    @Test("an id lasts on a disk, and on an overlay that keeps its changes on one")
    func lasting() {
        #expect(standing(Self.ext4) == .lasting)
        #expect(standing(Self.overlay, upper: Self.ext4) == .lasting)
    }

    @Test("an id in memory, or mounted over the file, is that of one boot")
    func passing() {
        for memory in [Self.tmpfs, Self.ramfs] {
            #expect(standing(memory) == .passing)
            #expect(standing(memory, mounted: nil) == .passing)
            #expect(standing(Self.overlay, upper: memory) == .passing)
        }
        #expect(standing(Self.ext4, mounted: true) == .passing)
        #expect(standing(Self.overlay, mounted: true) == .passing)
    }

    @Test("where kernel or container do not tell, it is not known")
    func unknown() {
        #expect(standing(Self.ext4, mounted: nil) == .unknown)
        #expect(standing(Self.overlay) == .unknown)
        #expect(standing(Self.overlay, upper: -1) == .unknown)
        #expect(standing(Self.overlay, mounted: nil, upper: Self.ext4) == .unknown)
        #expect(standing(-1) == .unknown)
    }

    @Test("the upper layer is that of the file's own mount, as mountinfo spells it")
    func upperDirectory() {
        let table = Array(
            """
            22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
            31 22 0:40 / /a rw - overlay overlay rw,lowerdir=/l,upperdir=/up,workdir=/w
            32 22 0:41 / /b rw shared:1 - overlay none ro,lowerdir=/upperdir=x:/l
            33 22 0:42 / /c rw - overlay none rw,lowerdir=/l,upperdir=/a\\040b\\054c,workdir=/w

            """.utf8)
        #expect(MountTable.upperDirectory(ofMount: 31, in: table) == "/up")
        #expect(MountTable.upperDirectory(ofMount: 33, in: table) == "/a b,c")
        for mount: UInt64 in [0, 3, 22, 32, 99] {
            #expect(MountTable.upperDirectory(ofMount: mount, in: table) == nil)
        }
    }
}

@Suite("The note of where slots were made")
struct OriginNoteTests {
    private static let slots: [[Int64]] = [[1, 2, 3], [4, 5, 6]]

    private func note(
        _ id: String, _ standing: MachineIdentity.Standing = .lasting, slots: [[Int64]] = slots
    ) -> OriginNote {
        OriginNote(machine: MachineIdentity(id: id, standing: standing), slots: slots)
    }

    @Test("another machine is one whose id lasts and differs")
    func machines() {
        #expect(note("a").difference(from: note("a")) == nil)
        #expect(
            note("b").difference(from: note("a"))?.problem
                .contains("another machine") == true)
        #expect(note("b", .unknown).difference(from: note("a")) != nil)
        #expect(note("b", .passing).difference(from: note("a")) == nil)
        for (now, then) in [("", "a"), ("a", ""), ("", "")] {
            #expect(note(now).difference(from: note(then)) == nil)
        }
        #expect(note("a", slots: [[1, 2, 3], [4, 5, 7]]).difference(from: note("a")) != nil)
    }

    @Test("a boot without an id that lasts leaves the noted one in its place")
    func passingIDs() {
        for now in [note("b", .passing), note(""), note("", .unknown)] {
            var next = now
            next.succeed(note("a"), isAccepted: false)
            #expect(next.machine.id == "a")
            #expect(note("c").difference(from: next) != nil)
        }
        #expect(note("b", .passing).json["machine"]?.text == "")
    }

    @Test("an accepted change of an id that may pass makes it unstable for good, another does not")
    func accepted() throws {
        var lasting = note("b")
        lasting.succeed(note("a"), isAccepted: true)
        #expect(!lasting.isMachineUnstable)
        #expect(note("c").difference(from: lasting) != nil)
        var unknown = note("b", .unknown)
        unknown.succeed(note("a"), isAccepted: true)
        #expect(unknown.isMachineUnstable)
        // It is stored in the file and kept by later notes.
        var read = try #require(OriginNote(json: unknown.json))
        #expect(read.isMachineUnstable)
        read = note("c", .unknown)
        read.succeed(try #require(OriginNote(json: unknown.json)), isAccepted: false)
        #expect(read.isMachineUnstable)
        #expect(note("d", .unknown).difference(from: read) == nil)
        var same = note("a", .unknown)
        same.succeed(note("a"), isAccepted: true)
        #expect(!same.isMachineUnstable)
    }

    @Test("what a former version wrote is read as ever")
    func former() throws {
        let json = try JSONReader.read(
            Array(#"{"machine":"a","slots":[[1,2,3],[4,5,6]],"problem":"old"}"#.utf8))
        let read = try #require(OriginNote(json: json))
        #expect(note("a").difference(from: read) == nil)
        #expect(read.cause == Cause(.stateCopied, CauseFacts(detail: "old")))
        #expect(!read.isMachineUnstable)
    }
}

@Suite("Marks of slots in a real directory")
struct SlotMarkTests {
    private let folder: Folder
    private let store: SlotDirectory

    init() throws {
        folder = try Folder()
        store = try SlotDirectory(
            path: folder.path + "/state", slotSize: 65_536, allowUnsafe: true, warn: { _ in })
    }

    private func write(_ sequence: UInt64, _ slot: SlotPair.Index, isMarked: Bool = true)
        async throws
    {
        let record = SlotRecord(
            sequence: sequence, state: .settled, attemptID: "a", kind: .refresh,
            sentAt: SystemClock().now(), grant: CredentialRecord())
        let bytes = try #require(
            SlotLayout.encode(record, credential: "mail", slotSize: 65_536))
        let open = try await store.open("mail")
        try await open.write(bytes, at: 0, to: slot, sequence: isMarked ? sequence : nil)
        open.close()
    }

    private func marks(_ slot: SlotPair.Index) throws -> [UInt64] {
        let file = open("\(folder.path)/state/mail/\(slot.fileName)", O_RDWR)
        try #require(file >= 0)
        defer { close(file) }
        return SlotMark.all(of: file)
    }

    @Test("a written record leaves its sequence at its file, in the place of the one before")
    func commits() async throws {
        for sequence: UInt64 in 1...6 { try await write(sequence, sequence % 2 == 0 ? .b : .a) }
        #expect(try marks(.a) == [5])
        #expect(try marks(.b) == [6])
        let pair = try await store.read("mail")
        #expect(pair.marks == SlotMarks(a: 5, b: 6))
        #expect(pair.lostSequence == nil)
    }

    @Test("a response, and a write that fails, leave none")
    func others() async throws {
        try await write(1, .a)
        try await write(3, .a, isMarked: false)
        #expect(try marks(.a) == [1])
        let open = try await store.open("mail")
        await #expect(throws: StorageFailure.self) {
            try await open.write([1], at: -1, to: .a, sequence: 9)
        }
        open.close()
        #expect(try marks(.a) == [1])
    }

    @Test("content that goes back under its mark is lost; a later one of an accepted state is not")
    func wentBack() async throws {
        try await write(7, .a)
        try await write(8, .b)
        try await write(3, .a, isMarked: false)
        try await write(4, .b, isMarked: false)
        #expect(try await store.read("mail").lostSequence == 8)
        try await store.accept("mail")
        #expect(try marks(.a) == [] && marks(.b) == [])
        #expect(try await store.read("mail").lostSequence == nil)
        try await write(5, .a)
        #expect(try await store.read("mail").lostSequence == nil)
        #expect(try await store.read("mail").marks == SlotMarks(a: 5))
    }

    @Test("a record of a lower sequence, as of slots that were spoilt, has no mark above it")
    func lower() async throws {
        try await write(7, .a)
        try await write(8, .b)
        try await write(2, .b)
        #expect(try marks(.b) == [2])
        // Another process does not know the marks yet, and reads them.
        let next = try SlotMarkBook(isSupported: true).prepare(
            openForWriting(.a), .a, of: "mail", for: 3, "slotA")
        #expect(next == [])
        #expect(try marks(.a) == [])
    }

    private func openForWriting(_ slot: SlotPair.Index) throws -> Int32 {
        let file = open("\(folder.path)/state/mail/\(slot.fileName)", O_RDWR)
        try #require(file >= 0)
        return file
    }

    @Test("attributes of others are left alone, and no numbers to us")
    func names() {
        let list = [
            "user.mime_type", "user.evertoken.sequence.17", "user.evertoken.sequence.x",
            "security.selinux", "user.evertoken.sequence.", "user.evertoken.sequence.4",
        ]
        let bytes = list.flatMap { Array($0.utf8CString) }
        #expect(SlotMark.sequences(in: bytes) == [17, 4])
        #expect(SlotMark.sequences(in: []) == [])
    }
}
