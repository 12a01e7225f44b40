internal import CCurl
internal import CVerification
internal import TokenFormats

/// Records OpenSSL's errors about a server's certificates. It only observes: the verification is
/// not affected.
final class CertificateVerification {
    private let seen: UnsafeMutablePointer<cverification>

    init() {
        seen = .allocate(capacity: 1)
        seen.initialize(to: cverification())
    }

    deinit {
        cverification_clear(seen)
        seen.deallocate()
    }

    /// - Parameter handle: Of a transfer that ends before this object.
    func watch(_ handle: UnsafeMutableRawPointer) {
        ccurl_set_pointer(handle, CURLOPT_SSL_CTX_DATA, seen)
        ccurl_set_ssl_ctx_callback(handle) { _, context, seen in
            // Without it fewer facts are known; the verification is the same.
            if let seen {
                cverification_watch(context, seen.assumingMemoryBound(to: cverification.self))
            }
            return CURLE_OK
        }
    }

    struct Objection {
        /// X509_STORE_CTX_get_error(3); 0 without an error.
        var error: Int32
        /// 0 is the server's own certificate.
        var depth: Int32
        var subject: String?
        var issuer: String?
        var begin: WallTime?
        var end: WallTime?
    }

    /// The first error with its certificate; without an error, the server's own certificate.
    var objection: Objection {
        let about = seen.pointee.objected ?? seen.pointee.leaf
        var found = Objection(error: seen.pointee.error, depth: seen.pointee.depth)
        guard let about else { return found }
        (found.subject, found.issuer) = (name(about, ofIssuer: false), name(about, ofIssuer: true))
        var (begin, end): (Int64, Int64) = (0, 0)
        if cverification_times(about, &begin, &end) != 0 {
            (found.begin, found.end) = (
                WallTime(epochSeconds: begin), WallTime(epochSeconds: end)
            )
        }
        return found
    }

    private func name(_ certificate: UnsafeRawPointer, ofIssuer: Bool) -> String? {
        var text = [CChar](repeating: 0, count: 256)
        cverification_name(certificate, ofIssuer ? 1 : 0, &text, Int32(text.count))
        let bytes = text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        return bytes.isEmpty ? nil : String(decoding: bytes, as: UTF8.self)
    }
}
