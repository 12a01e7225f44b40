import Foundation
import Synchronization
import Testing

@testable import TokenAdapters
@testable import TokenConfiguration
@testable import TokenEngine
@testable import TokenFormats

@Suite("Secrets from their places") struct SecretResolverTests {
    private let folder: Folder

    init() throws { folder = try Folder() }

    private func put(_ text: String, in name: String) {
        put(Array(text.utf8), in: name)
    }

    private func put(_ bytes: [UInt8], in name: String) {
        _ = FileManager.default.createFile(
            atPath: folder.path + "/" + name, contents: Data(bytes))
    }

    private func problem(
        _ reader: SecretResolver, _ source: SecretSource, as shape: SecretText.Shape = .line
    ) async -> String? {
        do throws(Cause) {
            _ = try await reader.read(source, as: shape)
            return nil
        } catch { return error.problem }
    }

    @Test("white space around it goes, unless the configuration says that it counts")
    func places() async throws {
        let reader = SecretResolver(base: folder.path)
        put("two\r\n\n", in: "s")
        setenv("EVERTOKEN_TEST_SECRET", " two\r", 1)
        let print = SecretSource.command(["/usr/bin/printf", "two \\r\\n"])
        for source in [.file("s"), .environment("EVERTOKEN_TEST_SECRET"), print] {
            let text = try await reader.read(source, as: .line)
            #expect(text.secret == Secret("two"))
            let exact = try await reader.read(.exact(source), as: .line)
            #expect(exact.secret != text.secret && exact.secret.reveal().contains("two"))
        }
        #expect(try await reader.read(.exact(.file("s")), as: .line).secret == Secret("two\r\n\n"))
        #expect(try await reader.read(.inline(Secret(" x ")), as: .line).secret == Secret(" x "))
    }

    @Test("what can be no secret is refused, and its place is named")
    func refused() async throws {
        let reader = SecretResolver(base: folder.path)
        put([], in: "empty")
        put(" \r\n", in: "blank")
        put([0xFF, 0xFE, 0x63, 0x00], in: "wide")
        put([0x63, 0x00, 0x64], in: "nul")
        put([0x63, 0xC3], in: "binary")
        put("-----BEGIN\nX", in: "lines")
        mkfifo(folder.path + "/fifo", 0o600)
        for name in ["missing", "empty", "blank", "wide", "nul", "binary", "lines", "fifo"] {
            let said = await problem(reader, .file(name)) ?? "nothing"
            #expect(said.contains("\(folder.path)/\(name)"), "\(said)")
        }
        #expect(await problem(reader, .file("lines"), as: .lines) == nil)
        setenv("EVERTOKEN_TEST_BELL", "a\u{7}b", 1)
        let said = await problem(reader, .environment("EVERTOKEN_TEST_BELL")) ?? "nothing"
        #expect(said.contains("EVERTOKEN_TEST_BELL") && said.contains("U+0007"), "\(said)")
        for source in [
            SecretSource.environment("EVERTOKEN_NO_SUCH"), .command(["/bin/false"]),
            .command(["/no/such/program"]), .command(["/bin/true"]),
        ] {
            #expect(await problem(reader, source) != nil)
        }
    }

    @Test("what was dropped is told once of each place, and again when it is something else")
    func told() async throws {
        let told = Mutex<[String]>([])
        let reader = SecretResolver(
            base: folder.path,
            noticed: { place, trimming in told.withLock { $0.append("\(place): \(trimming)") } })
        put("RT1\n", in: "plain")
        put("RT1\r\n", in: "s")
        for _ in 0..<3 {
            _ = try await reader.read(.file("plain"), as: .line)
            _ = try await reader.read(.file("s"), as: .line)
        }
        #expect(
            told.withLock { $0 }
                == ["\(folder.path)/s: carriage returns, line feeds after it"])
        put("RT1 \n", in: "s")
        _ = try await reader.read(.file("s"), as: .line)
        #expect(told.withLock { $0 }.count == 2)
    }

    @Test("check tells of a configuration's secrets what the daemon would meet; none is shown")
    func survey() throws {
        put("s3cret\r\n", in: "trimmed")
        put("s3c\nret", in: "lines")
        put("s3cret\n", in: "good")
        let text = """
            {"providers": {"as": {"request": {"url": "https://id.example/token"},
               "variables": {"tenant": {"multiline": true}}}},
             "credentials": {"crm": {"provider": "as", "client_id": {"file": "trimmed"},
               "client_secret": {"file": "lines"}, "refresh_token": {"file": "good"},
               "variables": {"tenant": {"file": "lines"}, "a": {"command": ["/no/such"]},
                 "b": {"env": "EVERTOKEN_NO_SUCH"}, "c": {"file": "missing"}}}}}
            """
        let configuration = try Configuration.read(
            main: ConfigurationFile(path: "c.json", bytes: Array(text.utf8), mode: 0o600))
        let warnings = PlaceSurvey(
            base: folder.path, tokenDirectory: folder.path + "/run", user: DaemonUser.current,
            isInService: false
        ).findingsNow(in: configuration, files: []).filter { $0.file?.hasPrefix("/no") != true }
            .map(\.text).filter { !$0.contains("has no effect") }
        let starts = ["crm.client_id: ", "crm.client_secret: ", "crm.variables.c: "]
        #expect(warnings.count == 3, "\(warnings)")
        for (warning, start) in zip(warnings, starts) {
            #expect(warning.hasPrefix(start) && !warning.contains("s3c"), "\(warning)")
        }
        #expect(warnings.first?.contains("carriage returns") == true)
    }
}
