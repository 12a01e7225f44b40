internal import Glibc
internal import TokenAdapters
internal import TokenConfiguration
internal import TokenControl
internal import TokenFormats

/// Watches the demo: draws the table, and reads the token files as other programs would.
struct DemoRun {
    struct Verdict {
        var isGood: Bool
        /// No failure, but the time did not suffice for two refreshes of each credential.
        var isTooShort: Bool
        var text: String
    }

    let daemon: DemoDaemon
    let providers: DemoProviders
    let seconds: Int?
    private let clock = SystemClock()
    private let isTerminal = isatty(STDOUT_FILENO) == 1

    init(daemon: DemoDaemon, providers: DemoProviders, seconds: Int?) {
        (self.daemon, self.providers, self.seconds) = (daemon, providers, seconds)
    }

    func watch() -> Verdict {
        print(
            "token files: \(daemon.folder)/run/NAME/token (and token.json); tokens live "
                + "\(DemoProviders.lifetime) s\n")
        let end = seconds.map { clock.now().uptime.advanced(by: .seconds(Int64($0))) }
        var drawn = 0
        var nextDrawAt = clock.now().uptime
        var watchers = DemoDaemon.credentials.map {
            TokenFileWatcher(path: "\(daemon.folder)/run/\($0)/token.json")
        }
        while demoWasInterrupted == 0 {
            let now = clock.now()
            if let end, now.uptime >= end { break }
            guard daemon.isRunning else { break }
            for index in watchers.indices { watchers[index].look(now: now.wall) }
            if now.uptime >= nextDrawAt {
                drawn = draw(erasing: drawn, now: now)
                nextDrawAt = now.uptime.advanced(by: isTerminal ? .seconds(1) : .seconds(5))
            }
            fflush(nil)
            usleep(50_000)
        }
        drawn = draw(erasing: drawn, now: clock.now())
        return verdict(watchers)
    }

    private func draw(erasing drawn: Int, now: Moment) -> Int {
        let client = ControlClient(path: daemon.socket)
        guard let reply = try? client.quietRequest(.status(), timeout: 2) else {
            return drawn
        }
        if isTerminal, drawn > 0 { print("\u{1B}[\(drawn)A\u{1B}[J", terminator: "") }
        var lines = StatusTable(reply.message.credentials, now: now.wall).lines
        let counts = DemoDaemon.credentials.map { "\($0) \(providers.refreshes(of: $0))" }
        lines += ["", "answers given by the providers: " + counts.joined(separator: ", ")]
        for line in lines { print(line) }
        if !isTerminal { print("") }
        return lines.count
    }

    private func verdict(_ watchers: [TokenFileWatcher]) -> Verdict {
        let counts = DemoDaemon.credentials.map { providers.refreshes(of: $0) }
        let stale = watchers.reduce(0) { $0 + $1.staleLooks }
        let looks = watchers.reduce(0) { $0 + $1.looks }
        let changes = watchers.map(\.changes)
        let isGood =
            stale == 0
            && (demoWasInterrupted != 0
                || counts.allSatisfy { $0 >= 3 } && changes.allSatisfy { $0 >= 2 })
        let refreshed = zip(DemoDaemon.credentials, changes).map { "\($0) \($1)" }
            .joined(separator: ", ")
        let isTooShort = !isGood && stale == 0 && (seconds ?? .max) < 10
        let word = isGood ? "ok" : isTooShort ? "too short to judge" : "FAILED"
        return Verdict(
            isGood: isGood, isTooShort: isTooShort,
            text: "\(word): refreshes seen in files: \(refreshed); "
                + "stale or missing in \(stale) of \(looks) looks")
    }
}

/// Reads a token file as its consumers do, and detects a missing or expired one.
struct TokenFileWatcher {
    let path: String
    private(set) var looks = 0
    private(set) var staleLooks = 0
    private(set) var changes = 0
    private(set) var wasSeen = false
    private var last = Secret("")

    init(path: String) { self.path = path }

    mutating func look(now: WallTime) {
        guard let bytes = contents(), let node = try? JSONReader.read(bytes),
            let file = TokenReply(json: node), let end = file.expiresAt
        else {
            // Before the first token the file cannot be stale.
            if wasSeen {
                looks += 1
                staleLooks += 1
            }
            return
        }
        looks += 1
        if wasSeen, file.accessToken != last { changes += 1 }
        (wasSeen, last) = (true, file.accessToken)
        if now.epochSeconds > end.epochSeconds { staleLooks += 1 }
    }

    private func contents() -> [UInt8]? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var buffer = [UInt8](repeating: 0, count: 64 * 1024)
        let count = fread(&buffer, 1, buffer.count, file)
        return Array(buffer.prefix(count))
    }
}
