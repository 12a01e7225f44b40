import Testing

@testable import TokenConfiguration
@testable import TokenControl
@testable import TokenEngine
@testable import TokenFormats
@testable import TokenScheduling

@Suite("A new configuration, step by step") struct ConfigurationUpdateTests {
    private let old = (0..<300).map { "c-\($0)" }

    @Test("only what differs is applied, and each once in steps of bounded size")
    func steps() throws {
        let before = try Examples.configuration(of: old)
        var after = try Examples.configuration(of: old.dropFirst(100) + ["new"])
        for index in after.credentials.indices.prefix(150) { after.credentials[index].scope = "s" }
        let update = ConfigurationUpdate(from: before, to: after)
        #expect(update.changes.removed == old.prefix(100).sorted())
        #expect(update.touched.count == 151)
        #expect(update.abandoned.map(\.credential) == update.changes.removed)
        let changed = update.touched[0].name
        var progress = ConfigurationProgress(update, troubled: [changed, "t1", "t2"])
        var (touched, names): ([String], [String]) = ([], [])
        var steps = 0
        while !progress.isComplete {
            let step = progress.next()
            #expect(step.touched.count + step.names.count <= ConfigurationProgress.most)
            touched += step.touched.map(\.name)
            names += step.names
            steps += 1
        }
        #expect(touched == update.touched.map(\.name) && names == ["t1", "t2"])
        #expect(steps == 3)
    }

    @Test("an output that moves to another credential is not deleted")
    func movedOutput() throws {
        let before = try Examples.configuration(of: ["a", "b"])
        var after = before
        let path = before.credentials[0].outputs[0].path
        after.credentials.remove(at: 0)
        after.credentials[0].outputs.append(OutputSpecification(path: path, format: .raw))
        let update = ConfigurationUpdate(from: before, to: after)
        #expect(update.abandoned.map(\.credential) == ["a"])
        #expect(update.abandoned[0].outputs.map(\.path) == ["a/token.json"])
    }

    @Test("the tally of a few changes is that of the whole configuration")
    func tally() {
        let now = WallTime(epochSeconds: 1)
        var one = MetricsTally()
        one.configure(["a": "p", "b": "p", "c": "q", "d": "p"], at: now)
        var other = one
        one.configure(["a": "p", "b": "r", "d": "p", "e": "p"], at: now)
        other.configure(
            ["b": "r", "d": "p", "e": "p"], without: ["c"], among: ["p", "r"], at: now)
        #expect(one == other)
    }

    @Test("all credentials of a large reload are configured, and the reply comes after them")
    func large() async throws {
        let names = (0..<150).map { "c-\($0)" }
        let world = RecordingWorld()
        world.script([RecordingWorld.token(1)])
        world.loading.withLock { $0 = try? RecordingWorld.configuration(names: names) }
        try await world.run(try RecordingWorld.configuration()) { engine in
            try await world.wait("READY") { $0.contains(.ready) }
            let reply = await ask(engine, .reload)
            #expect(reply.status == 200)
            let status = await ask(engine, .status())
            let found = (status.body["credentials"]?.elements ?? []).compactMap { $0["name"]?.text }
            #expect(found == names.sorted())
        }
    }
}
