import Synchronization
import Testing

@testable import TokenControl
@testable import TokenEngine

@Suite("Reloads, with files that take their time", .timeLimit(.minutes(20)))
struct ReloadTests {
    private func waitUntil(_ what: String, _ condition: () -> Bool) async throws {
        for _ in 0..<500 {
            if condition() { return }
            try await Task.sleep(for: .milliseconds(10))
        }
        throw Waited(what: what)
    }
    private struct Waited: Error { var what: String }

    @Test("while the files are read everything else goes on; the reply comes after them")
    func slowFiles() async throws {
        let world = RecordingWorld()
        world.script([RecordingWorld.token(1), RecordingWorld.token(2)])
        world.holdsLoading.withLock { $0 = true }
        world.loading.withLock { $0 = try? RecordingWorld.configuration(names: ["mail", "chat"]) }
        try await world.run(try RecordingWorld.configuration()) { engine in
            try await world.wait("READY") { $0.contains(.ready) }
            async let reloaded = ask(engine, .reload)
            try await waitUntil("the read") { world.heldLoading.withLock { !$0.isEmpty } }
            let token = await ask(engine, .token("mail", minimumLife: .zero))
            #expect(token.status == 200)
            #expect(await ask(engine, .credential("chat")).status == 404)
            world.heldLoading.withLock { $0.removeFirst() }()
            #expect(await reloaded.status == 200)
            #expect(await ask(engine, .credential("chat")).status == 200)
        }
        #expect(world.deeds.filter { $0 == .reloading }.count == 1)
    }

    @Test("a reload that is asked for during a read reads again; both replies are of their read")
    func changedMeanwhile() async throws {
        let world = RecordingWorld()
        world.script([RecordingWorld.token(1)])
        world.holdsLoading.withLock { $0 = true }
        try await world.run(try RecordingWorld.configuration()) { engine in
            try await world.wait("READY") { $0.contains(.ready) }
            async let first = ask(engine, .reload)
            try await waitUntil("the first read") { world.heldLoading.withLock { $0.count } == 1 }
            async let second = ask(engine, .reload)
            // It is in the loop's inbox before this answer is.
            try await Task.sleep(for: .milliseconds(50))
            #expect(await ask(engine, .liveness).status == 200)
            #expect(world.heldLoading.withLock { $0.count } == 1, "two reads at a time")
            world.heldLoading.withLock { $0.removeFirst() }()
            #expect(await first.status == 200)
            try await waitUntil("the second read") { world.heldLoading.withLock { !$0.isEmpty } }
            let names = ["mail", "chat"]
            world.loading.withLock { $0 = try? RecordingWorld.configuration(names: names) }
            world.heldLoading.withLock { $0.removeFirst() }()
            #expect(await second.status == 200)
            #expect(await ask(engine, .credential("chat")).status == 200)
        }
        #expect(world.deeds.filter { $0 == .reloading }.count == 2)
    }

    @Test("a stop does not wait for files, and answers who waits for them")
    func stopWhileReading() async throws {
        let world = RecordingWorld()
        world.script([RecordingWorld.token(1)])
        world.holdsLoading.withLock { $0 = true }
        try await world.run(try RecordingWorld.configuration()) { engine in
            try await world.wait("READY") { $0.contains(.ready) }
            async let reloaded = ask(engine, .reload)
            try await waitUntil("the read") { world.heldLoading.withLock { !$0.isEmpty } }
            engine.inbox.yield(.stop)
            #expect(await reloaded.status == 503)
        }
        #expect(world.deeds.contains(.stopping))
    }
}
