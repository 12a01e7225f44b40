import Testing

@testable import TokenAdapters

@Suite("What is remembered of published files") struct OutputMarkTests {
    private let mark = OutputMarks.Mark(credential: "crm", identity: .none)

    private func filled(_ count: Int) -> OutputMarks {
        let marks = OutputMarks()
        for number in 0..<count { marks.note(mark, of: "c\(number)/token", on: "/run") }
        return marks
    }

    private func paths(_ marks: OutputMarks, on mount: String) -> [String] {
        var (found, position): ([String], Int) = ([], 0)
        while let part = marks.part(of: mount, from: position) {
            (found, position) = (found + part.entries.map(\.path), part.next)
        }
        return found
    }

    @Test("a check reads every entry of its mount by parts, once, and none of another mount")
    func parts() {
        let marks = filled(3 * OutputMarks.part + 1)
        marks.note(mark, of: "/srv/token", on: "/srv")
        #expect(paths(marks, on: "/run").sorted() == (0..<769).map { "c\($0)/token" }.sorted())
        #expect(paths(marks, on: "/srv") == ["/srv/token"])
        #expect(marks.mounts.sorted() == ["/run", "/srv"])
        #expect(marks.part(of: "/run", from: 0)?.entries.count == OutputMarks.part)
    }

    @Test("publications during a check hide no other file from it")
    func duringCheck() throws {
        let marks = filled(2 * OutputMarks.part)
        let first = try #require(marks.part(of: "/run", from: 0))
        marks.forget("c0/token")
        marks.forget("c1/token")
        marks.note(mark, of: "new/token", on: "/run")
        let second = try #require(marks.part(of: "/run", from: first.next))
        let rest = (OutputMarks.part..<2 * OutputMarks.part).map { "c\($0)/token" }
        #expect(Set(second.entries.map(\.path)).isSuperset(of: rest))
    }

    @Test("a path has one entry, on the mount of its last publication")
    func movedMount() {
        let marks = filled(1)
        marks.note(mark, of: "c0/token", on: "/srv")
        #expect(marks.mounts == ["/srv"])
        #expect(!marks.has(mark, of: "c0/token", on: "/run"))
        #expect(marks.has(mark, of: "c0/token", on: "/srv"))
        marks.forget("c0/token")
        #expect(marks.mounts.isEmpty && !marks.has(mark, of: "c0/token", on: "/srv"))
    }

    @Test("a publication costs as much among 32,000 files as among 1,000")
    func constantCost() {
        func time(among count: Int) -> Duration {
            let marks = filled(count)
            return ContinuousClock().measure {
                for number in 0..<1000 {
                    marks.forget("c\(number)/token")
                    marks.note(mark, of: "c\(number)/token", on: "/run")
                }
            }
        }
        // The best of several, because other work on the machine only adds.
        let few = (0..<3).map { _ in time(among: 1000) }.min() ?? .zero
        let many = (0..<3).map { _ in time(among: 32_000) }.min() ?? .zero
        #expect(many < few * 10)
    }
}
