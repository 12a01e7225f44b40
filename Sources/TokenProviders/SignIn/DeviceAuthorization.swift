package import TokenFormats

/// A pending device authorization (RFC 8628 section 3.2): the user approves it in any browser.
package struct DeviceAuthorization: Sendable, Equatable {
    package var deviceCode: Secret
    /// The code that the user enters.
    package var userCode: String
    /// The page where the user enters it.
    package var verificationURI: String
    /// The same URL with the code included.
    package var completeURI: String?
    package var lifetime: Duration
    /// Time between two polls.
    package var interval: Duration

    /// - Throws: ``RequestError``; it quotes nothing except a registered error code.
    package static func read(_ response: RawResponse) throws(RequestError) -> DeviceAuthorization {
        let body = response.isTruncated ? nil : try? JSONReader.read(response.body)
        let error = body?["error"]?.text
        guard response.status / 100 == 2, error?.isEmpty ?? true else {
            let code =
                error.flatMap { knownErrorCodes.contains(ByteText($0)) ? " " + $0 : nil } ?? ""
            throw RequestError(
                problem: "the device authorization endpoint answered \(response.status)\(code)",
                remedy: error?.hasSameBytes(as: "unauthorized_client") == true
                    ? "allow the device flow for this client at the provider"
                    : "check client_id, client_secret and scope")
        }
        return try DeviceAuthorization(members: body)
    }

    /// The code is printed on a terminal.
    private static func isShowable(_ text: String) -> Bool {
        !text.isEmpty && text.isPrintableASCII
    }

    private static func isWebAddress(_ text: String) -> Bool {
        (text.hasBytePrefix("https://") || text.hasBytePrefix("http://"))
            && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F } && text.utf8.count <= 2048
    }
}

extension DeviceAuthorization {
    /// Reads what ``json`` wrote.
    ///
    /// - Returns: `nil` for a value without usable codes.
    package init?(json: JSONNode) {
        guard let read = try? DeviceAuthorization(members: json) else { return nil }
        self = read
    }

    private init(members body: JSONNode?) throws(RequestError) {
        // Google's member name is older than the RFC.
        let uri = body?["verification_uri"]?.text ?? body?["verification_url"]?.text
        guard let device = storableToken(body?["device_code"]), let user = body?["user_code"]?.text,
            let uri, Self.isShowable(user), user.utf8.count <= 100, Self.isWebAddress(uri)
        else {
            throw RequestError(
                problem: "the device authorization endpoint gave no usable codes",
                remedy: "check \"device_url\" in the provider's \"authorization\"")
        }
        let complete =
            body?["verification_uri_complete"]?.text ?? body?["verification_url_complete"]?.text
        let seconds = { (name: String, range: ClosedRange<Int64>) -> Duration? in
            let number = body?[name]?.canonicalText.flatMap { Int64($0) }
            return number.map { .seconds(min(max($0, range.lowerBound), range.upperBound)) }
        }
        self.init(
            deviceCode: device, userCode: user, verificationURI: uri,
            completeURI: complete.flatMap { Self.isWebAddress($0) ? $0 : nil },
            lifetime: seconds("expires_in", 1...86_400) ?? .seconds(600),
            interval: seconds("interval", 1...300) ?? .seconds(5))
    }
}
