import Foundation
import Testing

/// The rules for this repository, as tests of its files; each states its reason.
/// A text that must not appear below a folder, with the reason.
struct Ban: Sendable, CustomTestStringConvertible {
    var text: String, under: String, because: String
    var except: Set<String> = []
    var testDescription: String { "'\(text)' in \(under)" }
}

/// The names of the layout on the disk, which only the store below the storage port may know.
private let slotWalls = ["SlotPair", "SlotLayout", "SlotAlternation", "SlotWrite", "SlotMarks"]
    .flatMap { name in
        [
            Ban(
                text: name, under: "Sources/TokenEngine",
                because: "where a state is stored is below the storage port",
                except: ["SlotStore.swift"]),
            Ban(
                text: name, under: "Sources/TokenSlots/Attempt",
                because: "the protocol knows evidence, and no slot"),
        ]
    }

/// The targets below the engine: values in, values out.
private let pureTargets = [
    "TokenFormats", "TokenProviders", "TokenSlots", "TokenConfiguration", "TokenScheduling",
    "TokenControl",
]

private let bansInPureTargets = pureTargets.flatMap { target in
    [
        ("import Dispatch", "the core has no threads"), ("import Glibc", "the core has no I/O"),
        ("Task {", "the core starts nothing"), ("await ", "the core waits for nothing"),
        ("SystemRandomNumberGenerator", "it must replay from a seed"),
        (".now()", "time is an argument named now"),
        (" print(", "it returns what it has to say"),
    ].map { Ban(text: $0.0, under: "Sources/\(target)", because: $0.1) }
}

private let bans = [
    Ban(text: "import Foundation\n", under: "Sources", because: "full Foundation costs 45 MB"),
    Ban(text: "import Glibc", under: "Sources/TokenEngine", because: "it asks its ports"),
    Ban(
        text: "import Dispatch", under: "Sources/TokenEngine", because: "it asks its ports"),
    Ban(text: "try!", under: "Sources", because: "a daemon may not crash on input"),
    Ban(text: "URLSession", under: "Sources", because: "it sends a dropped POST again"),
    Ban(
        text: "@unchecked Sendable", under: "Sources", because: "prove it, or use Mutex",
        except: ["CurlEndpoint.swift", "ConnectionHost.swift"]),
    Ban(text: "FIXME", under: "Sources", because: "finish it"),
    Ban(text: "TODO", under: "Sources", because: "finish it"),
    Ban(
        text: " print(", under: "Sources/TokenAdapters",
        because: "it has a journal"),
    Ban(
        text: " print(", under: "Sources/TokenEngine", because: "it has a journal"
    ),
]

@Test("banned text", arguments: bans + bansInPureTargets + slotWalls) func banned(ban: Ban) throws {
    for file in try files(under: ban.under) where !ban.except.contains(file.name) {
        #expect(!file.text.contains(ban.text), "\(file.name): \(ban.because)")
    }
}

/// The floors, each with the modules of this package that it may import. Slots and Configuration do
/// not know each other; the command line does not know the engine.
private let floors: [(target: String, modules: Set<String>)] = [
    ("TokenFormats", []),
    ("TokenProviders", ["TokenFormats", "CInflate"]),
    ("TokenSlots", ["TokenFormats", "TokenProviders"]),
    ("TokenConfiguration", ["TokenFormats", "TokenProviders"]),
    ("TokenScheduling", below("TokenScheduling")),
    ("TokenControl", below("TokenControl")),
    ("TokenEngine", below("TokenEngine")),
    (
        "TokenAdapters",
        below("TokenAdapters").union(["CCurl", "CLinux", "CSystemd", "CVerification"])
    ),
    ("evertokend", below("evertokend")),
    ("evertoken", below("evertokend").subtracting(["TokenEngine"])),
]

private func below(_ target: String) -> Set<String> {
    let order = pureTargets + ["TokenEngine", "TokenAdapters", "evertokend"]
    return Set(order.prefix { $0 != target })
}

@Test("dependencies point one way, from the programs to the formats", arguments: floors)
func dependencies(target: String, allowed: Set<String>) throws {
    let shims = ["CCurl", "CInflate", "CLinux", "CSystemd", "CVerification"]
    let ours = Set(floors.map(\.target)).union(shims)
    var imports = 0
    for file in try files(under: "Sources/\(target)") {
        for module in importedModules(file.text) where ours.contains(module) {
            imports += 1
            #expect(allowed.contains(module), "\(target)/\(file.name) imports \(module)")
        }
    }
    #expect(imports > 0 || target == "TokenFormats", "no import was found in \(target)")
}

private func importedModules(_ text: String) -> [String] {
    text.split(separator: "\n").compactMap { line in
        let words = line.split(separator: " ")
        guard let at = words.firstIndex(of: "import"), at + 1 < words.count, at <= 2 else {
            return nil
        }
        return String(words[at + 1])
    }
}

@Test("nothing is public: the programs of this package are its only users")
func nothingPublic() throws {
    for file in try files(under: "Sources") {
        for line in file.text.split(separator: "\n") {
            let code = line.drop { $0 == " " }
            #expect(!code.hasPrefix("public "), "\(file.name): use package: \(code)")
        }
    }
}

@Test("no line over 100 columns, no file over 500 lines", arguments: ["Sources", "Tests"])
func sizes(folder: String) throws {
    for file in try files(under: folder) {
        let lines = file.text.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines.count <= 501, "\(file.name) has \(lines.count) lines")
        for (number, line) in lines.enumerated() where line.count > 100 {
            Issue.record("\(file.name):\(number + 1) has \(line.count) columns")
        }
    }
}

@Test("no line of the system tests over 100 columns, no file over 500 lines")
func pythonSizes() throws {
    for file in try files(under: "Tests/System", "py") {
        let lines = file.text.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines.count <= 501, "\(file.name) has \(lines.count) lines")
        for (number, line) in lines.enumerated() where line.count > 100 {
            Issue.record("\(file.name):\(number + 1) has \(line.count) columns")
        }
    }
}

@Test("no function over 60 lines", arguments: ["Sources", "Tests"])
func functionLengths(folder: String) throws {
    var functions = 0
    for file in try files(under: folder) {
        for function in functionSpans(in: file.text) {
            functions += 1
            #expect(
                function.lines <= 60,
                "\(file.name):\(function.start) has a function of \(function.lines) lines")
        }
    }
    #expect(functions > 1000)
}

@Test("the length of a function is counted from its first line to its brace")
func functionSpansAreCounted() {
    let text = """
        protocol P {
            func none()
        }
        struct S {
            func one() {}
            private static func four(
                a: Int
            ) {
            }
        }
        """
    #expect(functionSpans(in: text).map { [$0.start, $0.lines] } == [[5, 1], [6, 4]])
}

/// The line of each function with a body, and its length. Relies on the formatter: the closing
/// brace is in the column where the function begins.
private func functionSpans(in text: String) -> [(start: Int, lines: Int)] {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    let head = /^ *(@\S+ )*([a-z]+(\([a-z]+\))? )*(func |init[?(<]|deinit )/
    return lines.indices.compactMap { start in
        guard lines[start].prefixMatch(of: head) != nil else { return nil }
        let indent = lines[start].prefix { $0 == " " }
        // The signature ends with the brace of the body; a protocol requirement has none.
        for line in start..<lines.count {
            if lines[line].hasSuffix("}") { return (start + 1, line - start + 1) }
            if lines[line].hasSuffix("{") {
                let end = lines[line...].firstIndex { $0 == indent + "}" }
                return end.map { (start + 1, $0 - start + 1) }
            }
            let next = line + 1 < lines.count ? lines[line + 1] : ""
            if next.prefix(indent.count + 1).allSatisfy({ $0 == " " }), !next.isEmpty { continue }
            guard next.hasPrefix(indent + ")") else { return nil }
        }
        return nil
    }
}

@Test("every profile file is shipped, and every shipped one is named after its file")
func profiles() throws {
    let names = try files(under: "Sources/TokenProviders/Profiles", "json").map {
        String($0.name.dropLast(".json".count))
    }
    let list = try String(
        contentsOf: repositoryRoot.appending(
            path: "Sources/TokenProviders/Catalogue/ShippedProfiles.swift"),
        encoding: .utf8)
    for name in names { #expect(list.contains("(\"\(name)\", PackageResources."), "\(name)") }
}

@Test("every event worth alerting on is explained by the journal's catalog, and no other")
func catalogue() throws {
    let notices = try String(
        contentsOf: repositoryRoot.appending(path: "Sources/TokenEngine/Loop/Notices.swift"),
        encoding: .utf8)
    let catalog = try String(
        contentsOf: repositoryRoot.appending(path: "systemd/evertoken.catalog"), encoding: .utf8)
    let ids = notices.matches(of: /static let \w+ = "([0-9a-f]{32})"/).map { String($0.1) }
    try #require(ids.count > 5)
    #expect(Set(ids).count == ids.count, "two events share an identity")
    let entries = catalog.split(separator: "\n-- ").dropFirst()
    #expect(entries.map { String($0.prefix(32)) }.sorted() == ids.sorted())
    for entry in entries {
        for header in ["Subject", "Defined-By", "Support", "Documentation"] {
            #expect(entry.contains("\n\(header): "), "\(entry.prefix(32)) has no \(header)")
        }
    }
}

@Test("the top level holds what it may hold, and nothing else")
func topLevel() throws {
    let allowed: Set<String> = [
        "Package.swift", "Sources", "Tests", "systemd", "config", "README.md", "LICENSE",
        "Package.resolved",
    ]
    for name in try FileManager.default.contentsOfDirectory(atPath: repositoryRoot.path) {
        #expect(name.hasPrefix(".") || allowed.contains(name), "\(name)")
    }
}
