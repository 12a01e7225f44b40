package import TokenFormats
package import TokenProviders

/// One completed attempt, for `evertoken status NAME`. Stored beside the tokens, so that the
/// history survives a restart. No server's raw text, no secret.
package struct PastAttempt: Sendable, Equatable {
    /// What was attempted; the word in JSON and in a slot.
    package enum Kind: String, Sendable, CaseIterable {
        case refresh
        /// A new grant without the refresh token.
        case acquire
        /// A user signed in.
        case signIn = "sign_in"
        /// An operator imported tokens.
        case imported = "import"

        init(_ kind: ExchangeKind) {
            switch kind {
            case .refresh: self = .refresh
            case .acquire: self = .acquire
            case .authorizationCode, .deviceCode: self = .signIn
            }
        }
    }

    /// How many are kept for each credential.
    package static let maximumCount = 20
    static let maximumProblem = 200

    /// What was attempted.
    package var kind: Kind
    /// When it was noted; a slot keeps whole seconds.
    package var at: WallTime
    /// From the request to the last byte of the response; `nil` without a response.
    package var took: Duration?
    /// `nil` after a success.
    package var failureClass: FailureClass?
    /// The status code of the answer that failed it, if there was one.
    package var httpStatus: Int?
    /// Of a refusal: one of the registered names (RFC 6749 section 5.2 and others).
    package var errorCode: String?
    /// What went wrong, in one line of at most 200 characters; `nil` after a success.
    package var problem: String?
    /// Anything unusual in the response of a success.
    package var note: String?

    /// A success.
    ///
    /// - Parameters:
    ///   - kind: What the attempt was for.
    ///   - at: When the request was sent.
    ///   - took: From the request to the last byte of the response.
    ///   - note: What was odd about the answer; cut at 200 characters.
    package init(_ kind: Kind, at: WallTime, took: Duration? = nil, note: String? = nil) {
        (self.kind, self.at, self.took) = (kind, at, took)
        self.note = note.map { String($0.prefix(Self.maximumProblem)) }
    }

    package init(_ kind: Kind, failedWith error: StoredError, took: Duration?) {
        self.init(kind, at: error.at, took: took)
        (failureClass, httpStatus) = (error.failureClass, error.httpStatus)
        errorCode = error.cause.facts.errorCode.flatMap {
            knownErrorCodes.contains(ByteText($0)) ? $0 : nil
        }
        problem = String(
            error.problem.prefix(Self.maximumProblem).map { $0.isNewline ? " " : $0 })
    }

    /// The form in `status --json`.
    package var json: JSONNode {
        .object([
            ("at", .integer(at.epochSeconds)), ("kind", .string(kind.rawValue)),
            ("result", .string(failureClass == nil ? "success" : "failure")),
            ("class", failureClass.map { .string($0.rawValue) }),
            ("http_status", httpStatus.map { .integer(Int64($0)) }),
            ("error_code", errorCode.map { .string($0) }),
            ("problem", problem.map { .string($0) }), ("note", note.map { .string($0) }),
            ("milliseconds", took.map { .integer($0.nanoseconds / 1_000_000) }),
        ])
    }

    /// Reads what ``json`` wrote; `nil` for anything else.
    package init?(json node: JSONNode) {
        guard let kind = node["kind"]?.text.flatMap(Kind.init(rawValue:)),
            let at = node["at"]?.integer
        else { return nil }
        self.init(
            kind, at: WallTime(epochSeconds: at),
            took: node["milliseconds"]?.integer.map { .milliseconds($0) })
        failureClass = node["class"]?.text.flatMap(FailureClass.init(rawValue:))
        httpStatus = node["http_status"]?.integer.map { Int(clamping: $0) }
        errorCode = node["error_code"]?.text
        problem = node["problem"]?.text
        note = node["note"]?.text
        if failureClass == nil, node["result"]?.text != "success" { return nil }
    }
}

// The form in a slot, where space is short and every record is read before every attempt: one line
// each, `AT KIND MILLISECONDS`, followed by `CLASS STATUS PROBLEM` for a failure. `-` means none; a
// problem equal to that of the previous line is `"`. After a success `note - TEXT` may follow. A
// line `code CODE` holds the error code of the failure above it, `-` for none; without that line it
// is that of the failure before where the problem is the same, else none. Versions that do not know
// one of these lines skip it.
extension PastAttempt {
    static func slotText(_ attempts: [PastAttempt]) -> String {
        var (before, codeBefore): (String?, String?) = (nil, nil)
        return attempts.map { attempt in
            let took = attempt.took.map { String($0.nanoseconds / 1_000_000) } ?? "-"
            let head = "\(attempt.at.epochSeconds) \(attempt.kind.rawValue) \(took)"
            guard let failureClass = attempt.failureClass else {
                return attempt.note.map { "\(head) note - \($0)" } ?? head
            }
            let isSame = attempt.problem != nil && attempt.problem == before
            let isToldCode = attempt.errorCode == (isSame ? codeBefore : nil)
            (before, codeBefore) = (attempt.problem, attempt.errorCode)
            let status = attempt.httpStatus.map { String($0) } ?? "-"
            let problem = isSame ? "\"" : attempt.problem ?? "-"
            return "\(head) \(failureClass.rawValue) \(status) \(problem)"
                + (isToldCode ? "" : "\ncode \(attempt.errorCode ?? "-")")
        }.joined(separator: "\n")
    }

    /// Skips lines that cannot be read.
    static func read(slotText: String) -> [PastAttempt] {
        var attempts: [PastAttempt] = []
        // The place of the last failure, which following lines refer to.
        var last: Int?
        // By bytes: characters cost ten times as much, in every record that is read.
        for line in slotText.utf8.split(separator: UInt8(ascii: "\n")) {
            let words = line.split(separator: UInt8(ascii: " "), maxSplits: 5).map {
                Substring($0)
            }
            if words.count == 2, words[0] == "code", let last {
                attempts[last].errorCode = words[1] == "-" ? nil : String(words[1])
                continue
            }
            guard let attempt = read(words, after: last.map { attempts[$0] }) else { continue }
            if attempt.failureClass != nil { last = attempts.count }
            attempts.append(attempt)
        }
        return attempts
    }

    /// - Parameter former: The failure before.
    private static func read(_ words: [Substring], after former: PastAttempt?) -> PastAttempt? {
        guard words.count >= 3, let at = Int64(words[0]),
            let kind = Kind(rawValue: String(words[1]))
        else { return nil }
        var attempt = PastAttempt(
            kind, at: WallTime(epochSeconds: at),
            took: Int64(words[2]).map { .milliseconds($0) })
        guard words.count > 3 else { return attempt }
        if words[3] == "note", words.count == 6 {
            attempt.note = String(words[5])
            return attempt
        }
        guard words.count == 6, let failureClass = FailureClass(rawValue: String(words[3]))
        else { return nil }
        (attempt.failureClass, attempt.httpStatus) = (failureClass, Int(words[4]))
        if words[5] == "\"" {
            (attempt.problem, attempt.errorCode) = (former?.problem, former?.errorCode)
        } else if words[5] != "-" {
            attempt.problem = String(words[5])
        }
        return attempt
    }
}

extension CredentialRecord {
    mutating func note(_ attempt: PastAttempt) {
        recent = (recent + [attempt]).suffix(PastAttempt.maximumCount)
    }
}
