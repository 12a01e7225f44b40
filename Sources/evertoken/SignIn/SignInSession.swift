internal import ArgumentParser
internal import Glibc
internal import TokenControl
internal import TokenFormats
internal import TokenProviders
internal import TokenSlots

/// One credential's sign-in, and the requests to the daemon that all methods share.
struct SignInSession {
    let name: String
    let access: StateAccess
    /// As the daemon names it; `nil` from an older daemon.
    var provider: String?

    /// - Throws: ``SignInRefusal``, or `ExitCode` after printing that no daemon responds.
    func offer(_ wish: SignInRequest) throws -> SignInOffer {
        let reply = try access.request(.signIn(name, wish))
        guard case .signIn(let offer) = reply.content else {
            throw SignInRefusal(reply, of: name)
        }
        return offer
    }

    /// - Throws: ``SignInRefusal``, or `ExitCode` after printing that no daemon responds.
    func order(_ order: ClientOrder) throws -> OrderReply {
        let reply = try access.request(.order(name, order))
        guard case .ordered(let message) = reply.content else {
            throw SignInRefusal(reply, of: name)
        }
        return message
    }

    /// Requests the exchange of the code; returns when the tokens are on disk.
    func exchange(
        _ code: Secret, redirectURI: String?, verifier: CodeVerifier? = nil
    ) throws {
        let order = AuthorizationCode(
            code: code, redirectURI: redirectURI.flatMap { $0.isEmpty ? nil : $0 },
            codeVerifier: verifier?.verifier)
        _ = try self.order(.login(order))
    }

    /// The subject of the page: `crm at acme, on web-3`.
    var subject: SignInPage.Subject {
        var buffer = [CChar](repeating: 0, count: 256)
        let isKnown = gethostname(&buffer, buffer.count - 1) == 0
        let name = buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        let host = isKnown ? String(decoding: name, as: UTF8.self) : ""
        let isShowable = !host.isEmpty && host.utf8.count <= 64 && host.isPrintableASCII
        return SignInPage.Subject(
            credential: self.name, provider: provider, host: isShowable ? host : nil)
    }
}

/// A sign-in that ended without tokens, and the exit status.
struct SignInRefusal: Error {
    var failure: SignInFailure
    var status: Int32

    init(_ failure: SignInFailure) {
        self.failure = failure
        status =
            switch failure.kind {
            case .denied: EX_NOPERM
            case .wrongSettings: EX_CONFIG
            case .tryAgain, .unusableAnswer, .notSaved: EX_TEMPFAIL
            }
    }

    init(_ failure: SignInFailure, status: Int32) {
        (self.failure, self.status) = (failure, status)
    }

    /// The reply of the daemon, or of the offline attempt.
    init(_ reply: ControlReply, of name: String) {
        var problem = reply.problem?.title ?? "the daemon answered \(reply.status)"
        if problem.hasPrefix("\(name): ") { problem.removeFirst(name.count + 2) }
        let remedy = reply.problem?.detail ?? ""
        if let kind = reply.problem?.kind?.known {
            self.init(SignInFailure(kind, problem: problem, remedy: remedy))
            return
        }
        // No request was sent to the provider.
        let status: Int32 =
            switch reply.status {
            case 400, 404: EX_DATAERR
            case 403: EX_NOPERM
            case 422: EX_CONFIG
            default: EX_TEMPFAIL
            }
        self.init(
            SignInFailure(
                status == EX_TEMPFAIL ? .tryAgain : .wrongSettings, problem: problem, remedy: remedy
            ), status: status)
    }

    func told(_ name: String) -> ExitCode {
        let remedy = failure.remedy.isEmpty ? "" : "\n  " + failure.remedy
        return fail(status, "\(name): \(failure.problem)\(remedy)")
    }
}
