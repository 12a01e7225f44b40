internal import TokenConfiguration
internal import TokenControl
internal import TokenEngine
internal import TokenFormats
internal import TokenProviders
internal import TokenScheduling
internal import TokenSlots

/// Faults that wait for their time.
struct FaultPlan {
    /// Die at the n-th operation of the process from now.
    var crashAfter: (operations: Int, losesPower: Bool)?
    var failingWrites = 0
    /// The fault of a credential's next request.
    var wire: [String: Simulation.WireFault] = [:]
}

// One fault after another, about 1.7 an hour unless a scenario has its own.
extension Simulation {
    /// `weight`: how many of them an hour, on average.
    typealias Fault = (name: String, weight: Double, inject: @Sendable (Simulation) -> Void)

    static let everyFault: [Fault] = [
        ("kill at an operation", 0.20, { $0.planCrash(losesPower: false) }),
        ("power cut at an operation", 0.10, { $0.planCrash(losesPower: true) }),
        ("kill", 0.05, { $0.crash(losesPower: false) }),
        ("orderly restart", 0.05, { $0.tell(.stop) }),
        ("reload", 0.08, { $0.reload() }),
        ("process stopped", 0.03, { $0.freeze(.seconds(7200), .zero) }),
        ("suspend", 0.02, { $0.freeze(.seconds(8 * 3600), $0.upTo(.seconds(60))) }),
        ("wall clock stepped", 0.12, { $0.stepClock() }),
        ("wall clock right again", 0.12, { $0.setClock(.zero) }),
        ("disk fails", 0.06, { $0.breakDisk() }),
        ("one write fails", 0.12, { $0.faults.failingWrites += 1 }),
        ("disk full", 0.05, { $0.fillDisk() }),
        ("disk slow", 0.04, { $0.slowDisk() }),
        ("slot rots", 0.04, { $0.rot() }),
        ("token files fail", 0.04, { $0.breakOutputs() }),
        ("endpoint unreachable", 0.12, { $0.cutNetwork() }),
        ("client refused for a while", 0.01, { $0.refuseClient() }),
        ("request or answer goes wrong", 0.50, { $0.spoilRequest() }),
        ("backup", 0.02, { $0.machine.backup = $0.machine.slots }),
        ("state restored", 0.002, { $0.restore() }),
        ("new refresh token configured", 0.03, { $0.configureToken() }),
    ]

    /// A fault of the catalogue at another rate.
    static func fault(_ name: String, perHour rate: Double) -> Fault {
        guard let known = everyFault.first(where: { $0.name == name }) else {
            fatalError("no fault is named \(name)")
        }
        return (name, rate, known.inject)
    }

    /// This happens to the next request of one credential.
    static func fault(_ kind: WireFault, perHour rate: Double) -> Fault {
        ("\(kind)", rate, { $0.faults.wire[$0.randomName()] = kind })
    }

    func scheduleFault() {
        let rate = catalogue.reduce(0) { $0 + $1.weight }
        guard rate > 0 else { return }
        schedule(at: now + upTo(.seconds(2 * 3600 / rate))) { [self] in
            var pick = Double.random(in: 0..<rate, using: &random)
            for fault in catalogue {
                if pick < fault.weight {
                    report.count(fault.name)
                    report.digest(now, fault.name)
                    report.trace(now, "", fault.name)
                    fault.inject(self)
                    break
                }
                pick -= fault.weight
            }
            scheduleFault()
        }
    }

    private func planCrash(losesPower: Bool) {
        faults.crashAfter = (Int.random(in: 1...14, using: &random), losesPower)
    }

    /// Reloads a configuration without some credentials, with others again, or unchanged.
    private func reload() {
        var new = everything
        if chance(0.5) {
            let gone = Set(
                (0..<3).map { _ in names[Int.random(in: 0..<names.count, using: &random)] })
            new.credentials.removeAll { gone.contains($0.name) }
        }
        let returned = Set(new.credentials.map(\.name))
            .subtracting(configuration.credentials.map(\.name))
        for name in returned { accounts[name]?.troubleUntil = now }
        configuration = new
        tell(.reload)
    }

    /// The operator configures a token of another sign-in, an invalid text, or the original token.
    private func configureToken() {
        let name = randomName()
        guard let index = everything.credentials.firstIndex(where: { $0.name == name }),
            var account = accounts[name], account.kind.rotates || account.kind == .fixed
        else { return }
        var token = "BAD~\(name)~\(report.faultCount)~"
        if chance(0.5) {
            token = account.signInBeside()
        } else if chance(0.3) {
            token = "RT~\(name)~0.0~"
        }
        account.configured = token
        accounts[name] = account
        // An old state would not know that it has been used.
        machine.backup[name] = nil
        report.digest(now, token)
        report.trace(now, name, "is configured with \(token)")
        everything.credentials[index].refreshToken = .inline(Secret(token))
        if let index = configuration.credentials.firstIndex(where: { $0.name == name }) {
            configuration.credentials[index].refreshToken = .inline(Secret(token))
        }
        tell(.reload)
    }

    private func freeze(_ longest: Duration, _ delay: Duration) {
        frozenUntil = now + .seconds(1) + upTo(longest)
        wakeDelay = delay
        trouble(until: frozenUntil + delay)
    }

    /// Up to ten years in either direction, or a second.
    private func stepClock() {
        let isSmall = chance(0.3)
        let limit: Int64 = isSmall ? 2 : 3650 * 86_400
        setClock(.seconds(Int64.random(in: -limit...limit, using: &random)))
    }

    private func breakDisk() {
        machine.brokenUntil = now + upTo(.seconds(300))
        trouble(until: machine.brokenUntil)
    }

    private func fillDisk() {
        machine.fullUntil = now + upTo(.seconds(3600))
        machine.outputsBrokenUntil = machine.fullUntil
        trouble(until: machine.fullUntil)
    }

    private func slowDisk() {
        machine.slowUntil = now + upTo(.seconds(600))
        trouble(until: machine.slowUntil + .seconds(30))
    }

    private func breakOutputs() {
        machine.outputsBrokenUntil = now + upTo(.seconds(1200))
        trouble(until: machine.outputsBrokenUntil)
    }

    private func cutNetwork() {
        outageUntil = now + upTo(.seconds(1200))
    }

    func randomName() -> String { names[Int.random(in: 0..<names.count, using: &random)] }

    private func refuseClient() {
        let name = randomName()
        let end = now + upTo(.seconds(600))
        accounts[name]?.refusesClientUntil = end
        // While a token is valid it is retried within 45 s, or a tenth of the remaining life.
        accounts[name]?.troubleUntil = end + .seconds(60)
    }

    private func spoilRequest() {
        let kinds = WireFault.allCases
        faults.wire[randomName()] = kinds[Int.random(in: 0..<kinds.count, using: &random)]
    }

    /// An operator restores an old state, as new files or over the existing ones.
    private func restore() {
        guard !machine.backup.isEmpty else { return }
        if let life, !life.hasExpired { crash(losesPower: false) }
        let inPlace = chance(0.3)
        schedule(at: now) { [self] in
            for name in names where machine.backup[name] != nil {
                let before = accounts[name].map { machine.holds($0.live, name) } ?? false
                machine.restore(name, inPlace: inPlace)
                let after = accounts[name].map { machine.holds($0.live, name) } ?? false
                if before, !after { accounts[name]?.excuse = "restored" }
                accounts[name]?.isUnawares = !isTold(name)
                report.restored[name] = accounts[name]?.accessCounter
                report.unseen.insert(name)
            }
        }
    }
}
