internal import TokenFormats

/// When the tokens of a response expire. Every expiry in the response is read, and the earliest is
/// used: a token that is renewed too early costs a request, one that is used too long fails its
/// users.
struct TokenEnds {
    let response: ReadableResponse
    let specification: ResponseSpecification
    /// The server's clock (RFC 9110 section 6.6.1): absolute times are measured against it, so that
    /// a wrong clock here does no harm (I22).
    let date: WallTime?
    /// The clock of this host when the request was sent.
    let sentAt: WallTime

    enum End: Equatable {
        case never
        /// It had expired before the response arrived.
        case ended
        case after(Duration)
    }

    /// Expiry times that differ by less differ only by the duration of the response.
    private static let noise: Duration = .seconds(5)
    /// An absolute expiry that is further in the past, beside a valid relative one, is a constant.
    private static let constantAge: Duration = .days(365)

    /// - Parameters:
    ///   - token: The access token; if it is a JWT, its claim `exp` counts (RFC 9068 section 2.2).
    /// - Returns: `nil` when the profile says that a lifetime of zero is an error.
    func accessToken(_ token: String, notes: inout [ResponseNote]) -> End? {
        var found = Found()
        for expiry in specification.expires {
            guard let said = reading.read(expiry) else { continue }
            switch said {
            case .zero:
                switch specification.zeroLifetime {
                case .never?: return .never
                case .error?: return nil
                case .unknown?: break
                case nil: found.relative.append(.zero)
                }
            case .relative(let duration): found.relative.append(duration)
            case .absolute(let time): found.absolute.append(time)
            case .unusable: found.isUnusable = true
            }
        }
        if specification.readsJWTExpiry, let claims = jwtClaims(of: token) {
            readJWT(claims, into: &found, notes: &notes)
        }
        return earliest(found, notes: &notes) ?? assumed(found, notes: &notes)
    }

    /// Lifetime of the refresh token. Zero means unknown, as Keycloak sends for offline tokens; a
    /// past time beside a new token is ignored.
    func refreshToken() -> Duration? {
        var relative: [Duration] = []
        var absolute: [WallTime] = []
        for expiry in specification.refreshExpires {
            switch reading.read(expiry) {
            case .relative(let duration)?: relative.append(duration)
            case .absolute(let time)?: absolute.append(time)
            case .zero?, .unusable?, nil: break
            }
        }
        let clock = date ?? (relative.isEmpty ? sentAt : nil)
        let lives = relative + (clock.map { now in absolute.map { now.duration(to: $0) } } ?? [])
        return lives.filter { $0 > .zero }.min()
    }

    /// The expiry times that were found, by what they are relative to.
    private struct Found {
        var relative: [Duration] = []
        var absolute: [WallTime] = []
        var isUnusable = false
    }

    private var reading: ExpiryReading {
        ExpiryReading(response: response, root: specification.root)
    }

    private func earliest(_ found: Found, notes: inout [ResponseNote]) -> End? {
        let byClock = { (clock: WallTime) in found.absolute.map { clock.duration(to: $0) } }
        var lives = found.relative
        let compared: [Duration]
        if let date {
            let lasts = lives.contains { $0 > .zero }
            let measured = byClock(date).filter { !lasts || $0 > .zero - Self.constantAge }
            if measured.count < found.absolute.count { notes.append(.expiryIgnored) }
            lives += measured
            compared = lives
        } else if lives.isEmpty {
            lives = byClock(sentAt)
            compared = lives
        } else {
            // The clock of this host may be wrong: it is only used to note a difference.
            compared = lives + byClock(sentAt)
        }
        guard let shortest = lives.min() else { return nil }
        if let least = compared.min(), let most = compared.max(), most - least > Self.noise {
            notes.append(.expiryDisagrees(by: most - least))
        }
        guard shortest >= .seconds(1) else { return .ended }
        return .after(min(shortest, ResponseReader.maximumLifetime))
    }

    /// The default when nothing usable was found: short, so that a wrong guess costs little.
    private func assumed(_ found: Found, notes: inout [ResponseNote]) -> End {
        switch specification.defaultLifetime {
        case .never?:
            return .never
        case .duration(let duration)?:
            if found.isUnusable { notes.append(.expiryAssumed(duration)) }
            return .after(duration)
        case nil:
            notes.append(.expiryAssumed(ResponseReader.shortDefaultLifetime))
            return .after(ResponseReader.shortDefaultLifetime)
        }
    }

    /// RFC 7519 sections 4.1.4 and 4.1.6. The signature is not checked: a claim schedules and
    /// authorizes nothing.
    private func readJWT(_ claims: JSONNode, into found: inout Found, notes: inout [ResponseNote]) {
        guard claims["exp"] != nil else { return }
        let issue = Self.numericDate(claims["iat"])
        guard let end = Self.numericDate(claims["exp"]), end > Self.earliestDate,
            issue.map({ $0 < end }) ?? true
        else {
            notes.append(.expiryIgnored)
            return
        }
        if let issue { found.relative.append(issue.duration(to: end)) }
        found.absolute.append(end)
    }

    /// The year 2001: JWTs are newer.
    private static let earliestDate = WallTime(epochSeconds: 978_307_200)

    /// Seconds, possibly with a fraction (RFC 7519 section 2); from 10^11 on milliseconds.
    private static func numericDate(_ node: JSONNode?) -> WallTime? {
        guard case .number(let literal)? = node?.kind, let value = Double(literal), value > 0,
            value < 1e15
        else { return nil }
        return WallTime(.milliseconds(Int64(value >= 1e11 ? value : value * 1000)))
    }
}
