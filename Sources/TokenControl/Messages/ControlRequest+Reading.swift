internal import TokenConfiguration
package import TokenFormats
internal import TokenProviders
internal import TokenSlots

// The routes of the socket (Contract 6.1): which request a call is.
extension ControlRequest {
    /// - Parameters:
    ///   - call: The form on the socket.
    ///   - now: The present time, for the end of adopted tokens.
    /// - Throws: The problem to reply with.
    package init(_ call: ControlCall, now: WallTime) throws(ControlProblem) {
        let parts = call.path.split(separator: "/").map(String.init)
        switch (call.method, parts.count) {
        case ("GET", 1) where parts[0] == "healthz": self = .health()
        case ("GET", 1) where parts[0] == "livez": self = .liveness
        case ("GET", 1) where parts[0] == "metrics": self = .metrics()
        case ("GET", 2) where parts == ["v1", "status"]:
            self = .status(try StatusQuery(call.query))
        case ("POST", 2) where parts == ["v1", "reload"]: self = .reload
        case (_, 3...) where parts[0] == "v1" && parts[1] == "credentials":
            try self.init(call, name: parts[2], rest: Array(parts.dropFirst(3)), now: now)
        default: throw Self.notFound
        }
    }

    private static let notFound = ControlProblem(
        404, "there is no such resource", detail: "GET /v1/status lists what there is")

    private init(
        _ call: ControlCall, name: String, rest: [String], now: WallTime
    ) throws(ControlProblem) {
        switch (call.method, rest) {
        case ("GET", []): self = .credential(name)
        case ("GET", ["token"]):
            guard let life = Self.duration(call.query["min_ttl"] ?? "0") else {
                throw ControlProblem(
                    400, "min_ttl is not a duration", detail: "Write seconds, or 5m")
            }
            self = .token(name, minimumLife: life)
        case ("POST", ["refresh"]): self = .refresh(name, wait: try Self.wait(of: call))
        case ("POST", ["import"]):
            do throws(RequestError) {
                self = .order(name, .adopt(try ImportedTokens.read(call.body, now: now)))
            } catch { throw ControlProblem(400, error.problem, detail: error.remedy) }
        case ("POST", ["login"]):
            guard let order = (try? JSONReader.read(call.body)).flatMap(ClientOrder.init(login:))
            else {
                throw ControlProblem(
                    400, "there is no code", detail: "Send {\"code\": …, \"redirect_uri\": …}")
            }
            self = .order(name, order)
        case ("POST", ["sign-in"]): self = .signIn(name, try Self.wish(of: call))
        case ("POST", ["accept"]): self = .accept(name, wait: try Self.wait(of: call))
        case ("POST", ["check"]): self = .check(name)
        case ("GET", ["stored"]) where isConfiguredName(name): self = .stored(name)
        case ("POST", ["forget"]) where isConfiguredName(name):
            self = .forget(
                name, allTraces: call.query["all_traces"]?.hasSameBytes(as: "1") == true)
        default: throw Self.notFound
        }
    }

    private static func wait(of call: ControlCall) throws(ControlProblem) -> Duration? {
        guard let text = call.query["wait"] else { return nil }
        guard let wait = duration(text), wait <= .seconds(300) else {
            throw ControlProblem(
                400, "wait is not a duration", detail: "Write seconds up to 300")
        }
        return wait
    }

    private static func wish(of call: ControlCall) throws(ControlProblem) -> SignInRequest {
        guard !call.body.isEmpty else { return SignInRequest() }
        guard let wish = (try? JSONReader.read(call.body)).flatMap(SignInRequest.init(json:)) else {
            throw ControlProblem(
                400, "invalid sign-in request",
                detail: "Send {\"method\": \"browser\" or \"device\", \"scope\": …}")
        }
        return wish
    }

    /// Parses seconds, or a duration with its unit.
    private static func duration(_ text: String) -> Duration? {
        if let seconds = Int64(text), seconds >= 0, seconds < 1 << 32 { return .seconds(seconds) }
        return parseDuration(text)
    }
}
