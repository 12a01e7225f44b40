import Testing

@testable import TokenConfiguration
@testable import TokenFormats

@Suite("A configuration that is read again") struct ConfigurationMemoryTests {
    private func credential(_ name: String, more: String = "") -> String {
        #""\#(name)": {"provider": "as", "client_id": "id-\#(name)", "client_secret": "s"\#(more)}"#
    }

    private func file(_ path: String, _ text: String, mode: UInt32 = 0o640) -> ConfigurationFile {
        ConfigurationFile(path: path, bytes: Array(text.utf8), mode: mode)
    }

    /// A main file with a provider, two files with credentials and one with a provider.
    private var files: [ConfigurationFile] {
        [
            file(
                "main.json",
                "{\"providers\": {\(Examples.rfc(lifecycle: "{}"))}, "
                    + "\"credentials\": {\(credential("m"))}}"),
            file("a.json", "{\"credentials\": {\(credential("a1")), \(credential("z"))}}"),
            file("b.json", "{\"credentials\": {\(credential("b1"))}}"),
            file("p.json", #"{"providers": {"other": {"extends": "as"}}}"#),
        ]
    }

    /// Reads the files before and after a change. The result is that of a first read.
    private func parsed(
        _ change: (inout [ConfigurationFile]) -> Void
    ) throws -> [String] {
        var (memory, files) = (ConfigurationMemory(), files)
        _ = try memory.read(main: files[0], dropIns: Array(files.dropFirst()))
        #expect(memory.parsed == files.map(\.path))
        change(&files)
        let (again, warnings) = try memory.read(
            main: files[0], dropIns: Array(files.dropFirst()))
        let first = try Configuration.read(main: files[0], dropIns: Array(files.dropFirst()))
        #expect(again == first && warnings.isEmpty)
        return memory.parsed
    }

    @Test("without a change no file is parsed again, with one only that file")
    func one() throws {
        #expect(try parsed { _ in } == [])
        let changed = try parsed {
            $0[1] = file("a.json", "{\"credentials\": {\(credential("a2"))}}")
        }
        #expect(changed == ["a.json"])
        #expect(try parsed { $0.remove(at: 1) } == [])
        let added = file("c.json", "{\"credentials\": {\(credential("c")), \(credential("a"))}}")
        #expect(try parsed { $0.append(added) } == ["c.json"])
        let other = file(
            "b.json",
            #"{"credentials": {"b": {"provider": "other", "client_id":"i", "client_secret": "x"}}}"#
        )
        #expect(try parsed { $0[2] = other } == ["b.json"])
    }

    @Test("a credential may move from one file to another")
    func moved() throws {
        let paths = try parsed {
            $0[1] = file("a.json", "{\"credentials\": {\(credential("a1"))}}")
            $0[2] = file("b.json", "{\"credentials\": {\(credential("b1")), \(credential("z"))}}")
        }
        #expect(paths == ["a.json", "b.json"])
    }

    @Test("what other files use concerns all of them")
    func shared() throws {
        let all = files.map(\.path)
        let defaults = try parsed {
            let text = String(decoding: $0[0].bytes, as: UTF8.self).dropFirst()
            $0[0] = file("main.json", "{\"defaults\": {\"refresh\": {\"at\": \"50%\"}}, \(text)")
        }
        #expect(defaults == all)
        let provider = try parsed {
            $0[3] = file("p.json", #"{"providers": {"another": {"extends": "as"}}}"#)
        }
        #expect(provider == all)
        #expect(try parsed { $0.removeLast() } == all.dropLast())
        let new = try parsed {
            $0[2] = file(
                "b.json",
                "{\"providers\": {\"n\": {\"extends\": \"as\"}}, "
                    + "\"credentials\": {\(credential("b1"))}}")
        }
        #expect(new == all)
    }

    @Test(
        "mistakes are those of a first read, also between files",
        arguments: [
            #"{"credentials": {"b1": {"provider": "none"}}}"#, "{",
            #"{"credentials": {"z": {"provider": "as", "client_id": "i", "client_secret": "s"}}}"#,
            """
            {"credentials": {"b1": {"provider": "as", "client_id": "i", "client_secret": "s",
             "outputs": [{"path": "z/token"}]}}}
            """,
        ])
    func mistakes(_ text: String) throws {
        var (memory, files) = (ConfigurationMemory(), files)
        _ = try memory.read(main: files[0], dropIns: Array(files.dropFirst()))
        let good = files
        files[2] = file("b.json", text)
        var (found, expected): ([ConfigurationMistake], [ConfigurationMistake]) = ([], [])
        do throws(ConfigurationMistakes) {
            _ = try memory.read(main: files[0], dropIns: Array(files.dropFirst()))
        } catch { found = error.all }
        do throws(ConfigurationMistakes) {
            _ = try Configuration.read(main: files[0], dropIns: Array(files.dropFirst()))
        } catch { expected = error.all }
        #expect(!found.isEmpty && found == expected)
        // The configuration in force is the former one; its files are unchanged against it.
        let (again, _) = try memory.read(main: good[0], dropIns: Array(good.dropFirst()))
        #expect(again.credentials.map(\.name) == ["a1", "b1", "m", "z"])
    }

    @Test("a file that others may read now is read again: its secrets are refused")
    func mode() throws {
        var (memory, files) = (ConfigurationMemory(), files)
        _ = try memory.read(main: files[0], dropIns: Array(files.dropFirst()))
        files[1].mode = 0o644
        #expect(throws: ConfigurationMistakes.self) {
            _ = try memory.read(main: files[0], dropIns: Array(files.dropFirst()))
        }
    }
}
