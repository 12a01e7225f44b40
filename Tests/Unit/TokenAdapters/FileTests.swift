import Foundation
import Testing

@testable import TokenAdapters
@testable import TokenConfiguration
@testable import TokenEngine
@testable import TokenFormats
@testable import TokenProviders
@testable import TokenScheduling
@testable import TokenSlots

/// A directory for one test, removed afterwards.
final class Folder: Sendable {
    let path: String
    init() throws {
        path = FileManager.default.temporaryDirectory.appending(path: "evertoken-\(UUID())").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }
    deinit { try? FileManager.default.removeItem(atPath: path) }

    func mode(_ name: String) throws -> Int {
        let about = try FileManager.default.attributesOfItem(atPath: path + "/" + name)
        return (about[.posixPermissions] as? Int) ?? -1
    }
}

@Suite("Slots in a real directory") struct SlotDirectoryTests {
    private func slots(_ folder: Folder) throws -> SlotDirectory {
        try SlotDirectory(
            path: folder.path + "/state", slotSize: 65_536, allowUnsafe: true, warn: { _ in })
    }

    @Test("slots that are distrusted stay foreign, also when they are opened, until accepted")
    func distrusted() async throws {
        let folder = try Folder()
        let store = try slots(folder)
        try await store.open("mail").close()
        #expect(try await store.origin(of: "mail") == .own)
        let old = Cause(.stateWentBack, CauseFacts(detail: "it is old"))
        try await store.distrust("mail", old)
        try await store.distrust("never-there", old)
        try await store.open("mail").close()
        #expect(try await store.origin(of: "mail") == .foreign(old))
        #expect(try await store.origin(of: "never-there") == .own)
        try await store.accept("mail")
        #expect(try await store.origin(of: "mail") == .own)
    }

    @Test("slots are preallocated with real blocks, private, and hold what was written")
    func roundTrip() async throws {
        let folder = try Folder()
        let store = try slots(folder)
        #expect(try await store.read("mail") == SlotPair(a: .empty, b: .empty))
        let open = try await store.open("mail")
        for name in ["slotA", "slotB"] {
            var about = stat()
            #expect(stat("\(folder.path)/state/mail/\(name)", &about) == 0)
            #expect(about.st_size == 65_536)
            #expect(about.st_blocks * 512 >= 65_536, "a hole needs space when it is written")
            #expect(about.st_mode & 0o777 == 0o600)
        }
        #expect(try folder.mode("state") == 0o700)
        var grant = CredentialRecord()
        grant.refreshToken = Secret("RT")
        let moment = SystemClock().now()
        let record = SlotRecord(
            sequence: 1, state: .settled, attemptID: "a", kind: .refresh, sentAt: moment,
            grant: grant)
        let bytes = try #require(
            SlotLayout.encode(record, credential: "mail", slotSize: 65_536))
        try await open.write(bytes, at: 0, to: .b, sequence: 1)
        open.close()
        #expect(try await store.read("mail").winner?.contents.record == record)
    }

    @Test("I12: a second holder of the same directory is refused, until the first is gone")
    func exclusion() throws {
        let folder = try Folder()
        do {
            let first = try slots(folder)
            #expect(throws: StorageFailure.self) { try slots(folder) }
            withExtendedLifetime(first) {}
        }
    }

    @Test("a credential's folder that is a symbolic link is not followed")
    func symlink() async throws {
        let folder = try Folder()
        let store = try slots(folder)
        try FileManager.default.createSymbolicLink(
            atPath: folder.path + "/state/mail", withDestinationPath: folder.path)
        await #expect(throws: StorageFailure.self) { try await store.open("mail") }
    }
}

/// A token of a minute, of the credential `mail`.
// Shared by all tests: a second that passes between two would change the content.
private let sentAt = SystemClock().now()

func token(_ text: String) -> PublishedToken {
    PublishedToken(
        credential: "mail", provider: "as",
        access: GrantedAccess(
            token: Secret(text), sentAt: sentAt, lifetime: .seconds(60)))
}

@Suite("Token files in a real directory") struct OutputDirectoryTests {

    @Test("I16: owner and mode are final, whatever the umask; the old file is replaced whole")
    func modes() async throws {
        let folder = try Folder()
        let outputs = try OutputDirectory(path: folder.path + "/run")
        var output = OutputSpecification(path: "mail/token", format: .raw)
        output.mode = 0o644
        for text in ["first", "second"] {
            #expect(await outputs.publish(token(text), to: [output]) == .complete)
            let read = try String(contentsOfFile: folder.path + "/run/mail/token", encoding: .utf8)
            #expect(read == text)
        }
        #expect(try folder.mode("run/mail/token") == 0o644)
        #expect(try folder.mode("run/mail") == 0o750)
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path + "/run/mail")
        #expect(names == ["token"], "a temporary file was left")
    }

    @Test(
        "I15: readers at full speed see one whole generation after another, never an older one",
        .timeLimit(.minutes(20)))
    func readers() async throws {
        let folder = try Folder()
        let outputs = try OutputDirectory(path: folder.path + "/run")
        let output = OutputSpecification(path: "mail/token", format: .raw)
        let path = folder.path + "/run/mail/token"
        let last = 300
        // Sizes differ, so that a mixture of two generations is detected.
        func text(_ generation: Int) -> String {
            "\(generation) " + String(repeating: "x", count: generation * 37 % 5000)
        }
        _ = await outputs.publish(token(text(0)), to: [output])
        try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<3 {
                group.addTask {
                    var (seen, reads) = (0, 0)
                    while seen < last {
                        let found = try String(contentsOfFile: path, encoding: .utf8)
                        let number = try #require(
                            found.split(separator: " ").first.flatMap { Int($0) })
                        #expect(found == text(number))
                        #expect(number >= seen)
                        (seen, reads) = (number, reads + 1)
                        await Task.yield()
                    }
                    return reads
                }
            }
            group.addTask {
                for generation in 1...last {
                    _ = await outputs.publish(token(text(generation)), to: [output])
                }
                return last
            }
            for try await reads in group { #expect(reads > 10) }
        }
    }

    @Test("a file that is already right is left alone, so that its readers are not woken")
    func unchanged() async throws {
        let folder = try Folder()
        let outputs = try OutputDirectory(path: folder.path + "/run")
        let output = OutputSpecification(path: "mail/token", format: .raw)
        let same = token("same")
        func inode() -> UInt {
            var about = stat()
            stat(folder.path + "/run/mail/token", &about)
            return UInt(about.st_ino)
        }
        _ = await outputs.publish(same, to: [output])
        let first = inode()
        _ = await outputs.publish(same, to: [output])
        #expect(inode() == first)
    }

    @Test("I20: neither a link below the token directory nor one on an absolute path is followed")
    func links() async throws {
        let folder = try Folder()
        let outputs = try OutputDirectory(path: folder.path + "/run")
        try FileManager.default.createDirectory(
            atPath: folder.path + "/outside", withIntermediateDirectories: false)
        try FileManager.default.createSymbolicLink(
            atPath: folder.path + "/run/mail", withDestinationPath: folder.path + "/outside")
        try FileManager.default.createSymbolicLink(
            atPath: folder.path + "/link", withDestinationPath: folder.path + "/outside")
        for path in ["mail/token", folder.path + "/link/token"] {
            let output = OutputSpecification(path: path, format: .raw)
            let report = await outputs.publish(token("x"), to: [output])
            #expect(report.cause != nil && !report.isAnyWritten)
        }
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path + "/outside")
        #expect(names == [])
    }

}
