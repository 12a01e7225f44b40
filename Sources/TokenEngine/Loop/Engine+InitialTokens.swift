internal import TokenConfiguration
internal import TokenFormats
internal import TokenProviders
internal import TokenScheduling
internal import TokenSlots

/// The files of the configured refresh tokens when they were last read.
struct InitialTokenLook: Sendable {
    /// By credential: the mark of its file; `nil` inside for a source that is read once.
    var marks: [String: SecretMark?] = [:]
    var isUnderWay = false
    /// When the last look began.
    var lastAt: Uptime?
    /// A reload requests that all of them are read, commands too.
    var isWhole = false
}

// The configured refresh tokens are read at every reload and with every look at the outputs: a new
// sign-in must not wait for the present token to expire. A file is read when its inode, size or
// times have changed; a systemd credential and an environment variable are read once, because they
// do not change after the start; a command is run at a reload.
extension EngineLoop {
    /// How many are read concurrently; each waits only for its own file system.
    private static let atOnce = 8
    /// Minimum interval; looks at the outputs may be more frequent.
    private static let shortest: Duration = .seconds(40)

    mutating func lookAtInitialTokens(_ group: inout DiscardingTaskGroup, isReload: Bool) {
        if isReload { initialTokens.isWhole = true }
        let now = self.now.uptime
        let isDue = initialTokens.lastAt.map { $0.duration(to: now) >= Self.shortest } ?? true
        guard isReload || isDue, !initialTokens.isUnderWay, !credentials.isStopping else { return }
        initialTokens.lastAt = now
        let isWhole = initialTokens.isWhole
        (initialTokens.isUnderWay, initialTokens.isWhole) = (true, false)
        let bound = isWhole ? credentials.bound : []
        let (known, inbox, all) = (initialTokens.marks, engine.inbox, configuration.credentials)
        group.addTask { [runner] in
            let (asked, bound) = (all.filter { $0.isAsked(known, isWhole) }, Set(bound))
            var marks = known
            for start in stride(from: 0, to: asked.count, by: Self.atOnce) {
                let some = asked[start..<min(start + Self.atOnce, asked.count)]
                await withTaskGroup(of: (String, SecretMark?, InitialToken?).self) { group in
                    for credential in some {
                        group.addTask {
                            await runner.initialToken(of: credential, known: known, isWhole)
                        }
                    }
                    for await (name, mark, token) in group {
                        marks[name] = .some(mark)
                        guard let token else { continue }
                        inbox.yield(.lifecycle(name, .initialTokenRead(token)))
                    }
                }
            }
            for credential in all where bound.contains(credential.name) {
                guard let place = try? await runner.place(of: credential) else { continue }
                inbox.yield(.lifecycle(credential.name, .placeRead(place)))
            }
            inbox.yield(.initialTokensLooked(marks))
        }
    }

    mutating func initialTokensLooked(
        _ marks: [String: SecretMark?], _ group: inout DiscardingTaskGroup
    ) {
        initialTokens.marks = marks.filter { credentials[$0.key] != nil }
        initialTokens.isUnderWay = false
        if initialTokens.isWhole { lookAtInitialTokens(&group, isReload: true) }
    }
}

extension CredentialConfiguration {
    /// Whether its configured refresh token is looked at.
    fileprivate func isAsked(_ known: [String: SecretMark?], _ isWhole: Bool) -> Bool {
        guard profile.usesRefreshToken, let source = refreshToken else { return false }
        switch source.place {
        case .inline, .file: return true
        case .command: return isWhole
        case .environment, .credential, .exact: return isWhole || known[name] == nil
        }
    }
}

extension AttemptRunner {
    /// - Returns: The token if it may be new.
    fileprivate func initialToken(
        of credential: CredentialConfiguration, known: [String: SecretMark?], _ isWhole: Bool
    ) async -> (String, SecretMark?, InitialToken?) {
        guard let source = credential.refreshToken else { return (credential.name, nil, nil) }
        let mark = await world.secrets.mark(of: source)
        if !isWhole, let before = known[credential.name], before == mark {
            return (credential.name, mark, nil)
        }
        let text = try? await world.secrets.read(source, as: .line)
        return (credential.name, mark, text.map { InitialToken($0) })
    }
}
