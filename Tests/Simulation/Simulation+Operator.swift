internal import TokenConfiguration
internal import TokenControl
internal import TokenEngine
internal import TokenFormats
internal import TokenProviders
internal import TokenScheduling
internal import TokenSlots

// The operator's actions, and the invariants that are checked at each visit.
extension Simulation {
    /// The operator reads `status` and follows it.
    func visit() {
        schedule(at: now + visitsEvery) { [self] in visit() }
        auditDisk()
        guard let life, !life.hasExpired, frozenUntil <= now else { return }
        life.engine.inbox.yield(
            .request(.status()) { [self] reply in
                report.audits += 1
                for entry in reply.body["credentials"]?.elements ?? [] { look(at: entry, life) }
            })
    }

    private func look(at entry: JSONNode, _ life: Life) {
        guard let name = entry["name"]?.text, let state = entry["state"]?.text,
            let account = accounts[name]
        else { return problem("a status without a name") }
        look(entry, account)
        switch state {
        case "login_required":
            if account.excuse == nil, !account.isRevoked {
                problem("\(name) needs a login although nothing was lost")
            }
            signIn(name, life)
        case "quarantined":
            if !report.unseen.contains(name) {
                problem("\(name) is quarantined although nothing was put back")
            }
            // The careful operator signs in again, or accepts if nothing was spent meanwhile.
            if account.excuse == nil {
                life.engine.inbox.yield(
                    .request(.accept(name)) { [self] reply in
                        guard !life.hasExpired, reply.status == 200 else { return }
                        trusted(name)
                    })
            } else {
                signIn(name, life)
            }
        case "misconfigured":
            if account.refusesClientUntil == .zero { problem("\(name) is misconfigured") }
        case "pending" where isLongWell(account), "expired" where isLongWell(account):
            problem("\(name) is still \(state)")
        default: break
        }
    }

    /// Nothing has kept this credential from its token for ten minutes.
    private func isLongWell(_ account: Account) -> Bool {
        let last = max(account.troubleUntil, troubleUntil, outageUntil)
        return now > .seconds(7200) && last < now - .seconds(600) && account.excuse == nil
    }

    private func signIn(_ name: String, _ life: Life) {
        guard var account = accounts[name], account.kind.rotates || account.kind == .fixed else {
            return problem("\(name) wants a person, but has nothing to sign in for")
        }
        report.signIns += 1
        let token = account.signIn()
        account.excuse = "signing in"
        account.troubleUntil = now
        accounts[name] = account
        let body = Array(#"{"refresh_token":"\#(token)"}"#.utf8)
        guard let tokens = try? ImportedTokens.read(body, now: life.now().wall) else {
            return problem("the tokens of a sign-in cannot be read")
        }
        life.engine.inbox.yield(
            .request(.order(name, .adopt(tokens))) { [self] reply in
                guard !life.hasExpired, reply.status == 200 else { return }
                trusted(name)
                if !machine.holds(token, name), accounts[name]?.live == token {
                    problem("\(name): an import was acknowledged that no slot holds")
                }
            })
    }

    /// The operator has accepted its state: from now on it is used like any other.
    private func trusted(_ name: String) {
        guard report.unseen.remove(name) != nil else { return }
        accounts[name]?.troubleUntil = now
    }

    /// I3: every token that was saved and is still valid can be read from the disk.
    func auditDisk() {
        for name in names {
            guard let account = accounts[name], account.kind.rotates, account.excuse == nil,
                machine.slots[name] != nil, account.counter > 0
            else { continue }
            if !machine.holds(account.live, name) {
                problem("\(name): \(account.live) lives, and no slot holds it")
            }
            if let kept = account.kept, !machine.keeps(kept, name) {
                problem("\(name): \(kept), which a new sign-in displaced, is in no slot")
            }
        }
    }
}
