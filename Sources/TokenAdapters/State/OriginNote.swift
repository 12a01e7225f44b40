internal import CLinux
internal import Glibc
internal import TokenFormats
internal import TokenSlots

/// The note beside the slots of where they were created: on which machine, and which two files.
struct OriginNote {
    static let fileName = ".origin"
    var machine: MachineIdentity
    /// Inode and birth time of each slot; empty for a missing one.
    var slots: [[Int64]]
    /// Other evidence that they are old; the evidence itself may be gone.
    var cause: Cause?
    /// The machine's ID changed once although the state was accepted: on this machine the ID proves
    /// nothing.
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

    /// `nil` when there is none, or it is not readable.
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
        // Only an ID that is lasting, or may be, is ever noted.
        self.init(
            machine: MachineIdentity(id: machine, standing: .lasting),
            slots: slots.map { ($0.elements ?? []).compactMap { $0.integer } })
        cause = json["problem"]?.text.map { problem in
            // A note of an earlier version has only the sentence.
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

    /// Takes over from the previous note what this boot cannot determine.
    ///
    /// - Parameter isAccepted: The operator has accepted the state here, whatever differs.
    mutating func succeed(_ noted: OriginNote, isAccepted: Bool) {
        let mayPass = machine.standing == .unknown
        isMachineUnstable =
            noted.isMachineUnstable || (isAccepted && mayPass && isOfAnotherMachine(than: noted))
        // A boot without an ID, or with a passing one, does not count as another machine.
        if !machine.isIdentity { machine = noted.machine }
    }
}
