import Foundation
import Testing

@testable import TokenFormats
@testable import TokenProviders
@testable import evertoken

@Suite("What words mean") struct ExplanationTests {
    private func words(_ kind: Explanation.Kind) -> [String] {
        ExplanationTable.all.filter { $0.kind == kind }.map(\.word)
    }

    private static func file(_ path: String) throws -> String {
        try String(contentsOf: repositoryRoot.appending(path: path), encoding: .utf8)
    }

    @Test("every state and class is explained, and every word that --state takes")
    func enums() {
        #expect(words(.state) == CredentialState.allCases.map(\.rawValue))
        #expect(Set(words(.failureClass)) == Set(FailureClass.allCases.map(\.rawValue)))
        #expect(Set(words(.state) + words(.condition)) == Set(StateWords.all))
    }

    @Test("every event of the journal's catalog is explained, and no other")
    func events() throws {
        let catalog = try Self.file("systemd/evertoken.catalog")
        let ids = catalog.split(separator: "\n").filter { $0.hasPrefix("-- ") }
            .map { String($0.dropFirst(3)) }
        #expect(ids.count > 5)
        #expect(words(.event).sorted() == ids.sorted())
    }

    @Test("every cause that a status may name is explained, by the table that status has it from")
    func causes() {
        #expect(words(.cause).count > 90)
        #expect(
            Set(words(.cause)) == Set(CauseKind.allCases.map(\.rawValue)).subtracting(["untold"]))
        for explanation in ExplanationTable.causes {
            #expect(!explanation.remedy.isEmpty, "\(explanation.word)")
            let text = explanation.lines.joined(separator: " ")
            #expect(!text.contains("{") && !text.contains("|"), "\(text)")
        }
        let refused = ExplanationTable.explanations(of: "connection_refused").first
        #expect(refused?.meaning.contains("HOST") == true)
    }

    @Test("no word is explained twice as the same thing, and each has something to say")
    func each() {
        #expect(
            Set(ExplanationTable.all.map { "\($0.kind) \($0.word)" }).count
                == ExplanationTable.all.count)
        for explanation in ExplanationTable.all {
            #expect(explanation.meaning.hasSuffix("."), "\(explanation.word)")
            #expect(!explanation.meaning.contains("  "))
        }
    }

    @Test("a word is found however it is written")
    func spelling() {
        #expect(
            ExplanationTable.explanations(of: "Login-Required").map(\.word) == ["login_required"])
        #expect(ExplanationTable.explanations(of: "75").map(\.kind) == [.exitStatus])
        let id = "fb694333-1b89-4f3c-a1cb-9bed10536948"
        #expect(ExplanationTable.explanations(of: id).map(\.kind) == [.event])
        #expect(ExplanationTable.explanations(of: "nothing").isEmpty)
    }

    @Test("the manual says the same of states, conditions and classes")
    func manual() throws {
        let page = try Self.file("systemd/man/evertoken.1")
        let told = Self.items(of: page, ".It Cm ")
        for explanation in ExplanationTable.all {
            guard [.state, .condition, .failureClass].contains(explanation.kind) else { continue }
            let text = explanation.lines.joined(separator: " ")
            #expect(told[explanation.word] == text, "\(explanation.word)")
        }
        let statuses = page.split(separator: "\n").filter { $0.hasPrefix(".It ") }
            .compactMap { Int($0.dropFirst(4)) }
        #expect(Set(statuses.map { String($0) }) == Set(words(.exitStatus)))
    }

    /// The items of a list in mdoc(7), without macros; one item for several words counts for each.
    private static func items(of page: String, _ begin: String) -> [String: String] {
        var items: [String: String] = [:]
        var words: [Substring] = []
        for line in page.split(separator: "\n") {
            if line.hasPrefix(begin) {
                words = line.dropFirst(begin.count).split(separator: " ").filter { $0 != "," }
                for word in words { items[String(word)] = "" }
            } else if line.hasPrefix(".It") || line.hasPrefix(".El") || line.hasPrefix(".Bl")
                || line.hasPrefix(".Sh")
            {
                words = []
            } else {
                for word in words { items[String(word)]? += " " + text(line) }
            }
        }
        return items.mapValues {
            $0.split(separator: " ").joined(separator: " ").replacing(" .", with: ".")
                .replacing(" ,", with: ",").replacing(" ;", with: ";").replacing(" :", with: ":")
        }
    }

    /// A line without its macros: `.Ic evertoken login NAME .`, `.Fl -show-request .`
    private static func text(_ line: Substring) -> String {
        guard line.hasPrefix(".") else { return String(line) }
        var words = line.dropFirst().split(separator: " ")
        let macro = words.removeFirst()
        if macro == "Fl" { words[0] = "-" + words[0] }
        return words.joined(separator: " ")
    }
}
