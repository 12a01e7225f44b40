internal import CCurl
internal import Synchronization
package import TokenConfiguration
package import TokenEngine
internal import TokenProviders

extension CurlEndpoint {
    /// As `TokenEndpoint` says, by a transfer that libcurl ends after the connection
    /// (`CURLOPT_CONNECT_ONLY`).
    package func connect(_ request: WireRequest) async -> ConnectionOutcome {
        // Name resolution happens before there is a transfer that could report its stage.
        let stage = LastStage()
        var request = request
        request.connectionEnded = { stage.store($0) }
        guard let cause = await send(request).failure else { return .stands }
        return .failed(stage.load(), cause)
    }

    /// The stage that was reported last.
    private final class LastStage: Sendable {
        private let stage = Mutex(ConnectionOutcome.Stage.name)
        func store(_ new: ConnectionOutcome.Stage) { stage.withLock { $0 = new } }
        func load() -> ConnectionOutcome.Stage { stage.withLock { $0 } }
    }
}

extension WireRequest {
    var isConnectionOnly: Bool { connectionEnded != nil }

    /// Makes libcurl stop after connecting, if only a connection is wanted.
    func limit(_ handle: UnsafeMutableRawPointer) {
        guard isConnectionOnly else { return }
        ccurl_set_long(handle, CURLOPT_CONNECT_ONLY, 1)
        // The callback would announce the sending, and nothing is sent here.
        ccurl_set_prereq_callback(handle, nil)
    }

    /// The outcome of such a transfer; no server has sent a response on a bare connection.
    func result(_ code: CURLcode, or failure: WireResult) -> WireResult {
        connectionEnded?(ConnectionOutcome.Stage(code))
        return code == CURLE_OK ? .answered(RawResponse(status: 0, body: [])) : failure
    }
}

extension ConnectionOutcome.Stage {
    /// The stage at which a transfer failed.
    init(_ code: CURLcode) {
        switch code {
        case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY: self = .name
        case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_ISSUER_ERROR:
            self = .tls
        case CURLE_SSL_CACERT_BADFILE, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER: self = .files
        default: self = .connection
        }
    }
}
