internal import CLinux
internal import Glibc
internal import TokenCore
internal import TokenEngine

/// Where slots were made, as a file beside them says: on which machine, and which two files.
struct OriginNote {
    static let fileName = ".origin"
    var machine: MachineIdentity
    /// Inode and birth of each slot; empty for one that is not there.
    var slots: [[Int64]]
    /// What else told that they are old; it may be gone by now.
    var cause: Cause?
    /// The machine's id has changed once, and the state was accepted all the same: on this machine
    /// it says nothing.
    var isMachineUnstable = false

    static func now(in folder: Int32) -> OriginNote {
        OriginNote(
            machine: .current,
            slots: SlotPair.Index.allCases.map { index in
                var identity: [UInt64] = [0, 0, 0]
                guard clinux_file_identity(folder, index.fileName, &identity) == 0 else {
                    return []
                }
                return identity.map { Int64(truncatingIfNeeded: $0) }
            })
    }

    init(machine: MachineIdentity, slots: [[Int64]]) {
        (self.machine, self.slots) = (machine, slots)
    }

    /// `nil` when there is none; one that cannot be read tells nothing either.
    init?(in folder: Int32, _ place: String) throws(StorageFailure) {
        let file = clinux_openat(folder, Self.fileName, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0)
        if file < 0, errno == ENOENT { return nil }
        guard file >= 0 else {
            throw StorageFailure(SystemError("open \(place)/\(Self.fileName)"))
        }
        defer { close(file) }
        guard let bytes = try? readAll(file, limit: 4096, what: Self.fileName),
            let json = try? JSONReader.read(bytes)
        else { return nil }
        self.init(json: json)
    }

    init?(json: JSONNode) {
        guard let machine = json["machine"]?.text, let slots = json["slots"]?.elements else {
            return nil
        }
        // Only a lasting id, or one that may be, was ever noted.
        self.init(
            machine: MachineIdentity(id: machine, standing: .lasting),
            slots: slots.map { ($0.elements ?? []).compactMap { $0.integer } })
        cause = json["problem"]?.text.map { problem in
            // A note of a former version tells the sentence alone.
            let kind = json["cause"]?.text.flatMap { CauseKind(spelled: $0) } ?? .stateCopied
            return Cause(kind, CauseFacts(detail: problem))
        }
        isMachineUnstable = json["machine_is_unstable"]?.flag ?? false
    }

    var json: JSONNode {
        .object([
            ("machine", .string(machine.isIdentity ? machine.id : "")),
            ("slots", .array(slots.map { .array($0.map { .integer($0) }) })),
            ("problem", cause?.facts.detail.map { .string($0) }),
            ("cause", cause.map { .string($0.kind.rawValue) }),
            ("machine_is_unstable", isMachineUnstable ? true : nil),
        ])
    }

    func difference(from noted: OriginNote) -> Cause? {
        let copied = { (problem: String) in Cause(.stateCopied, CauseFacts(detail: problem)) }
        if isOfAnotherMachine(than: noted) {
            return copied("its state was written on another machine (machine-id differs)")
        }
        let isReplaced = zip(slots, noted.slots).contains { now, then in
            !now.isEmpty && !then.isEmpty && now != then
        }
        return isReplaced
            ? copied(
                "its state was copied or restored from a backup (the files are not the ones it "
                    + "wrote)") : nil
    }

    private func isOfAnotherMachine(than noted: OriginNote) -> Bool {
        machine.isIdentity && noted.machine.isIdentity && !noted.isMachineUnstable
            && machine.id != noted.machine.id
    }

    /// Takes over what this boot cannot tell by itself.
    ///
    /// - Parameter isAccepted: A person has accepted the state here, whatever is different.
    mutating func succeed(_ noted: OriginNote, isAccepted: Bool) {
        let mayPass = machine.standing == .unknown
        isMachineUnstable =
            noted.isMachineUnstable || (isAccepted && mayPass && isOfAnotherMachine(than: noted))
        // A boot without an id, or with a passing one, does not make another machine of this one.
        if !machine.isIdentity { machine = noted.machine }
    }
}
