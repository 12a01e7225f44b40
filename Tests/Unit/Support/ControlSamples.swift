@testable import TokenConfiguration
@testable import TokenControl
@testable import TokenFormats
@testable import TokenProviders
@testable import TokenScheduling
@testable import TokenSlots

/// Draws messages of the control socket: each optional member is there or not, each word is known
/// to this version or not.
struct ControlSamples {
    private var random: RandomSource

    init(seed: UInt64) { random = RandomSource(seed: seed) }

    /// One reply of each kind, with a request that it answers.
    mutating func replies() -> [(request: ControlRequest, reply: ControlReply)] {
        let begun = ControlReply(202, .begun(credential: text()))
        let health = health()
        return [
            (.status(), ControlReply(200, .status(status()))),
            (.credential("crm"), ControlReply(200, .credential(report()))),
            (.token("crm", minimumLife: .zero), ControlReply(200, .token(token()))),
            (.refresh("crm", wait: nil), begun),
            (.refresh("crm", wait: .seconds(9)), ControlReply(200, .refreshed(credential()))),
            (.order("crm", .device(code: Secret("c"))), ControlReply(202, .ordered(order()))),
            (.signIn("crm", SignInRequest()), ControlReply(200, .signIn(offer()))),
            (.accept("crm", wait: .seconds(9)), ControlReply(200, .accepted(accepted()))),
            (.stored("crm"), ControlReply(200, .stored(stored()))),
            (.forget("crm"), ControlReply(200, .stored(stored()))),
            (.reload, ControlReply(200, .reloaded(changes()))),
            (.reload, ControlReply(problem())),
            (.check("crm"), ControlReply(200, .checked(check()))),
            (.health(), ControlReply(health.isHealthy ? 200 : 503, .health(health))),
            (.liveness, ControlReply(200, .alive)),
        ]
    }

    /// One request of each kind that the socket takes.
    mutating func requests() -> [ControlRequest] {
        let wait: Duration? = maybe { .seconds($0.number(0...300)) }
        let code = AuthorizationCode(
            code: Secret(text()), redirectURI: maybe { $0.text() },
            codeVerifier: maybe { Secret($0.text()) })
        let method = maybe { $0.one(of: SignInRequest.Method.allCases) }
        return [
            .status(), .credential("crm"),
            .token("crm", minimumLife: .milliseconds(number(0...9_000_000))),
            .refresh("crm", wait: wait), .order("crm", .login(code)),
            .order("crm", .device(code: Secret(text()))), .order("crm", .adopt(tokens())),
            .signIn("crm", SignInRequest(method: method, scope: maybe { $0.text() })),
            .accept("crm", wait: wait), .stored("crm"), .forget("crm", allTraces: flag()),
            .reload, .check("crm"), .health(), .liveness, .metrics(),
        ]
    }

    // MARK: Values

    private mutating func number(_ range: ClosedRange<Int64>) -> Int64 {
        Int64.random(in: range, using: &random)
    }
    private mutating func count() -> Int { Int(number(0...1000)) }
    private mutating func flag() -> Bool { number(0...1) == 1 }
    private mutating func time() -> WallTime {
        WallTime(epochSeconds: number(0...4_000_000_000))
    }
    private mutating func maybe<Value>(_ make: (inout ControlSamples) -> Value) -> Value? {
        flag() ? make(&self) : nil
    }
    private mutating func list<Value>(_ make: (inout ControlSamples) -> Value) -> [Value] {
        (0..<number(0...3)).map { _ in make(&self) }
    }
    private mutating func one<Value>(of values: [Value]) -> Value {
        values[Int(number(0...Int64(values.count - 1)))]
    }
    /// Never empty; what JSON must escape is among them.
    private mutating func text() -> String {
        one(of: ["a", "a \"b\"", "é\u{301}\n", "x: y; z", "\u{7F}\\", "1"]) + String(count())
    }
    private mutating func word<Known>() -> ControlWord<Known> {
        let known = one(of: Array(Known.allCases))
        return number(0...4) == 0 ? .unknown("a_later_word") : ControlWord(known)
    }

    // MARK: Messages

    private mutating func error() -> ErrorStatus {
        var error = ErrorStatus(problem: text())
        (error.failureClass, error.httpStatus) = (maybe { $0.word() }, maybe { $0.count() })
        (error.cause, error.remedy) = (maybe { $0.word() }, maybe { $0.text() })
        (error.at, error.since) = (maybe { $0.time() }, maybe { $0.time() })
        (error.tries, error.until) = (maybe { $0.count() }, maybe { $0.time() })
        error.isBeforeReload = flag()
        return error
    }

    private mutating func candidate() -> CandidateStatus {
        var candidate = CandidateStatus(
            CandidateToken(Secret("NEVER-SHOWN"), since: Examples.noon))
        candidate.state = word()
        (candidate.since, candidate.triedAt) = (maybe { $0.time() }, maybe { $0.time() })
        (candidate.problem, candidate.remedy) = (maybe { $0.text() }, maybe { $0.text() })
        return candidate
    }

    private mutating func credential() -> CredentialStatus {
        var status = CredentialStatus(name: text(), provider: text(), state: .fresh)
        (status.state, status.condition) = (word(), word())
        (status.issuedAt, status.expiresAt) = (maybe { $0.time() }, maybe { $0.time() })
        (status.nextRefreshAt, status.lastRefreshAt) = (maybe { $0.time() }, maybe { $0.time() })
        status.refreshTokenExpiresAt = maybe { $0.time() }
        status.lastError = maybe { $0.error() }
        (status.consecutiveFailures, status.refreshes) = (count(), maybe { $0.number(0...99) })
        (status.outputs, status.warnings) = (list { $0.text() }, list { $0.text() })
        status.candidate = maybe { $0.candidate() }
        status.failingHooks = list { $0.hook() }
        status.sourcesFixedAtStart = list { $0.text() }
        return status
    }

    private mutating func hook() -> FailingHook {
        var hook = FailingHook(json: JSONNode(.null))
        (hook.program, hook.problem, hook.failures) = (text(), text(), count())
        (hook.at, hook.nextTryAt) = (maybe { $0.time() }, maybe { $0.time() })
        return hook
    }

    private mutating func attempt() -> PastAttempt {
        var attempt = PastAttempt(
            one(of: PastAttempt.Kind.allCases), at: time(),
            took: maybe { .milliseconds($0.number(0...99_999)) }, note: maybe { $0.text() })
        attempt.failureClass = maybe { $0.one(of: FailureClass.allCases) }
        (attempt.httpStatus, attempt.errorCode) = (maybe { $0.count() }, maybe { $0.text() })
        attempt.problem = maybe { $0.text() }
        return attempt
    }

    private mutating func report() -> CredentialReport {
        CredentialReport(
            credential(), recent: list { $0.attempt() },
            refreshFloor: maybe {
                RefreshFloor(
                    wait: .seconds($0.number(0...99)),
                    cause: $0.one(of: RefreshFloor.Cause.allCases),
                    whole: .seconds($0.number(0...99)))
            })
    }

    private mutating func status() -> StatusReport {
        var report = StatusReport(
            state: .ready, startedAt: time(), credentials: list { $0.credential() },
            configurationMistakes: list { $0.text() })
        (report.state, report.startedAt) = (word(), maybe { $0.time() })
        (report.needingRestart, report.reloadProblems) = (list { $0.text() }, list { $0.text() })
        return report
    }

    private mutating func token() -> TokenReply {
        var reply = TokenReply(Secret(text()), credential: text(), provider: text())
        (reply.tokenType, reply.scope) = (maybe { $0.text() }, maybe { $0.text() })
        (reply.expiresAt, reply.issuedAt) = (maybe { $0.time() }, maybe { $0.time() })
        let members = [JSONMember("site", .string(text())), JSONMember("ids", [1, "2", nil])]
        reply.kept = members.filter { _ in flag() }
        reply.shortfall = maybe {
            LifeShortfall(
                asked: $0.number(0...99), left: $0.number(0...99),
                lifetime: $0.maybe { $0.number(0...99) })
        }
        return reply
    }

    private mutating func order() -> OrderReply {
        OrderReply(
            credential: text(),
            pending: maybe {
                OrderReply.Pending(slowDown: $0.flag(), problem: $0.maybe { $0.text() })
            })
    }

    private mutating func offer() -> SignInOffer {
        let way: SignInOffer.Way? = maybe {
            $0.flag() ? .browser($0.browser()) : .device($0.device())
        }
        return SignInOffer(way, credential: text(), provider: maybe { $0.text() })
    }

    private mutating func browser() -> BrowserSignIn {
        var browser = BrowserSignIn(address: text())
        browser.parameterNames = flag() ? ["state": text(), "redirect_uri": text()] : [:]
        (browser.redirectURI, browser.issuer) = (maybe { $0.text() }, maybe { $0.text() })
        (browser.namesIssuer, browser.usesPKCE) = (flag(), flag())
        return browser
    }

    private mutating func device() -> DeviceAuthorization {
        DeviceAuthorization(
            deviceCode: Secret(text()), userCode: "AB-\(count())",
            verificationURI: "https://id.example/\(count())",
            completeURI: maybe { "https://id.example/?code=\($0.count())" },
            lifetime: .seconds(number(1...86_400)), interval: .seconds(number(1...300)))
    }

    private mutating func accepted() -> AcceptReply {
        var reply = AcceptReply(credential: text())
        (reply.result, reply.state) = (maybe { $0.word() }, maybe { $0.word() })
        (reply.sentConfigured, reply.isSetAside) = (maybe { $0.flag() }, flag())
        (reply.error, reply.problem) = (maybe { $0.text() }, maybe { $0.text() })
        return reply
    }

    private mutating func stored() -> StoredReport {
        StoredReport(
            credential: text(), isConfigured: flag(), isStored: flag(), hasRefreshToken: flag(),
            spentTokens: count(), state: maybe { $0.one(of: CredentialState.allCases) })
    }

    private mutating func changes() -> ConfigurationChanges {
        var changes = ConfigurationChanges()
        (changes.added, changes.removed) = (list { $0.text() }, list { $0.text() })
        changes.changed = ["crm", "drive"].filter { _ in flag() }.map { ($0, list { $0.text() }) }
        (changes.settings, changes.needingRestart) = (list { $0.text() }, list { $0.text() })
        (changes.problems, changes.warnings) = (list { $0.text() }, list { $0.text() })
        return changes
    }

    private mutating func problem() -> ControlProblem {
        var problem = ControlProblem(
            one(of: [400, 404, 422, 503]), text(), detail: maybe { $0.text() })
        (problem.error, problem.kind) = (maybe { $0.text() }, maybe { $0.word() })
        problem.cause = maybe { $0.word() }
        problem.mistakes = maybe {
            $0.list {
                ReportedMistake(
                    file: $0.maybe { $0.text() }, line: $0.count(), column: $0.count(),
                    text: $0.text())
            }
        }
        return problem
    }

    private mutating func check() -> LiveCheckReport {
        var check = LiveCheck(credential: text())
        for _ in 0..<count() % 4 {
            let line = LiveCheck.Line(
                one(of: LiveCheck.Step.allCases), one(of: LiveCheck.Outcome.allCases), text(),
                remedy: maybe { $0.text() })
            check.note(line)
        }
        var report = LiveCheckReport(check)
        for index in report.steps.indices {
            (report.steps[index].step, report.steps[index].outcome) = (word(), maybe { $0.word() })
        }
        return report
    }

    private mutating func health() -> HealthReport {
        var report = HealthReport(
            one(of: [.starting, .running, .stopping, .unknown("a_later_word")]))
        for reason in HealthReport.Reason.allCases where flag() {
            report.unhealthy[reason] = ["a", "b"]
        }
        report.attention = flag() ? ["c", "d"] : []
        return report
    }

    private mutating func tokens() -> ImportedTokens {
        let (hasAccess, scope) = (flag(), "read")
        return ImportedTokens(
            refreshToken: hasAccess && flag() ? nil : Secret(text()),
            accessToken: hasAccess ? Secret("AT-\(count())") : nil,
            tokenType: maybe { _ in "bearer" }, scope: maybe { _ in scope },
            lifetime: hasAccess ? .seconds(number(1...9_000)) : nil)
    }
}
