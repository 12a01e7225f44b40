internal import ArgumentParser
internal import Glibc
internal import TokenFormats

struct Demo: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "See it work: three emulated providers on loopback, the real daemon, live status.",
        discussion: """
            Needs no account, no root and no network. Tokens live six seconds, so that there is \
            something to see. Ends with --seconds, or with Ctrl-C.

              evertoken demo --seconds 20
            """)

    @Option(help: "End after this many seconds, with a verdict.") var seconds: Int?

    func validate() throws {
        if let seconds, seconds < 1 { throw ValidationError("--seconds must be 1 or more.") }
    }

    func run() throws {
        let providers = try DemoProviders()
        var folder = Array("/tmp/evertoken-demo.XXXXXX".utf8CString)
        guard mkdtemp(&folder) != nil else {
            throw fail(EX_CANTCREAT, "cannot make a folder in /tmp")
        }
        let place = String(decoding: folder.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let daemon = try DemoDaemon(folder: place, port: providers.port)
        daemon.forwardSignals()
        let run = DemoRun(daemon: daemon, providers: providers, seconds: seconds)
        let verdict = run.watch()
        let isClean = daemon.stop()
        print(verdict.text)
        if isClean, verdict.isTooShort {
            daemon.cleanUp()
            throw ExitCode(EX_TEMPFAIL)
        }
        guard verdict.isGood, isClean else {
            printError("evertoken: the daemon's messages are in \(place)/daemon.log")
            throw ExitCode(EX_SOFTWARE)
        }
        daemon.cleanUp()
    }
}

/// The real daemon, started from the directory of this program.
final class DemoDaemon {
    static let credentials = ["febbox", "fxiaoke", "xee"]
    let folder: String
    let socket: String
    private let process: pid_t

    init(folder: String, port: UInt16) throws {
        self.folder = folder
        socket = folder + "/run/control.sock"
        let configuration = Self.configuration(port: port)
        try Self.write(configuration.serialized(indented: true), to: folder + "/evertoken.json")
        process = try Self.start(folder)
    }

    private static func configuration(port: UInt16) -> JSONNode {
        let base = "http://127.0.0.1:\(port)"
        let febBox = JSONNode.string(base + "/febbox/oauth/token")
        return .object([
            (
                "providers",
                .object([
                    (
                        "demo-febbox",
                        [
                            "extends": "febbox", "request": ["url": febBox],
                            "acquire": ["request": ["url": febBox]],
                        ]
                    ),
                    (
                        "demo-fxiaoke",
                        [
                            "extends": "fxiaoke",
                            "request": ["url": .string(base + "/fxiaoke/oauth2.0/token")],
                        ]
                    ),
                    (
                        "demo-xee",
                        [
                            "extends": "xee",
                            "request": ["url": .string(base + "/xee/v3/auth/access_token")],
                        ]
                    ),
                ])
            ),
            (
                "credentials",
                [
                    "febbox": [
                        "provider": "demo-febbox", "client_id": "demo",
                        "client_secret": "demo-secret",
                    ],
                    "fxiaoke": [
                        "provider": "demo-fxiaoke", "client_id": "FSAID_demo",
                        "client_secret": "demo-secret", "refresh_token": "FSREFTOK_first",
                    ],
                    "xee": [
                        "provider": "demo-xee", "client_id": "demo",
                        "client_secret": "demo-secret", "refresh_token": "xee-refresh-first",
                    ],
                ]
            ),
        ])
    }

    private static func write(_ bytes: [UInt8], to path: String) throws {
        let file = fopen(path, "w")
        guard let file, fwrite(bytes, 1, bytes.count, file) == bytes.count, fclose(file) == 0,
            chmod(path, 0o600) == 0
        else { throw fail(EX_CANTCREAT, "cannot write \(path)") }
    }

    private static func start(_ folder: String) throws -> pid_t {
        var link = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &link, link.count - 1)
        guard count > 0 else { throw fail(EX_OSERR, "cannot find this program's folder") }
        let own = String(decoding: link.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let program = own.prefix(upTo: own.lastIndex(of: "/") ?? own.startIndex) + "/evertokend"
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(
            &actions, 2, folder + "/daemon.log", O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        let words = [String(program), "--config", folder + "/evertoken.json"]
        let arguments = words.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // Control-C goes only to this program, which then stops the daemon.
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP))
        var process: pid_t = 0
        let error = posix_spawn(&process, words[0], &actions, &attributes, arguments, environ)
        guard error == 0 else {
            throw fail(
                EX_UNAVAILABLE,
                "cannot start \(words[0]): \(String(cString: strerror(error))); build it first "
                    + "(swift build -c release)")
        }
        return process
    }

    func forwardSignals() {
        signal(SIGINT) { _ in demoWasInterrupted = 1 }
        signal(SIGTERM) { _ in demoWasInterrupted = 1 }
    }

    /// - Returns: Whether it exited normally, with everything saved.
    func stop() -> Bool {
        kill(process, SIGTERM)
        var status: Int32 = 0
        return waitpid(process, &status, 0) == process && status == 0
    }

    var isRunning: Bool {
        var status: Int32 = 0
        return waitpid(process, &status, WNOHANG) == 0
    }

    func cleanUp() {
        for name in Self.credentials {
            for file in [
                "run/\(name)/token", "run/\(name)/token.json", "state/\(name)/slotA",
                "state/\(name)/slotB", "state/\(name)/.origin",
            ] { unlink("\(folder)/\(file)") }
            rmdir("\(folder)/run/\(name)")
            rmdir("\(folder)/state/\(name)")
        }
        for file in [
            "state/.lock", "state/.probe", "run/.evertoken-lock", "run/control.sock",
            "evertoken.json", "daemon.log",
        ] {
            unlink("\(folder)/\(file)")
        }
        for part in ["run", "state", ""] { rmdir("\(folder)/\(part)") }
    }
}

/// Set by a signal handler, which must not do more (signal-safety(7)).
nonisolated(unsafe) var demoWasInterrupted: sig_atomic_t = 0
