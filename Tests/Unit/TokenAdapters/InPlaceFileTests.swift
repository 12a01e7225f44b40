import Foundation
import Testing

@testable import TokenAdapters
@testable import TokenConfiguration
@testable import TokenEngine
@testable import TokenFormats
@testable import TokenScheduling

@Suite("Token files that are written in place") struct InPlaceFileTests {
    private let folder: Folder
    private let outputs: OutputDirectory

    init() throws {
        folder = try Folder()
        outputs = try OutputDirectory(path: folder.path + "/run")
    }

    private var path: String { folder.path + "/run/mail/token" }

    private func publish(
        _ text: String, _ format: OutputSpecification.Format = .raw, mode: UInt32 = 0o640
    ) async -> String? {
        var output = OutputSpecification(path: "mail/token", format: format)
        (output.isWrittenInPlace, output.mode) = (true, mode)
        return await outputs.publish(token(text), to: [output]).cause?.problem
    }

    private var about: stat {
        var about = stat()
        _ = lstat(path, &about)
        return about
    }

    private func text() throws -> String { try String(contentsOfFile: path, encoding: .utf8) }

    @Test("it keeps its inode, whatever is longer or shorter, and is exactly the newest")
    func inode() async throws {
        #expect(await publish("first") == nil)
        let first = about
        let reader = open(path, O_RDONLY)
        defer { close(reader) }
        for token in ["a longer token", "b", String(repeating: "c", count: 9000), "second"] {
            #expect(await publish(token) == nil)
            #expect(try text() == token)
        }
        #expect(about.st_ino == first.st_ino && about.st_nlink == 1)
        var bytes = [UInt8](repeating: 0, count: 99)
        #expect(pread(reader, &bytes, 99, 0) == 6, "an open descriptor reads the newest content")
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path + "/run/mail")
        #expect(names == ["token"])
    }

    @Test("JSON keeps its length: blanks stand where the longer one ended")
    func padding() async throws {
        #expect(await publish(String(repeating: "l", count: 500), .json) == nil)
        let size = about.st_size
        #expect(await publish("short", .json) == nil)
        #expect(about.st_size == size)
        let bytes = Array(try text().utf8)
        #expect(try JSONReader.read(bytes)["access_token"]?.text == "short")
        #expect(bytes.last == 0x0A && bytes.contains { $0 == 0x20 })
        let before = about
        #expect(await publish("short", .json) == nil)
        #expect(
            about.st_mtim.tv_nsec == before.st_mtim.tv_nsec || about.st_ctim.tv_sec == 0,
            "what is already so is left alone, padding or not")
    }

    @Test("JSON is one whole document at every call that a reader makes between two writes")
    func readers() async throws {
        #expect(await publish("first", .json) == nil)
        let last = 400
        try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<2 {
                group.addTask {
                    var (seen, torn) = ("", 0)
                    while seen != "t\(last)" {
                        let bytes = try Data(contentsOf: URL(filePath: path))
                        // A read during the write may have parts of both contents.
                        guard let json = try? JSONReader.read(Array(bytes)) else {
                            torn += 1
                            #expect(!bytes.isEmpty, "it was empty")
                            continue
                        }
                        seen = json["access_token"]?.text ?? ""
                        await Task.yield()
                    }
                    return torn
                }
            }
            group.addTask {
                for number in 1...last { _ = await publish("t\(number)", .json) }
                return 0
            }
            for try await torn in group { #expect(torn < last / 10) }
        }
    }

    @Test("the mode is as configured before the new token is in it")
    func mode() async throws {
        #expect(await publish("first") == nil)
        #expect(chmod(path, 0o666) == 0)
        #expect(await publish("second") == nil)
        #expect(about.st_mode & 0o7777 == 0o640)
        #expect(await publish("second", mode: 0o600) == nil)
        #expect(about.st_mode & 0o7777 == 0o600)
    }

    @Test("a file with a second name is left as it is, for that may be another file")
    func hardLink() async throws {
        #expect(await publish("first") == nil)
        try FileManager.default.linkItem(atPath: path, toPath: folder.path + "/other")
        let problem = try #require(await publish("second"))
        #expect(problem.contains("mail/token has more than one name"))
        #expect(try text() == "first")
    }

    @Test("another user's file is left as it is", .enabled(if: geteuid() == 0))
    func foreign() async throws {
        #expect(await publish("first") == nil)
        #expect(chown(path, 12345, gid_t.max) == 0)
        let problem = try #require(await publish("second"))
        #expect(problem.contains("belongs to user 12345"))
        #expect(try text() == "first")
    }

    private func run(_ words: String...) throws {
        let process = try Process.run(URL(filePath: "/usr/bin/env"), arguments: words)
        process.waitUntilExit()
        try #require(process.terminationStatus == 0)
    }

    @Test("a disk that is full changes nothing", .enabled(if: geteuid() == 0))
    func full() async throws {
        let disk = folder.path + "/disk"
        try FileManager.default.createDirectory(atPath: disk, withIntermediateDirectories: false)
        try run("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk)
        defer { try? run("umount", "--lazy", disk) }
        var output = OutputSpecification(path: disk + "/token", format: .raw)
        output.isWrittenInPlace = true
        #expect(await outputs.publish(token("first"), to: [output]).cause?.problem == nil)
        let report = await outputs.publish(
            token(String(repeating: "x", count: 200_000)), to: [output])
        #expect(try #require(report.cause?.problem).contains("make room for \(disk)/token"))
        #expect(try String(contentsOfFile: output.path, encoding: .utf8) == "first")
        #expect(await outputs.publish(token("third"), to: [output]).cause?.problem == nil)
    }
}
