#if !FUZZING
    @testable import TokenConfiguration
    @testable import TokenFormats
    @testable import TokenProviders
    @testable import TokenSlots
#endif

/// Properties of any bytes read as a configuration or as a slot.
struct ReaderProperties {
    /// Called with each violated property.
    let broken: (String) -> Void

    /// Gives either a configuration or mistakes with their places; never both, and never a secret.
    func checkConfiguration(_ bytes: [UInt8]) {
        read(bytes)
        // The same with known secrets inserted.
        guard let node = try? JSONReader.read(bytes) else { return }
        let text = node.serialized()
        if !String(decoding: text, as: UTF8.self).contains("CANARY7") {
            read(withSecrets(node).serialized())
        }
    }

    private func withSecrets(_ node: JSONNode) -> JSONNode {
        changed(node, "credentials") { credentials in
            (credentials.members ?? []).reduce(credentials) { all, member in
                ["client_secret", "refresh_token"].reduce(all) { all, key in
                    changed(all, member.key) { credential in
                        changed(credential, key) { value in
                            value.text?.isEmpty == false ? "CANARY7 secret" : value
                        }
                    }
                }
            }
        }
    }

    private func changed(
        _ node: JSONNode, _ key: String, by change: (JSONNode) -> JSONNode
    ) -> JSONNode {
        guard let members = node.members else { return node }
        return .object(members.map { ($0.key, $0.key == key ? change($0.value) : $0.value) })
    }

    private func read(_ bytes: [UInt8]) {
        let isPlanted = String(decoding: bytes, as: UTF8.self).contains("CANARY7 secret")
        let file = ConfigurationFile(path: "c.json", bytes: bytes, mode: 0o600)
        do throws(ConfigurationMistakes) {
            let configuration = try Configuration.read(main: file)
            let again = try Configuration.read(main: file)
            if again != configuration { broken("one file makes two configurations") }
            let nonce = RequestNonce(
                uuid: "u", random: String(repeating: "r", count: 64),
                now: WallTime(epochSeconds: 0))
            for credential in configuration.credentials {
                for part in ShownRequests(credential, nonce: nonce).parts
                where isPlanted && part.text.contains("CANARY7") {
                    broken("a secret is shown")
                }
            }
        } catch {
            let lines = bytes.count { $0 == 0x0A } + 1
            if error.all.isEmpty { broken("refused without a mistake") }
            for mistake in error.all {
                if !(1...lines).contains(mistake.line) || mistake.column < 1 {
                    broken("a mistake in a place that is not there")
                }
                if mistake.problem.isEmpty || mistake.remedy.isEmpty { broken("a silent mistake") }
                if isPlanted, mistake.description.contains("CANARY7") {
                    broken("a secret in a mistake")
                }
            }
        }
    }

    /// Bytes 0 and 1 choose where a valid slot is changed, the rest how: it must be read unchanged,
    /// without its answer, or not at all.
    func checkSlot(_ bytes: [UInt8]) {
        let slot = Self.slot
        guard let whole = SlotContents(bytes: slot, credential: "mail") else {
            return broken("the valid slot is none")
        }
        var changed = slot
        let places = [0, SlotLayout.responseOffset(slotSize: Self.size)]
        let place = places[Int(bytes.first ?? 0) % 2] + Int(bytes.dropFirst().first ?? 0) * 4
        for (index, byte) in bytes.dropFirst(2).enumerated() where place + index < changed.count {
            changed[place + index] = byte
        }
        if let read = SlotContents(bytes: changed, credential: "mail") {
            if read.record != whole.record { broken("a changed record is believed") }
            if let response = read.response, response != whole.response {
                broken("a changed answer is read")
            }
        }
        if SlotContents(bytes: changed, credential: "other") != nil { broken("another's slot") }
        // And as they are: no slot comes from arbitrary bytes.
        if SlotContents(bytes: bytes, credential: "mail") != nil { broken("bytes without a seal") }
    }

    private static let size = 65_536

    private static let slot: [UInt8] = {
        var grant = CredentialRecord()
        grant.refreshToken = Secret("RT")
        let now = Moment(
            uptime: Uptime(.seconds(1)), wall: WallTime(epochSeconds: 1), bootID: "b")
        let record = SlotRecord(
            sequence: 7, state: .intent, attemptID: "a", kind: .refresh, sentAt: now, grant: grant)
        var bytes = SlotLayout.encode(record, credential: "mail", slotSize: size) ?? []
        let offset = SlotLayout.responseOffset(slotSize: size)
        bytes += Array(repeating: 0, count: offset - bytes.count)
        let answer = RawResponse(status: 200, body: Array(#"{"access_token":"AT"}"#.utf8))
        return bytes
            + SlotLayout.encode(
                answer, attemptID: "a", roundTrip: .zero, credential: "mail", slotSize: size)
    }()
}
