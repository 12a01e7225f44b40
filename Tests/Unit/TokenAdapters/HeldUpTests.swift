import Dispatch
import Foundation
import Synchronization
import Testing

@testable import TokenAdapters
@testable import TokenEngine
@testable import TokenProviders

@Suite("A transfer whose time was up while the process was held up", .timeLimit(.minutes(20)))
struct HeldUpTests {
    @Test("takes the answer that has come by now: a rotated refresh token may be in it")
    func lateLook() async throws {
        let (asked, answers) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        let server = try HTTPServer.loopback(port: 0) { request, _, respond in
            DispatchQueue.global().async {
                asked.signal()
                answers.wait()
                respond(HTTPResponse(200, body: request.body))
            }
        }
        let curl = CurlEndpoint(base: ".")
        let queue = try #require(
            Mirror(reflecting: curl).children.first { $0.label == "queue" }?.value
                as? DispatchQueue)
        let request = WireRequest(
            request: RenderedRequest(
                method: "POST", url: "http://127.0.0.1:\(server.port)/token",
                headers: [HeaderField("Content-Type", "text/plain")], body: Array("a=b".utf8)),
            timeout: .seconds(5), connectTimeout: .seconds(2), caFile: nil, proxy: nil)
        DispatchQueue.global().async {
            asked.wait()
            // Later than libcurl's own connection timer, which would otherwise trigger a read by
            // chance.
            usleep(2_200_000)
            queue.async {
                // The transfer's time passes first, then its answer arrives; neither is processed
                // meanwhile.
                usleep(5_000_000)
                answers.signal()
                usleep(500_000)
            }
        }
        let result = await curl.send(request)
        server.stop()
        guard case .answered(let answer) = result else {
            Issue.record("\(result)")
            return
        }
        #expect(answer.body == Array("a=b".utf8) && !answer.isTruncated)
    }
}
