import Foundation
import Testing

@testable import TokenAdapters
@testable import TokenEngine
@testable import TokenFormats
@testable import TokenSlots

@Suite("The error of a system call reaches the cause that people read") struct ErrnoTests {
    @Test(
        "the kind follows from errno, and words that are added keep it",
        arguments: [
            (ENOSPC, CauseKind.stateFull), (EDQUOT, .stateFull), (EROFS, .stateReadOnly),
            (EACCES, .stateForbidden), (EPERM, .stateForbidden), (EIO, .stateFails),
        ])
    func storage(code: Int32, kind: CauseKind) {
        let error = SystemError("write /x", code: code).adding("mend it")
        let cause = StorageFailure(error).cause
        #expect(cause.kind == kind && cause.facts.errno == code)
        #expect(cause.facts.systemError == String(cString: strerror(code)))
        #expect(cause.problem == "cannot write /x: \(String(cString: strerror(code))); mend it")
    }

    @Test("of a secret's file, and of its program")
    func secrets() async throws {
        let reader = SecretResolver(base: try Folder().path)
        for (source, kind) in [
            (SecretSource.file("none"), CauseKind.secretMissing),
            (.command(["/nowhere/program"]), .secretProgramFailed),
        ] {
            do throws(Cause) {
                _ = try await reader.read(source, as: .line)
                Issue.record("\(source) was read")
            } catch { #expect(error.kind == kind && error.facts.errno == ENOENT) }
        }
    }

    @Test("of a record of spent tokens that cannot be put in its place")
    func traces() async throws {
        let folder = try Folder()
        let store = try SlotDirectory(
            path: folder.path + "/state", slotSize: 65_536, allowUnsafe: true, warn: { _ in })
        try FileManager.default.createDirectory(
            atPath: folder.path + "/state/.mail.spent", withIntermediateDirectories: false)
        do throws(StorageFailure) {
            try await store.keep(SpentTraces(), of: "mail")
            Issue.record("a directory was removed as a file")
        } catch { #expect(error.cause.facts.errno == EISDIR) }
    }
}
