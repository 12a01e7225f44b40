import Foundation
import Testing

@testable import TokenAdapters
@testable import TokenEngine
@testable import TokenFormats
@testable import TokenSlots

@Suite("Traces of erased states, in a real directory") struct TraceFileTests {
    private func slots(_ folder: Folder) throws -> SlotDirectory {
        try SlotDirectory(
            path: folder.path + "/state", slotSize: 65_536, allowUnsafe: true, warn: { _ in })
    }

    private func traces(_ names: String...) -> SpentTraces {
        var grant = CredentialRecord()
        grant.spent = names
        return SpentTraces(grant)
    }

    @Test("they are private, outlive the slots, and belong to no credential of another name")
    func file() async throws {
        let folder = try Folder()
        let store = try slots(folder)
        try await store.open("mail").close()
        try await store.keep(traces("a"), of: "mail")
        try await store.keep(traces("b", "c"), of: "mail.spent")
        #expect(try folder.mode("state/.mail.spent") == 0o600)
        try await store.erase("mail")
        #expect(try await store.names() == [])
        #expect(
            try await store.spentTraces()
                == ["mail": traces("a"), "mail.spent": traces("b", "c")])
        try await store.keep(SpentTraces(), of: "mail")
        try await store.keep(SpentTraces(), of: "never-there")
        #expect(try await store.spentTraces().keys.sorted() == ["mail.spent"])
    }

    @Test("a link in the place of a slot that was set aside is not followed by an erasure")
    func erasedLink() async throws {
        let folder = try Folder()
        let store = try slots(folder)
        try await store.open("mail").close()
        let victim = folder.path + "/victim"
        try Data("of another program\n".utf8).write(to: URL(filePath: victim))
        try FileManager.default.createSymbolicLink(
            atPath: folder.path + "/state/mail/slotA.damaged", withDestinationPath: victim)
        await #expect(throws: StorageFailure.self) { try await store.erase("mail") }
        #expect(try String(contentsOfFile: victim, encoding: .utf8) == "of another program\n")
    }

    @Test("a file that cannot be read is not taken for an empty one")
    func unreadable() async throws {
        let folder = try Folder()
        let store = try slots(folder)
        for text in ["", "{", "\u{0}\u{0}"] {
            try Data(text.utf8).write(to: URL(filePath: folder.path + "/state/.mail.spent"))
            #expect(try await store.spentTraces()["mail"]?.isUnreadable == true)
        }
        // A symbolic link is not accepted.
        try FileManager.default.removeItem(atPath: folder.path + "/state/.mail.spent")
        try FileManager.default.createSymbolicLink(
            atPath: folder.path + "/state/.mail.spent", withDestinationPath: "/dev/null")
        #expect(try await store.spentTraces()["mail"]?.isUnreadable == true)
    }
}
