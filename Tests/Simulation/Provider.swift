internal import TokenConfiguration
internal import TokenControl
internal import TokenFormats
internal import TokenProviders
internal import TokenScheduling
internal import TokenSlots

/// How an endpoint treats refresh tokens.
enum ProviderKind: String, CaseIterable {
    /// Each token is good for one use; a second use ends the grant (RFC 9700 section 4.14.2).
    case strict
    /// The previous token is accepted for another half minute.
    case grace
    /// The token never changes.
    case fixed
    /// No refresh token (RFC 6749 section 4.4).
    case machine
    /// Strict, and the published token needs a second request.
    case steps
    /// Strict, with three requests in ten seconds for all its credentials.
    case limited

    var rotates: Bool { self != .fixed && self != .machine }
}

/// An access token, as the provider and the verifier know it.
struct Issued {
    let expiresAt: Duration
    /// The machine's boot and clock at the request.
    let boot: Int
    let wallOffset: Duration
    /// Its expiry is being watched.
    var isWatched = false
}

/// The provider's data of one credential.
struct Account {
    let name: String
    let kind: ProviderKind
    let lifetime: Duration
    var live: String
    /// Tokens of other sign-ins, equally valid; the last part of a token's name distinguishes them.
    private(set) var others: [String] = []
    private var unused: Set<String> = []
    /// The refresh token that the configuration names after an operator changed it.
    var configured: String?
    /// The valid token when a new sign-in was first used: kept until that has been used once more.
    private(set) var kept: String?
    private var keptFor = 0
    var previous: (token: String, until: Duration)?
    var counter = 0
    var isRevoked = false
    /// Refresh tokens that were answered and have been completely on disk.
    var durable: Set<String> = []
    /// Maps a spent refresh token to its replacement.
    var successor: [String: String] = [:]
    var accessCounter = 0
    /// The access tokens up to this one may not have arrived.
    var accessLost = 0
    var access: [String: Issued] = [:]
    /// The refresh tokens of pending requests in this process.
    var inFlight: Set<String> = []
    var sentTimes: [Duration] = []
    var requests = 0
    /// Answers that never arrived, or not completely.
    var answersLost = 0
    var signIns = 0
    /// An answer was lost, a grant revoked, or a state restored: only then may a sign-in be needed.
    var excuse: String?
    /// Until when the provider misbehaves for it.
    var troubleUntil: Duration = .zero
    var refusesClientUntil: Duration = .zero
    /// When the daemon received the refusal of a revoked grant; `nil` after a new sign-in.
    var refusedAt: Duration?
    /// A request was sent whose answer the daemon has not received completely.
    var isInDoubt = false
    /// Its state was restored, and nothing could show this to the client.
    var isUnawares = false
    /// The machine's boot and clock at its last request.
    var sentAt: (boot: Int, wallOffset: Duration) = (1, .zero)

    init(name: String, kind: ProviderKind, lifetime: Duration) {
        (self.name, self.kind, self.lifetime) = (name, kind, lifetime)
        live = "RT~\(name)~0.0~"
        durable = [live]
    }

    /// The sign-in that the token came from.
    private static func family(_ token: String) -> Substring? {
        token.split(separator: "~").last?.split(separator: ".").last
    }

    /// A user signs in once more; the earlier sign-ins stay valid.
    mutating func signInBeside() -> String {
        counter += 1
        let token = "RT~\(name)~\(counter).\(counter)~"
        others.append(token)
        unused.insert(token)
        return token
    }

    /// Makes the sign-in of this token the one in use.
    private mutating func turn(to token: String) {
        guard let index = others.firstIndex(of: token) else { return }
        others[index] = live
        let isNew = unused.remove(token) != nil
        // A token whose answer never arrived, or that a restored state has lost, cannot be kept.
        let isHeld = kind.rotates && !isRevoked && excuse == nil && durable.contains(live)
        (kept, keptFor) = (isNew && isHeld ? live : nil, 0)
        // A revoked sign-in is dropped.
        if isRevoked { others.remove(at: index) }
        (live, previous, isRevoked) = (token, nil, false)
        durable.insert(token)
    }

    /// Revokes all tokens of the same sign-in.
    private mutating func revoke(_ token: String) {
        let family = Self.family(token)
        others.removeAll { Self.family($0) == family }
        guard Self.family(live) == family else { return }
        if others.isEmpty {
            isRevoked = true
            if excuse == nil { excuse = "revoked" }
        } else {
            let next = others.removeFirst()
            // The daemon may have forgotten a displaced token, or keeps it aside: after a lost
            // answer it asks for a sign-in at once.
            if next != kept || excuse != nil { excuse = "forgotten" }
            (live, previous, kept) = (next, nil, nil)
        }
    }

    /// A user signs in and gets the tokens of a new grant.
    mutating func signIn() -> String {
        counter += 1
        signIns += 1
        live = "RT~\(name)~\(counter).\(counter)~"
        (previous, isRevoked, excuse, isUnawares, kept) = (nil, false, nil, false, nil)
        refusedAt = nil
        accessLost = accessCounter
        durable = [live]
        successor = [:]
        return live
    }

    mutating func newAccess(at time: Duration) -> String {
        accessCounter += 1
        let token = "AT~\(name)~\(accessCounter)~"
        access[token] = Issued(
            expiresAt: time + lifetime, boot: sentAt.boot, wallOffset: sentAt.wallOffset)
        access["AT~\(name)~\(accessCounter - 8)~"] = nil
        return token
    }

    mutating func rotate(at time: Duration) {
        counter += 1
        let next = "RT~\(name)~\(counter).\(Self.family(live) ?? "")~"
        if excuse == "forgotten" { excuse = nil }
        // The first use is that of the new sign-in itself.
        keptFor += 1
        if keptFor > 1 { kept = nil }
        successor[live] = next
        if successor.count > 64 { successor = [live: next] }
        previous = kind == .grace ? (live, time + .seconds(30)) : nil
        live = next
    }
}

/// A request as received by the provider.
struct ProviderRequest {
    var step: String
    var fields: [String: String]

    init(_ request: RenderedRequest) {
        step = request.url.split(separator: "/").last.map(String.init) ?? ""
        fields = [:]
        let body = String(decoding: request.body ?? [], as: UTF8.self)
        for pair in body.split(separator: "&") {
            let sides = pair.split(separator: "=", maxSplits: 1)
            fields[String(sides[0])] =
                sides.count > 1 ? String(sides[1]).replacing("%7E", with: "~") : ""
        }
    }

    /// Tokens contain the credential's name; for a machine the client id does.
    var credential: String? {
        let token = fields["refresh_token"] ?? fields["session_for"]
        guard let token else { return fields["client_id"] }
        let parts = token.split(separator: "~")
        return parts.count > 1 ? String(parts[1]) : nil
    }
}

extension Account {
    private func refused(_ status: Int, _ error: String) -> RawResponse {
        RawResponse(status: status, body: Array(#"{"error":"\#(error)"}"#.utf8))
    }

    /// - Parameter report: Called for what a client must never do.
    mutating func answer(
        _ request: ProviderRequest, at time: Duration, report: (String) -> Void
    ) -> RawResponse {
        if time < refusesClientUntil { return refused(401, "invalid_client") }
        if request.step == "session" {
            guard let first = request.fields["session_for"], access[first] != nil else {
                return refused(401, "invalid_token")
            }
            return granted(at: time, withRefreshToken: false)
        }
        guard kind != .machine else { return granted(at: time, withRefreshToken: false) }
        guard let token = request.fields["refresh_token"] else {
            return refused(400, "invalid_request")
        }
        if token.hasPrefix("BAD") { return refused(400, "invalid_grant") }
        turn(to: token)
        guard token == live, !isRevoked else { return spent(token, at: time, report) }
        guard kind.rotates else { return granted(at: time, withRefreshToken: false) }
        rotate(at: time)
        return granted(at: time, withRefreshToken: true)
    }

    private mutating func spent(
        _ token: String, at time: Duration, _ report: (String) -> Void
    ) -> RawResponse {
        // An old state does not know that the configured token has been used.
        let isUnknown = token == configured && excuse == "restored"
        if let next = successor[token], durable.contains(next), !isUnawares, !isUnknown {
            report("\(name): sent \(token), although \(next) had been saved")
        }
        if let previous, previous.token == token, time <= previous.until, !isRevoked {
            rotate(at: time)
            return granted(at: time, withRefreshToken: true)
        }
        if kind.rotates { revoke(token) }
        return refused(400, "invalid_grant")
    }

    private mutating func granted(at time: Duration, withRefreshToken: Bool) -> RawResponse {
        let refresh = withRefreshToken ? #","refresh_token":"\#(live)""# : ""
        let body = """
            {"access_token":"\(newAccess(at: time))","token_type":"Bearer"\(refresh),\
            "expires_in":\(lifetime.components.seconds)}
            """
        return RawResponse(status: 200, body: Array(body.utf8))
    }
}
