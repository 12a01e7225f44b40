import Dispatch
import Foundation
import Synchronization
import Testing

@testable import TokenAdapters
@testable import TokenConfiguration
@testable import TokenControl
@testable import TokenEngine
@testable import TokenFormats
@testable import TokenProviders

@Suite("Places that others could reach") struct PlaceTests {
    private func directories(_ folder: Folder) -> Directories {
        var places = Directories(configuration: Configuration(), base: folder.path)
        (places.state, places.token) = (folder.path + "/state", folder.path + "/run")
        return places
    }

    @Test("directories and slots that others may write to, or own, are told with what to do")
    func unsafe() async throws {
        let folder = try Folder()
        let places = directories(folder)
        let slots = try SlotDirectory(
            path: places.state, slotSize: 65_536, allowUnsafe: true, warn: { _ in })
        try await slots.open("crm").close()
        _ = try OutputDirectory(path: places.token)
        func told() -> [String] {
            PlaceSafety().mistakes(places, credentials: ["crm", "new"], file: "c").map(\.remedy)
        }
        #expect(told() == [])
        chmod(places.token, 0o775)
        #expect(told() == ["run: chmod go-w \(places.token)"])
        chmod(places.token, 0o1777)
        chmod(places.state + "/crm/slotB", 0o606)
        #expect(told().count == 2)
        chmod(places.token, 0o755)
        chmod(places.state + "/crm/slotB", 0o600)
        guard geteuid() == 0 else { return }
        chown(places.state + "/crm/slotA", 65_534, 65_534)
        chown(places.state + "/crm", 65_534, 65_534)
        #expect(told().count == 2)
        await #expect(throws: StorageFailure.self) { try await slots.open("crm") }
        chown(places.state + "/crm", 0, 0)
        await #expect(throws: StorageFailure.self) { try await slots.open("crm") }
    }

    @Test("the lock on the token directory is a file that only its user can open")
    func lock() throws {
        let folder = try Folder()
        let path = folder.path + "/run"
        try #require(mkdir(path, 0o755) == 0)
        // Another user can lock any directory that it can open.
        let theirs = open(path, O_RDONLY | O_DIRECTORY)
        defer { close(theirs) }
        try #require(flock(theirs, LOCK_EX | LOCK_NB) == 0)
        let first = try OpenDirectory.locked(path)
        #expect(try folder.mode("run/" + OpenDirectory.lockName) == 0o600)
        #expect(throws: StorageFailure.self) { try OpenDirectory.locked(path) }
        first.close()
        try OpenDirectory.locked(path).close()
    }

    @Test(
        "a token file has the daemon's group, not that of a set-group-id directory",
        .enabled(if: geteuid() == 0, "only root can give a directory away"))
    func inherited() throws {
        let folder = try Folder()
        chown(folder.path, 0, 12_345)
        chmod(folder.path, 0o2775)
        let directory = open(folder.path, O_RDONLY | O_DIRECTORY)
        defer { close(directory) }
        try AtomicFile(mode: 0o640).write([1], name: "token", in: directory, place: "token")
        var about = stat()
        #expect(stat(folder.path + "/token", &about) == 0)
        #expect(about.st_gid == getegid() && about.st_mode & 0o7777 == 0o640)
        try AtomicFile(group: 12_345, mode: 0o640)
            .write([1], name: "token", in: directory, place: "token")
        #expect(stat(folder.path + "/token", &about) == 0 && about.st_gid == 12_345)
    }

    @Test("a link to a file with the very same bytes is not the token file: it is replaced")
    func linkToTheSame() throws {
        let folder = try Folder()
        let directory = open(folder.path, O_RDONLY | O_DIRECTORY)
        defer { close(directory) }
        let file = AtomicFile(mode: 0o640)
        try file.write([1, 2], name: "aside", in: directory, place: "aside")
        #expect(file.isAlready([1, 2], name: "aside", in: directory))
        #expect(symlinkat("aside", directory, "token") == 0)
        #expect(!file.isAlready([1, 2], name: "token", in: directory))
        try file.write([1, 2], name: "token", in: directory, place: "token")
        var about = stat()
        #expect(lstat(folder.path + "/token", &about) == 0 && about.st_mode & S_IFMT == S_IFREG)
    }
}

@Suite("The loop's steps") struct LoopMeterTests {
    @Test("each is counted, and one over a second is told with the kind of its input")
    func long() throws {
        let meter = LoopMeter()
        let told = Mutex<[LoopMeter.LongStep]>([])
        meter.connect { step in told.withLock { $0.append(step) } }
        meter.measure { meter.name("request: status") }
        meter.measure {
            meter.name("reload")
            usleep(1_100_000)
        }
        meter.measure {}
        let durations = try #require(meter.durations())
        #expect(durations.wall.counts.reduce(0, +) == 3)
        #expect(durations.cpu.counts.reduce(0, +) == 3)
        #expect(durations.wall.sum >= .seconds(1) && durations.cpu.sum < .seconds(1))
        let steps = told.withLock { $0 }
        #expect(steps.map(\.input) == ["reload"])
        #expect(steps.first?.entry.fields.contains(HeaderField("INPUT", "reload")) == true)
    }
}

@Suite("Hosts that must be looked up") struct HostToResolveTests {
    private func hosts(_ url: String, proxy: String? = nil) -> [String] {
        let request = WireRequest(
            request: RenderedRequest(method: "POST", url: url, headers: [], body: []),
            timeout: .seconds(1), connectTimeout: .seconds(1), caFile: nil, proxy: proxy)
        return HostToResolve.hosts(of: request).map { "\($0.name):\($0.port)" }
    }

    @Test("names are, with the port of their scheme or their own; addresses and localhost are not")
    func names() {
        #expect(hosts("https://id.example/t") == ["id.example:443"])
        #expect(hosts("https://id.example:8443?x=//y") == ["id.example:8443"])
        for url in ["https://192.0.2.1/", "https://[2001:db8::1]:1/", "http://localhost:1/"] {
            #expect(hosts(url) == [], "\(url)")
        }
    }

    @Test("of a proxy its own name is; the target's only where the proxy wants addresses")
    func proxies() {
        #expect(hosts("https://id.example/", proxy: "http://p.example:3128") == ["p.example:3128"])
        #expect(hosts("https://id.example/", proxy: "http://u:p@p.example") == ["p.example:1080"])
        #expect(hosts("https://id.example/", proxy: "https://p.example") == ["p.example:443"])
        #expect(
            hosts("https://id.example/", proxy: "socks5://p.example:1")
                == ["p.example:1", "id.example:443"])
        #expect(hosts("https://id.example/", proxy: "socks5h://192.0.2.1:1") == [])
        #expect(hosts("http://127.0.0.9/", proxy: "http://p.example:3128") == [])
    }
}
