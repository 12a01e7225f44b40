internal import CCurl
internal import Glibc
internal import TokenEngine
internal import TokenFormats
internal import TokenProviders

// Maps errors of libcurl and OpenSSL to causes. Their texts may quote what a server sent: they are
// compared, and never shown.
extension CurlTransfer {
    /// Why nothing was sent.
    func fault(_ code: CURLcode, _ words: ErrorWords.Failure?) -> WireFault {
        if let cause = proxyCause(code) { return WireFault(cause) }
        var facts = self.facts
        if isAtSecureProxy { facts.host = proxy.map(HostToResolve.authority(ofProxy:)) }
        switch code {
        case CURLE_COULDNT_RESOLVE_HOST: return WireFault(Cause(.nameNotResolved, facts))
        case CURLE_COULDNT_CONNECT:
            var number = 0
            ccurl_get_long(handle, CURLINFO_OS_ERRNO, &number)
            if number != 0 { facts.set(errno: Int32(clamping: number)) }
            return WireFault(Cause(.connectionRefused, facts))
        case CURLE_OPERATION_TIMEDOUT: return WireFault(Cause(.connectionTimedOut, facts))
        case CURLE_SSL_CONNECT_ERROR: return WireFault(Cause(words?.kind ?? .tlsFailed, facts))
        case CURLE_PEER_FAILED_VERIFICATION: return untrusted(facts, words)
        case CURLE_SSL_CACERT_BADFILE: return WireFault(authorityCause)
        case CURLE_SSL_CERTPROBLEM: return WireFault(clientCertificateCause)
        case CURLE_GOT_NOTHING, CURLE_RECV_ERROR, CURLE_SEND_ERROR:
            return WireFault(Cause(words?.kind ?? .connectionBroke, facts))
        case CURLE_URL_MALFORMAT, CURLE_UNSUPPORTED_PROTOCOL:
            return WireFault(Cause(.urlUnusable, facts))
        case CURLE_ABORTED_BY_CALLBACK:
            if let error = sockets.error { facts.set(errno: error.code) }
            return failed(facts, sockets.error?.text ?? "its connection is not known")
        default: return failed(facts, "libcurl error \(code.rawValue)")
        }
    }

    private func failed(_ facts: CauseFacts, _ detail: String) -> WireFault {
        var facts = facts
        facts.detail = detail
        return WireFault(Cause(.transferFailed, facts))
    }

    /// Why a sent request has no response.
    func loss(_ code: CURLcode, _ words: ErrorWords.Failure?) -> WireFault {
        var facts = self.facts
        // In TLS 1.3 a server can request a certificate after the client has sent data (RFC 8446
        // section 4.4.2).
        if let words, words == .certificateWanted { return WireFault(Cause(words.kind, facts)) }
        switch code {
        case CURLE_OPERATION_TIMEDOUT: facts.detail = "no answer in time"
        case CURLE_GOT_NOTHING: facts.detail = "the connection was closed without an answer"
        case CURLE_RECV_ERROR, CURLE_SEND_ERROR: facts.detail = "the connection broke"
        case CURLE_UNSUPPORTED_PROTOCOL: facts.detail = "the answer is not HTTP"
        default: facts.detail = "libcurl error \(code.rawValue)"
        }
        return WireFault(Cause(.answerLost, facts))
    }

    private var facts: CauseFacts {
        var facts = CauseFacts(key: "the provider's request.url")
        facts.set(origin: request.request.url)
        return facts
    }

    // MARK: Proxy

    private var proxy: String? {
        EndpointURL.isLoopback(request.request.url) ? nil : request.proxy
    }

    /// Whether the rejected certificate is the proxy's own.
    private var isAtSecureProxy: Bool {
        guard let proxy, proxy.hasBytePrefix("https:") else { return false }
        var status = 0
        ccurl_get_long(handle, CURLINFO_HTTP_CONNECTCODE, &status)
        return status == 0
    }

    /// `nil` without a proxy, or when the proxy worked.
    private func proxyCause(_ code: CURLcode) -> Cause? {
        guard let proxy else { return nil }
        var facts = CauseFacts(key: "proxy")
        facts.host = HostToResolve.authority(ofProxy: proxy)
        if code == CURLE_COULDNT_RESOLVE_PROXY { return Cause(.proxyNameNotResolved, facts) }
        if code == CURLE_COULDNT_CONNECT { return Cause(.proxyUnreachable, facts) }
        var (status, connected) = (0, 0.0)
        ccurl_get_long(handle, CURLINFO_HTTP_CONNECTCODE, &status)
        ccurl_get_double(handle, CURLINFO_CONNECT_TIME, &connected)
        if status == 407 { return Cause(.proxyWantsLogin, facts) }
        if status / 100 == 2 { return nil }
        if status != 0 {
            facts.status = status
            return Cause(status / 100 == 5 ? .proxyCannotConnect : .proxyRefuses, facts)
        }
        switch code {
        case CURLE_PROXY: return Cause(.proxyRefuses, facts)
        case CURLE_OPERATION_TIMEDOUT:
            return Cause(connected > 0 ? .proxyCannotConnect : .proxyUnreachable, facts)
        case CURLE_RECV_ERROR, CURLE_SEND_ERROR, CURLE_GOT_NOTHING:
            return Cause(.proxyCannotConnect, facts)
        default: return nil
        }
    }

    // MARK: Certificates

    private func untrusted(_ facts: CauseFacts, _ words: ErrorWords.Failure?) -> WireFault {
        var facts = facts
        var seen = verification.objection
        if seen.error == 0 {
            // libcurl returns 1 here when only the name does not match.
            var result = 0
            ccurl_get_long(handle, CURLINFO_SSL_VERIFYRESULT, &result)
            seen.error = result > 1 ? Int32(clamping: result) : 0
        }
        func fault(_ kind: CauseKind, subject: String? = nil) -> WireFault {
            WireFault(Cause(kind, facts), subject: subject.map { PeerText($0) })
        }
        let isOfIssuer = seen.depth > 0
        // Common results of X509_verify_cert(3) (openssl/x509_vfy.h).
        switch seen.error {
        case 9:
            facts.date = seen.begin
            return fault(.certificateNotYetValid, subject: seen.subject)
        case 10:
            facts.date = seen.end
            facts.file = isOfIssuer ? request.caFile.map(absolute) : nil
            return fault(
                isOfIssuer ? .caCertificateExpired : .certificateExpired, subject: seen.subject)
        case 18: return fault(.certificateSelfSigned, subject: seen.subject)
        case 19, 20, 21:
            facts.file = request.caFile.map(absolute)
            return fault(.certificateIssuerUnknown, subject: seen.issuer)
        case 23: return fault(.certificateRevoked)
        case 66, 67, 68: return fault(.tlsWeakKey)
        // OpenSSL reports no error: libcurl compares the names itself.
        case 0, 62: return fault(.certificateForOtherHost, subject: seen.subject)
        default:
            facts.detail = "X.509 error \(seen.error)"
            return fault(words?.kind ?? .certificateNotTrusted)
        }
    }

    private var authorityCause: Cause {
        let file = authorityFile
        var facts = CauseFacts(file: file)
        if let file, access(file, R_OK) != 0 { facts.set(errno: errno) }
        return Cause(request.caFile == nil ? .caBundleUnusable : .caFileUnusable, facts)
    }

    private var clientCertificateCause: Cause {
        let client = request.request.certificate
        let paths = [client?.certificate, client?.privateKey].compactMap { $0?.reveal() }
            .filter { !Self.isPEM($0) }
        let places = paths.isEmpty ? nil : paths.joined(separator: ", ")
        return Cause(.clientCertificateUnusable, CauseFacts(file: places))
    }
}
