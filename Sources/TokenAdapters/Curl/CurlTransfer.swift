internal import CCurl
internal import TokenEngine
internal import TokenFormats
internal import TokenProviders
internal import TokenSlots

/// One request on its own connection, from its options to its result.
final class CurlTransfer {
    static let maximumHeaderBytes = 16 * 1024
    /// One byte more than is kept shows that the body was longer.
    static let maximumBodyBytes = SlotLayout.maximumBody + 1

    let handle: UnsafeMutableRawPointer
    /// Its connection, while libcurl waits for it.
    var socket: Int32?
    /// Ends the transfer when its time is up.
    var expiry: Alarm?
    private(set) var sockets = RequestSockets()
    private let end: ContinuousClock.Instant
    private let done: (WireResult) -> Void
    /// The directory for relative paths.
    private let base: String
    let request: WireRequest
    /// OpenSSL's errors about the server's certificates, and libcurl's error text; both are written
    /// while the handle exists.
    let verification = CertificateVerification()
    private let errorWords = ErrorWords()
    private var headerList: UnsafeMutablePointer<curl_slist>?
    private var addressList: UnsafeMutablePointer<curl_slist>?
    private var body: [UInt8] = []
    private var headers: [HeaderField] = []
    private var headerBytes = 0
    private var isOverLimit = false
    /// Connection and TLS are established, and the request is sent with the next call: from here on
    /// the server may have processed it.
    private(set) var isSent = false
    private var hadTrailersOrBody = false

    init?(
        _ request: WireRequest, to addresses: [HostAddresses], base: String,
        authorities: inout AuthorityFiles, done: @escaping (WireResult) -> Void
    ) {
        guard let handle = curl_easy_init() else { return nil }
        (self.handle, self.request, self.base, self.done) = (handle, request, base, done)
        end = .now + request.timeout
        setTarget()
        setAddresses(addresses)
        setLimits()
        setTLS(&authorities)
        setCallbacks()
        request.limit(handle)
    }

    deinit {
        curl_easy_cleanup(handle)
        curl_slist_free_all(headerList)
        curl_slist_free_all(addressList)
    }

    private func set(_ option: CURLoption, _ value: Int) { ccurl_set_long(handle, option, value) }
    private func set(_ option: CURLoption, _ text: String?) {
        ccurl_set_string(handle, option, text)
    }

    private func setTarget() {
        let rendered = request.request
        set(CURLOPT_URL, rendered.url)
        set(CURLOPT_PROTOCOLS_STR, "http,https")
        set(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
        set(CURLOPT_HTTP09_ALLOWED, 0)
        set(CURLOPT_FOLLOWLOCATION, 0)
        set(CURLOPT_FRESH_CONNECT, 1)
        set(CURLOPT_FORBID_REUSE, 1)
        set(CURLOPT_PATH_AS_IS, 1)
        // "" also stops libcurl from reading the environment's proxy variables.
        let proxy = request.proxy ?? ""
        set(CURLOPT_PROXY, proxy)
        set(CURLOPT_NOPROXY, proxy.isEmpty ? "*" : "")
        var fields = rendered.headers
        for (name, value) in [
            ("Accept-Encoding", "identity"), ("Connection", "close"),
            ("User-Agent", "evertoken/\(evertokenVersion)"),
        ] where !fields.contains(where: { $0.name.lowercased() == name.lowercased() }) {
            fields.append(HeaderField(name, value))
        }
        for field in fields {
            // libcurl's notation of a header with an empty value.
            let line = field.value.isEmpty ? "\(field.name);" : "\(field.name): \(field.value)"
            headerList = curl_slist_append(headerList, line)
        }
        // A name without a value prevents libcurl from adding its own header.
        headerList = curl_slist_append(headerList, "Expect:")
        if !fields.contains(where: { $0.name.lowercased() == "content-type" }) {
            headerList = curl_slist_append(headerList, "Content-Type:")
        }
        ccurl_set_pointer(handle, CURLOPT_HTTPHEADER, headerList)
        if rendered.method != "GET" || rendered.body != nil {
            let body = rendered.body ?? []
            set(CURLOPT_POSTFIELDSIZE, body.count)
            body.withUnsafeBytes { bytes in
                let start = UnsafeMutableRawPointer(mutating: bytes.baseAddress)
                // An empty array has no address, and with NULL libcurl would read standard input.
                if let start {
                    ccurl_set_pointer(handle, CURLOPT_COPYPOSTFIELDS, start)
                } else {
                    set(CURLOPT_COPYPOSTFIELDS, "")
                }
            }
            set(CURLOPT_CUSTOMREQUEST, rendered.method)
        }
    }

    /// libcurl must not resolve names: its queue could have to wait for the resolver's thread.
    private func setAddresses(_ addresses: [HostAddresses]) {
        for entry in addresses { addressList = curl_slist_append(addressList, entry.entry) }
        ccurl_set_pointer(handle, CURLOPT_RESOLVE, addressList)
        // Prevents waiting if it does resolve a name, because of a different spelling.
        set(CURLOPT_QUICK_EXIT, 1)
    }

    private func setLimits() {
        let milliseconds = { (duration: Duration) in Int(duration.nanoseconds / 1_000_000) }
        set(CURLOPT_NOSIGNAL, 1)
        // The endpoint limits the whole time: libcurl would give up before it reads the data that
        // arrived while the process was stopped.
        set(CURLOPT_CONNECTTIMEOUT_MS, max(1, milliseconds(request.connectTimeout)))
        set(CURLOPT_HTTP_CONTENT_DECODING, 0)
    }

    private func setTLS(_ authorities: inout AuthorityFiles) {
        set(CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
        set(CURLOPT_SSL_VERIFYPEER, 1)
        set(CURLOPT_SSL_VERIFYHOST, 2)
        verification.watch(handle)
        // With Debian's CApath libcurl cannot keep the certificate store between connections: 20 ms
        // of CPU time for each instead of 0.5.
        set(CURLOPT_CAPATH, nil)
        if let file = request.caFile { set(CURLOPT_CAINFO, absolute(file)) }
        // The store that libcurl caches must not be older than its file, because CA bundles change
        // without a restart (curl keeps it for a day).
        let seconds = authorityFile.map { authorities.secondsUnchanged($0) } ?? 0
        set(CURLOPT_CA_CACHE_TIMEOUT, seconds)
        if let client = request.request.certificate {
            setPEM(CURLOPT_SSLCERT, CURLOPT_SSLCERT_BLOB, client.certificate)
            setPEM(CURLOPT_SSLKEY, CURLOPT_SSLKEY_BLOB, client.privateKey)
            // Without a passphrase OpenSSL would prompt for one on the terminal.
            set(CURLOPT_KEYPASSWD, "")
        }
    }

    /// The configured file, or the default of the libcurl build.
    var authorityFile: String? {
        if let file = request.caFile { return absolute(file) }
        var path: UnsafeMutableRawPointer?
        guard ccurl_get_pointer(handle, CURLINFO_CAINFO, &path) == CURLE_OK, let path else {
            return nil
        }
        return String(cString: path.assumingMemoryBound(to: CChar.self))
    }

    func absolute(_ path: String) -> String {
        path.hasPrefix("/") ? path : "\(base)/\(path)"
    }

    static func isPEM(_ text: String) -> Bool { text.contains("-----BEGIN") }

    /// A path or the PEM text itself; read again for every connection.
    private func setPEM(_ fileOption: CURLoption, _ blobOption: CURLoption, _ pem: Secret) {
        let text = pem.reveal()
        guard Self.isPEM(text) else { return set(fileOption, absolute(text)) }
        Array(text.utf8).withUnsafeBytes { bytes in
            _ = ccurl_set_blob(handle, blobOption, bytes.baseAddress, bytes.count)
        }
    }

    private func setCallbacks() {
        ccurl_set_pointer(handle, CURLOPT_ERRORBUFFER, errorWords.buffer)
        let me = Unmanaged.passUnretained(self).toOpaque()
        ccurl_set_pointer(handle, CURLOPT_WRITEDATA, me)
        ccurl_set_data_callback(handle, CURLOPT_WRITEFUNCTION) { data, size, count, me in
            guard let data, let me else { return 0 }
            let bytes = UnsafeRawBufferPointer(start: data, count: size * count)
            return Unmanaged<CurlTransfer>.fromOpaque(me).takeUnretainedValue().take(body: bytes)
        }
        ccurl_set_pointer(handle, CURLOPT_HEADERDATA, me)
        ccurl_set_data_callback(handle, CURLOPT_HEADERFUNCTION) { data, size, count, me in
            guard let data, let me else { return 0 }
            let bytes = UnsafeRawBufferPointer(start: data, count: size * count)
            return Unmanaged<CurlTransfer>.fromOpaque(me).takeUnretainedValue()
                .take(header: bytes)
        }
        ccurl_set_pointer(handle, CURLOPT_PREREQDATA, me)
        ccurl_set_prereq_callback(handle) { me, _, _, _, port in
            guard let me else { return Int32(CURL_PREREQFUNC_ABORT) }
            return Unmanaged<CurlTransfer>.fromOpaque(me).takeUnretainedValue().maySend(from: port)
        }
        ccurl_set_pointer(handle, CURLOPT_SOCKOPTDATA, me)
        ccurl_set_sockopt_callback(handle) { me, socket, _ in
            guard let me else { return CURL_SOCKOPT_ERROR }
            let transfer = Unmanaged<CurlTransfer>.fromOpaque(me).takeUnretainedValue()
            return transfer.sockets.add(socket) ? CURL_SOCKOPT_OK : CURL_SOCKOPT_ERROR
        }
    }

    /// Called when the connection is up. A second call would be a second request (I13).
    private func maySend(from port: Int32) -> Int32 {
        if isSent || !sockets.tie(port: port, left: end - .now) {
            return Int32(CURL_PREREQFUNC_ABORT)
        }
        isSent = true
        return Int32(CURL_PREREQFUNC_OK)
    }

    private func take(body bytes: UnsafeRawBufferPointer) -> Int {
        hadTrailersOrBody = true
        let room = Self.maximumBodyBytes - body.count
        body += bytes.prefix(room)
        if bytes.count > room {
            isOverLimit = true
            return 0
        }
        return bytes.count
    }

    private func take(header bytes: UnsafeRawBufferPointer) -> Int {
        headerBytes += bytes.count
        guard headerBytes <= Self.maximumHeaderBytes else {
            isOverLimit = true
            return 0
        }
        if hadTrailersOrBody { return bytes.count }
        // The head of an interim response (100, 103) is followed by another one.
        if bytes.starts(with: "HTTP/".utf8) { headers = [] }
        if let field = HeaderField(line: bytes) { headers.append(field) }
        return bytes.count
    }

    func finish(_ code: CURLcode) {
        expiry?.cancel()
        expiry = nil
        let isWhole = code == CURLE_OK && !isOverLimit
        sockets.end(isWhole: isWhole)
        var status = 0
        ccurl_get_long(handle, CURLINFO_RESPONSE_CODE, &status)
        let failure = WireResult.notSent(fault(code, errorWords.failure))
        if request.isConnectionOnly { return done(request.result(code, or: failure)) }
        guard isSent else {
            // Unreadable files are also retried soon: they may be in the middle of a change.
            return done(failure)
        }
        guard status >= 200 else {
            done(.unanswered(loss(code, errorWords.failure)))
            return
        }
        done(
            .answered(
                RawResponse(status: status, headers: headers, body: body, isTruncated: !isWhole)))
    }
}
