import Synchronization
import Testing

@testable import TokenAdapters
@testable import TokenConfiguration
@testable import TokenControl
@testable import TokenFormats
@testable import TokenScheduling

@Suite("Places of long responses") struct StreamPlaceTests {
    @Test("there are four; a fifth is refused until one is left")
    func four() {
        let places = StreamPlaces()
        for _ in 0..<4 { #expect(places.enter(nil)) }
        #expect(!places.enter(nil) && !places.enter(7))
        places.leave(nil)
        #expect(places.enter(7) && !places.enter(nil))
        places.leave(7)
        #expect(places.enter(nil))
    }

    @Test("one user has two of them, all but root three")
    func users() {
        let places = StreamPlaces()
        #expect(places.enter(1) && places.enter(1) && !places.enter(1))
        #expect(places.enter(2) && !places.enter(2) && !places.enter(3))
        #expect(places.enter(nil), "root is not locked out")
        places.leave(1)
        #expect(places.enter(3))
    }
}

/// A loop with these credentials, which counts its slices.
private final class StubLoop: Sendable {
    let credentials: CredentialSet
    let asked = Mutex<[ControlRequest]>([])

    init(_ count: Int) throws {
        let configuration = try Examples.configuration(of: (0..<count).map { "c-\($0)" })
        var credentials = CredentialSet(maxInFlight: 4, seed: 1)
        _ = credentials.configure(configuration, now: Examples.noon)
        self.credentials = credentials
    }

    func answer(_ request: ControlRequest, _ reply: @Sendable (ControlReply) -> Void) {
        asked.withLock { $0.append(request) }
        let now = Examples.noon
        switch request {
        case .status(let query):
            let slice = credentials.statusSlice(
                query, isReady: true, startedAt: now.wall, now: now, mistakes: [])
            reply(ControlReply(200, .statusSlice(slice)))
        case .health(let name):
            let health = credentials.healthReport(isReady: true, now: now, after: name)
            reply(ControlReply(health.isHealthy ? 200 : 503, .health(health)))
        default: reply(.problem(500, "not asked for"))
        }
    }

    /// The complete body of the response.
    func body(_ request: ControlRequest) async -> (status: Int, body: [UInt8]) {
        let client = LoopClient(nil) { self.answer($0, $1) }
        let reports = Reports(client: client, format: .openMetrics, takesChunks: true)
        let response = await withCheckedContinuation { continuation in
            reports.answer(request) { continuation.resume(returning: $0) }
        }
        guard case .whole(let rendering) = response.body else { return (0, []) }
        return (response.status, rendering())
    }
}

@Suite("Reports from slices") struct ReportTests {
    @Test("pages of any size, one after the other, list each credential once")
    func pages() async throws {
        let loop = try StubLoop(700)
        for limit in [99, 100, 256, 257, 699, 700, 1000] {
            var (names, next): ([String], String?) = ([], nil)
            repeat {
                let query = StatusQuery(state: .pending, limit: limit, after: next)
                let (status, body) = await loop.body(.status(query))
                #expect(status == 200)
                let page = StatusReport(json: try JSONReader.read(body))
                #expect(page.credentials.count <= limit && page.counts?["pending"] == 700)
                #expect(page.next == nil || page.credentials.count == limit)
                names += page.credentials.map(\.name)
                next = page.next
            } while next != nil
            #expect(names == loop.credentials.names, "\(limit) a page")
        }
    }

    @Test("a page of a state without credentials is empty, and the last one")
    func none() async throws {
        let loop = try StubLoop(700)
        let (_, body) = await loop.body(.status(StatusQuery(state: .expired, limit: 5)))
        let page = StatusReport(json: try JSONReader.read(body))
        #expect(page.credentials.isEmpty && page.next == nil)
    }

    @Test("the health of all credentials is put together from slices")
    func health() async throws {
        let loop = try StubLoop(2500)
        let (status, body) = await loop.body(.health())
        let health = HealthReport(json: try JSONReader.read(body))
        #expect(status == 503 && health.unhealthy[.pending] == loop.credentials.names)
        #expect(loop.asked.withLock { $0.count } == 3)
    }
}
