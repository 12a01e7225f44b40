internal import TokenCore

/// What the configured refresh tokens looked like when they were last read.
struct InitialTokenLook: Sendable {
    /// Of a credential: its file as it was then; `nil` inside for a source that is read once.
    var marks: [String: SecretMark?] = [:]
    var isUnderWay = false
    /// When the last one began.
    var lastAt: Uptime?
    /// A reload wants all of them read, commands too.
    var isWhole = false
}

// What the configuration names is looked at on every reload and with every look at the outputs: a
// new sign-in must not wait for the present token to end. A file is read when its inode, size or
// times have changed; a systemd credential and an environment variable are what they were at the
// start; a command is run at a reload.
extension EngineLoop {
    /// How many are looked at a time; each waits for its file system alone.
    private static let atOnce = 8
    /// Looks at the outputs may come more often.
    private static let shortest: Duration = .seconds(40)

    mutating func lookAtInitialTokens(_ group: inout DiscardingTaskGroup, isReload: Bool) {
        if isReload { initialTokens.isWhole = true }
        let now = self.now.uptime
        let isDue = initialTokens.lastAt.map { $0.duration(to: now) >= Self.shortest } ?? true
        guard isReload || isDue, !initialTokens.isUnderWay, !fleet.isStopping else { return }
        initialTokens.lastAt = now
        let isWhole = initialTokens.isWhole
        (initialTokens.isUnderWay, initialTokens.isWhole) = (true, false)
        let asked = fleet.all.map(\.configuration).filter { credential in
            guard credential.profile.usesRefreshToken, let source = credential.refreshToken else {
                return false
            }
            switch source.place {
            case .inline, .file: return true
            case .command: return isWhole
            case .environment, .credential, .exact:
                return isWhole || initialTokens.marks[credential.name] == nil
            }
        }
        let bound = isWhole ? fleet.all.filter { $0.grant.boundTo != nil }.map(\.configuration) : []
        let (known, inbox) = (initialTokens.marks, engine.inbox)
        group.addTask { [runner] in
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
            for credential in bound {
                guard let place = try? await runner.place(of: credential) else { continue }
                inbox.yield(.lifecycle(credential.name, .placeRead(place)))
            }
            inbox.yield(.initialTokensLooked(marks))
        }
    }

    mutating func initialTokensLooked(
        _ marks: [String: SecretMark?], _ group: inout DiscardingTaskGroup
    ) {
        initialTokens.marks = marks.filter { fleet[$0.key] != nil }
        initialTokens.isUnderWay = false
        if initialTokens.isWhole { lookAtInitialTokens(&group, isReload: true) }
    }
}

extension AttemptRunner {
    /// - Returns: The token where it may be a new one.
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
