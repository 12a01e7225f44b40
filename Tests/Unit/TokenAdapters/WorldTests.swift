import Dispatch
import Foundation
import Synchronization
import Testing

@testable import TokenAdapters
@testable import TokenControl
@testable import TokenEngine
@testable import TokenFormats
@testable import TokenProviders

@Suite("Programs") struct ProcessTests {
    private func run(_ script: String, seconds: Int = 5) -> Result<[UInt8], ChildProcess.Failure> {
        let child = ChildProcess(
            arguments: ["/bin/sh", "-c", script], environment: ["A=1"], timeout: .seconds(seconds))
        do throws(ChildProcess.Failure) { return .success(try child.run()) } catch {
            return .failure(error)
        }
    }

    @Test("output, environment and exit status are those of the program")
    func plain() throws {
        #expect(try run("printf %s \"$A$B\"; env | wc -l").get().first == UInt8(ascii: "1"))
        guard case .failure(.exited(3)) = run("exit 3") else {
            Issue.record("the exit status is lost")
            return
        }
    }

    @Test("it starts with its limit of processes, and nothing open but its output")
    func processLimit() throws {
        var child = ChildProcess(
            arguments: ["/bin/sh", "-c", "cat /proc/self/limits; ls /proc/self/fd"],
            environment: [], timeout: .seconds(5))
        child.mostProcesses = 4321
        let output = String(decoding: try child.run(), as: UTF8.self)
        let limits = output.split(separator: "\n").first { $0.hasPrefix("Max processes") }
        #expect(limits?.split(separator: " ").dropFirst(2).first == "4321")
        // ls(1) itself has the directory open.
        #expect(output.hasSuffix("\n0\n1\n2\n3\n"))
    }

    @Test("one that hangs is killed at its timeout, with all it started", .timeLimit(.minutes(20)))
    func hangs() {
        for script in ["sleep 60", "exec >&-; sleep 60", "sleep 60 & sleep 60"] {
            let start = SystemClock().now().uptime
            guard case .failure(.timedOut) = run(script, seconds: 1) else {
                Issue.record("not timed out: \(script)")
                continue
            }
            #expect(start.duration(to: SystemClock().now().uptime) < .seconds(3))
        }
    }

    @Test("whatever it started in its group ends with it, timed out or not")
    func group() throws {
        let folder = try Folder()
        for (end, seconds) in [("exit 0", 5), ("sleep 60", 1)] {
            let note = folder.path + "/child of \(seconds)"
            _ = run("sleep 60 >&- & echo $! >'\(note)'; \(end)", seconds: seconds)
            let process = try String(contentsOfFile: note, encoding: .utf8)
                .trimmingCharacters(in: .newlines)
            var isThere = true
            for _ in 0..<100 where isThere {
                let about = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)
                // Gone, or waiting for its new parent to reap it.
                isThere = !(about?.contains(") Z ") ?? true)
                if isThere { usleep(20_000) }
            }
            #expect(!isThere, "\(end)")
        }
    }

    @Test("one whose child holds the output open is not waited for", .timeLimit(.minutes(20)))
    func daemonised() throws {
        let start = SystemClock().now().uptime
        #expect(try run("sleep 30 & echo secret").get() == Array("secret\n".utf8))
        #expect(start.duration(to: SystemClock().now().uptime) < .seconds(3))
    }
}

@Suite("Dispatch handlers fire", .timeLimit(.minutes(20))) struct HandlerTests {
    @Test("the timer wakes at its deadline, and at its cap when nothing is due")
    func timer() async throws {
        let clock = SystemClock()
        let wakes = Mutex(0)
        let relay = Relay<Void, Void>()
        relay.connect { _ in wakes.withLock { $0 += 1 } }
        let timer = DispatchWakeTimer(
            clock: clock, cap: .milliseconds(200), wake: { relay.pass(()) })
        timer.arm(at: clock.now().uptime.advanced(by: .milliseconds(50)))
        try await Task.sleep(for: .milliseconds(120))
        #expect(wakes.withLock { $0 } == 1)
        timer.arm(at: nil)
        try await Task.sleep(for: .milliseconds(350))
        #expect(wakes.withLock { $0 } == 2)
    }

    @Test("a signal becomes an event")
    func signals() async throws {
        let seen = Mutex(0)
        let watch = SignalWatch([(SIGUSR1, { @Sendable in seen.withLock { $0 += 1 } })])
        // Another thread registers the source: the first signal may come too early.
        for _ in 0..<200 where seen.withLock({ $0 }) == 0 {
            kill(getpid(), SIGUSR1)
            try await Task.sleep(for: .milliseconds(20))
        }
        #expect(seen.withLock { $0 } > 0)
        withExtendedLifetime(watch) {}
    }
}

@Suite("libcurl against a real socket", .timeLimit(.minutes(20))) struct CurlEndpointTests {
    private func request(_ port: UInt16, _ body: String = "a=b") -> WireRequest {
        WireRequest(
            request: RenderedRequest(
                method: "POST", url: "http://127.0.0.1:\(port)/token",
                headers: [HeaderField("Content-Type", "application/x-www-form-urlencoded")],
                body: Array(body.utf8)),
            timeout: .seconds(5), connectTimeout: .seconds(2), caFile: nil, proxy: nil)
    }

    @Test("a hundred requests, eight at a time, each gets its own answer on its own connection")
    func many() async throws {
        let server = try HTTPServer.loopback(port: 0) { request, _, respond in
            respond(HTTPResponse(200, body: request.body))
        }
        let curl = CurlEndpoint(base: ".")
        await withTaskGroup(of: Void.self) { group in
            for lane in 0..<8 {
                group.addTask {
                    for number in 0..<13 {
                        let text = "n=\(lane)-\(number)"
                        let result = await curl.send(request(server.port, text))
                        guard case .answered(let answer) = result else {
                            Issue.record("\(text): \(result)")
                            return
                        }
                        #expect(answer.body == Array(text.utf8))
                        #expect(answer.status == 200 && !answer.isTruncated)
                    }
                }
            }
        }
        server.stop()
    }

    @Test("nothing listening is not sent; a name that does not exist is not sent")
    func notSent() async throws {
        let server = try HTTPServer.loopback(port: 0) { _, _, _ in }
        let port = server.port
        server.stop()
        try await Task.sleep(for: .milliseconds(100))
        guard case .notSent = await CurlEndpoint(base: ".").send(request(port)) else {
            Issue.record("it counts as sent")
            return
        }
    }
}

@Suite("Metrics") struct MetricsTests {
    @Test("the configured loopback listener serves them, and nothing else")
    func listener() async throws {
        let server = try MetricsServer(address: "127.0.0.1:0") { _, reply in
            let report = MetricsReport(
                startedAt: WallTime(.zero), now: WallTime(.zero), isReady: true, mistakes: 0)
            reply(ControlReply(200, .metrics(report)))
        }
        withExtendedLifetime(server) {}
    }
}
