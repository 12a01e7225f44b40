internal import Synchronization
internal import TokenAdapters
internal import TokenFormats

/// Emulates the token endpoints of FebBox, Fxiaoke and Xee on loopback, by the providers'
/// documentation: short lifetimes, single-use refresh tokens.
final class DemoProviders: Sendable {
    static let lifetime = 6

    private struct State {
        var counter = 0
        /// The valid refresh token of each provider.
        var refreshToken: [String: String] = [:]
        var refreshes: [String: Int] = [:]
    }
    private let state = Mutex(State())
    private nonisolated(unsafe) var server: HTTPServer?

    var port: UInt16 { server?.port ?? 0 }

    init() throws {
        state.withLock {
            $0.refreshToken = ["fxiaoke": "FSREFTOK_first", "xee": "xee-refresh-first"]
        }
        server = try HTTPServer.loopback(port: 0) { [weak self] request, _, respond in
            respond(self?.answer(request) ?? HTTPResponse(503, body: []))
        }
    }

    func refreshes(of provider: String) -> Int { state.withLock { $0.refreshes[provider] ?? 0 } }

    private func answer(_ request: HTTPRequest) -> HTTPResponse {
        switch request.path {
        case "/febbox/oauth/token": febBox(request)
        case "/fxiaoke/oauth2.0/token": fxiaoke(request)
        case "/xee/v3/auth/access_token": xee(request)
        default: HTTPResponse(404, body: [])
        }
    }

    /// Spends a refresh token; returns the new pair, or `nil` if it was not valid.
    private func rotate(_ provider: String, spending old: String?) -> (
        access: String, refresh: String
    )? {
        state.withLock { state in
            if let old, state.refreshToken[provider] != old { return nil }
            state.counter += 1
            state.refreshes[provider, default: 0] += 1
            let new = "\(provider)-refresh-\(state.counter)"
            state.refreshToken[provider] = new
            return ("\(provider)-access-\(state.counter)", new)
        }
    }

    private func form(_ request: HTTPRequest) -> [String: String] {
        var fields: [String: String] = [:]
        for pair in String(decoding: request.body, as: UTF8.self).split(separator: "&") {
            let sides = pair.split(separator: "=", maxSplits: 1)
            if sides.count == 2 { fields[String(sides[0])] = formDecoded(sides[1]) }
        }
        return fields
    }

    private func json(_ status: Int, _ node: JSONNode) -> HTTPResponse {
        HTTPResponse(status, body: node.serialized())
    }

    /// Success is code 1; every response has HTTP status 200 and an envelope.
    private func febBox(_ request: HTTPRequest) -> HTTPResponse {
        let fields = form(request)
        let isRefresh = fields["grant_type"] == "refresh_token"
        guard fields["client_id"] == "demo", fields["client_secret"] == "demo-secret",
            let new = rotate("febbox", spending: isRefresh ? fields["refresh_token"] ?? "" : nil)
        else {
            return json(200, ["code": -1, "msg": "refresh_token is invalid"])
        }
        return json(
            200,
            .object([
                ("code", 1), ("msg", "success"),
                (
                    "data",
                    .object([
                        ("access_token", .string(new.access)),
                        ("expires_in", .integer(Int64(Self.lifetime))), ("token_type", "Bearer"),
                        ("scope", nil), ("refresh_token", .string(new.refresh)),
                    ])
                ),
            ]))
    }

    /// camelCase JSON, a trace ID in the query, errors with HTTP status 200.
    private func fxiaoke(_ request: HTTPRequest) -> HTTPResponse {
        let body = (try? JSONReader.read(request.body)) ?? nil
        guard request.query["thirdTraceId"] != nil, body["grantType"]?.text == "refresh_token",
            body["appId"]?.text == "FSAID_demo", body["appSecret"]?.text == "demo-secret",
            let new = rotate("fxiaoke", spending: body["refreshToken"]?.text ?? "")
        else {
            return json(200, ["errorCode": 20001, "errorMessage": "refreshToken is invalid"])
        }
        return json(
            200,
            .object([
                ("openUserId", "FSUID_demo"), ("accessToken", .string(new.access)),
                ("refreshToken", .string(new.refresh)),
                ("expiresIn", .integer(Int64(Self.lifetime))), ("errorCode", 0),
                ("errorMessage", "success"), ("traceId", "E-O.demo"),
            ]))
    }

    /// Basic authentication, both `expires_in` and `expires_at`.
    private func xee(_ request: HTTPRequest) -> HTTPResponse {
        guard request.headers["authorization"] == "Basic " + base64(Array("demo:demo-secret".utf8))
        else { return json(401, ["message": "Invalid authentication"]) }
        let fields = form(request)
        guard fields["grant_type"] == "refresh_token", let token = fields["refresh_token"] else {
            return json(
                400,
                [
                    [
                        "type": "PARAMETERS_ERROR", "message": "Missing parameter",
                        "tip": "Check you've set the grant_type and the refresh_token",
                    ]
                ])
        }
        guard let new = rotate("xee", spending: token) else {
            return json(401, ["message": "Invalid authentication"])
        }
        let now = SystemClock().now().wall.epochSeconds
        return json(
            200,
            .object([
                ("access_token", .string(new.access)),
                ("expires_at", .integer(now + Int64(Self.lifetime))),
                ("expires_in", .integer(Int64(Self.lifetime))),
                ("refresh_token", .string(new.refresh)), ("token_type", "bearer"),
            ]))
    }
}
