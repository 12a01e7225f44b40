internal import CCurl
internal import TokenFormats

/// libcurl's error text (CURLOPT_ERRORBUFFER): it contains OpenSSL's text where the error code is
/// the same for all causes.
final class ErrorWords {
    let buffer: UnsafeMutablePointer<CChar>

    init() {
        buffer = .allocate(capacity: Int(CURL_ERROR_SIZE))
        buffer.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
    }

    deinit { buffer.deallocate() }

    /// The recognised texts, as a closed list. The text is compared, and never shown.
    enum Failure: CaseIterable {
        case tooOld, noRenegotiation, weakKey, notTLS, certificateWanted, refused

        /// Reason texts of OpenSSL (openssl/sslerr.h), as ERR_error_string(3) returns them.
        fileprivate var reasons: [String] {
            switch self {
            case .tooOld:
                ["unsupported protocol", "protocol version", "unsupported ssl version"]
            case .noRenegotiation: ["unsafe legacy renegotiation disabled"]
            case .weakKey:
                [
                    "key too small", "key too weak", "md too weak", "dh key too small",
                    "bad ecpoint", "no suitable signature algorithm", "wrong signature type",
                ]
            case .notTLS: ["wrong version number", "http request", "packet length too long"]
            case .certificateWanted: ["certificate required", "peer did not return a certificate"]
            case .refused:
                [
                    "handshake failure", "no shared cipher", "bad certificate", "access denied",
                    "unknown ca", "unrecognized name", "unsupported certificate",
                    "certificate unknown", "insufficient security",
                ]
            }
        }

        var kind: CauseKind {
            switch self {
            case .tooOld: .tlsTooOld
            case .noRenegotiation: .tlsNoSecureRenegotiation
            case .weakKey: .tlsWeakKey
            case .notTLS: .tlsNotSpoken
            case .certificateWanted: .clientCertificateWanted
            case .refused: .tlsRefused
            }
        }
    }

    var failure: Failure? {
        let words = String(cString: buffer).asciiLowercased
        return Failure.allCases.first { failure in
            failure.reasons.contains { words.containsBytes(of: $0) }
        }
    }
}
