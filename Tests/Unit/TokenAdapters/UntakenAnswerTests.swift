import Dispatch
import Foundation
import Synchronization
import Testing

@testable import TokenAdapters
@testable import TokenEngine

/// Every user of the machine can connect to the loopback.
@Suite("Answers that no client reads", .timeLimit(.minutes(20))) struct UntakenAnswerTests {
    @Test("only a few keep a place; later clients are refused, until a place is free again")
    func bounded() async throws {
        let server = try HTTPServer.loopback(port: 0) { _, _, respond in
            respond(HTTPResponse(200, body: [UInt8](repeating: 0x61, count: 16 << 20)))
        }
        let clients = (0..<24).map { _ in asking(server.port) }
        defer { for client in clients { close(client) } }
        try await Task.sleep(for: .milliseconds(500))
        let heads = clients.map { client -> String in
            var bytes = [UInt8](repeating: 0, count: 12)
            let count = recv(client, &bytes, bytes.count, Int32(MSG_DONTWAIT))
            return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
        }
        #expect(heads.count { $0 == "HTTP/1.1 200" } <= 16)
        #expect(heads.count { $0 == "HTTP/1.1 503" } >= 8)
        try await Task.sleep(for: .seconds(17))
        let late = asking(server.port)
        defer { close(late) }
        var bytes = [UInt8](repeating: 0, count: 12)
        #expect(recv(late, &bytes, bytes.count, 0) == 12)
        #expect(String(decoding: bytes, as: UTF8.self) == "HTTP/1.1 200")
        server.stop()
    }

    /// A connection that has sent a request and does not read.
    private func asking(_ port: UInt16) -> Int32 {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let client = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var size: Int32 = 4096
        setsockopt(client, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        _ = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(client, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        let request = Array("GET / HTTP/1.1\r\n\r\n".utf8)
        _ = send(client, request, request.count, Int32(MSG_NOSIGNAL))
        return client
    }
}
