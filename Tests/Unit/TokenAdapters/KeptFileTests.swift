import Foundation
import Testing

@testable import TokenAdapters
@testable import TokenConfiguration
@testable import TokenEngine
@testable import TokenFormats
@testable import TokenScheduling

@Suite("Token files that others meddle with") struct KeptFileTests {
    private let folder: Folder
    private let outputs: OutputDirectory
    private let output = OutputSpecification(path: "mail/token", format: .raw)
    private var files: FileManager { .default }

    init() throws {
        folder = try Folder()
        outputs = try OutputDirectory(path: folder.path + "/run")
    }

    private var path: String { folder.path + "/run/mail/token" }

    private func text(_ path: String) throws -> String {
        try String(contentsOfFile: path, encoding: .utf8)
    }

    private func publish(_ text: String = "x") async -> String? {
        await outputs.publish(token(text), to: [output]).cause?.problem
    }

    @Test("a link in the place of the file is refused with the path to name, and left as it is")
    func linkedFile() async throws {
        let victim = folder.path + "/victim"
        _ = files.createFile(atPath: victim, contents: Data("mine".utf8))
        try files.createDirectory(
            atPath: folder.path + "/run/mail", withIntermediateDirectories: false)
        try files.createSymbolicLink(atPath: path, withDestinationPath: victim)
        let problem = try #require(await publish())
        #expect(problem == "mail/token is a symbolic link; name the real path, \(victim)")
        #expect(try text(victim) == "mine")
        #expect(try files.destinationOfSymbolicLink(atPath: path) == victim)
        try files.removeItem(atPath: victim)
        #expect(await publish() == problem, "one that leads nowhere too")
        var inPlace = output
        inPlace.isWrittenInPlace = true
        #expect(await outputs.publish(token("x"), to: [inPlace]).cause?.problem == problem)
        #expect(!files.fileExists(atPath: victim))
    }

    @Test("a link on the way is named with where it leads")
    func linkedFolder() async throws {
        try files.createDirectory(
            atPath: folder.path + "/real", withIntermediateDirectories: false)
        try files.createSymbolicLink(
            atPath: folder.path + "/link", withDestinationPath: folder.path + "/real")
        let there = OutputSpecification(path: folder.path + "/link/token", format: .raw)
        let problem = try #require(await outputs.publish(token("x"), to: [there]).cause?.problem)
        #expect(problem.contains("\(folder.path)/link is a symbolic link; name the real path"))
        #expect(problem.contains("\(folder.path)/real/token"))
    }

    @Test("what is no regular file is left as it is", arguments: ["socket", "pipe", "directory"])
    func special(kind: String) async throws {
        try files.createDirectory(
            atPath: folder.path + "/run/mail", withIntermediateDirectories: false)
        var listener: UnixListener?
        switch kind {
        case "pipe": #expect(mkfifo(path, 0o600) == 0)
        case "directory":
            try files.createDirectory(atPath: path, withIntermediateDirectories: false)
        default:
            listener = try UnixListener.open(path: path, key: "k", mode: 0o600, group: nil)
        }
        var before = stat()
        #expect(lstat(path, &before) == 0)
        let problem = try #require(await publish())
        #expect(problem.contains("mail/token is not a regular file"))
        var after = stat()
        #expect(lstat(path, &after) == 0 && after.st_ino == before.st_ino)
        listener?.remove()
    }

    @Test("a file that is deleted, overwritten, replaced or given away is noticed, until written")
    func altered() async throws {
        let steps: [(String, Bool, (String) throws -> Void)] = [
            ("deleted", true, { try FileManager.default.removeItem(atPath: $0) }),
            ("overwritten", false, { try Data("y".utf8).write(to: URL(filePath: $0)) }),
            ("mode", false, { #expect(chmod($0, 0o604) == 0) }),
            (
                "its folder", true,
                {
                    try FileManager.default.removeItem(
                        atPath: ($0 as NSString).deletingLastPathComponent)
                }
            ),
            (
                "linked", false,
                {
                    try FileManager.default.moveItem(atPath: $0, toPath: $0 + "2")
                    try FileManager.default.createSymbolicLink(
                        atPath: $0, withDestinationPath: $0 + "2")
                }
            ),
        ]
        for (name, isMissing, change) in steps {
            #expect(await publish() == nil)
            #expect(await outputs.altered() == [], "before: \(name)")
            try change(path)
            let expected = AlteredOutput(
                credential: "mail", path: "mail/token", isMissing: isMissing)
            #expect(await outputs.altered() == [expected], "\(name)")
            #expect(await outputs.altered() == [expected], "still")
        }
        try files.removeItem(atPath: path)
        #expect(await publish() == nil)
        #expect(await outputs.altered() == [])
    }

    @Test("an absolute output is looked at too, and one that was withdrawn is not")
    func absolute() async throws {
        let there = OutputSpecification(path: folder.path + "/token", format: .raw)
        #expect(await outputs.publish(token("x"), to: [there, output]).cause?.problem == nil)
        try files.removeItem(atPath: there.path)
        #expect(await outputs.altered().map(\.path) == [there.path])
        await outputs.remove([there, output], of: "mail")
        #expect(await outputs.altered() == [])
    }

    @Test("the whole token directory is noticed and made anew")
    func directory() async throws {
        #expect(await publish() == nil)
        try files.removeItem(atPath: folder.path + "/run")
        #expect(await outputs.altered().count == 1)
        #expect(await publish() == nil)
        #expect(try text(path) == "x")
        #expect(await outputs.altered() == [])
    }

    @Test("a look while tokens are published at full speed finds nothing")
    func busy() async throws {
        await withTaskGroup(of: [AlteredOutput].self) { group in
            group.addTask {
                for number in 0..<300 { _ = await publish("t\(number)") }
                return []
            }
            group.addTask {
                var found: [AlteredOutput] = []
                for _ in 0..<300 { found += await outputs.altered() }
                return found
            }
            for await found in group { #expect(found == []) }
        }
    }
}
