internal import CLinux
internal import Glibc
internal import Synchronization
package import TokenConfiguration
internal import TokenEngine
package import TokenFormats
package import TokenScheduling

/// Writes token files. Relative paths are below the token directory; neither `..` nor a symbolic
/// link may lead out of it.
package final class OutputDirectory: OutputPublisher, Sendable {
    /// How long a caller waits for one mount. Work that hangs continues, and the file stays
    /// complete, old or new.
    private static let patience = (writing: Duration.seconds(10), looking: Duration.seconds(5))

    private let path: String
    private let current: Mutex<OpenDirectory>
    /// A file server that does not respond blocks at most a quarter of them.
    private let lanes = Lanes("outputs", count: 16)
    private let mounts = MountTable()
    private let marks = OutputMarks()

    /// Opens the token directory, creating it (0755) if it is missing.
    package init(path: String) throws(StorageFailure) {
        self.path = path
        current = Mutex(try OpenDirectory.locked(path))
    }

    /// Only for reading published files; `nil` if there is no such directory.
    init?(reading path: String) {
        guard let directory = OpenDirectory(path) else { return nil }
        self.path = path
        current = Mutex(directory)
    }

    deinit { current.withLock { $0.close() } }

    /// The open directory; reopened if the directory at its path was replaced.
    private var directory: Int32 {
        current.withLock { held in
            if !held.isStill(at: path), let new = try? OpenDirectory.locked(path) {
                held.close()
                held = new
            }
            return held.descriptor
        }
    }

    /// The outputs of each mount, in order.
    private func byMount(_ outputs: [OutputSpecification]) -> [(String, [OutputSpecification])] {
        let points = mounts.points(
            of: outputs.map { $0.isAbsolute ? $0.path : "\(path)/\($0.path)" })
        guard let first = points.first else { return [] }
        if points.allSatisfy({ $0 == first }) { return [(first, outputs)] }
        return Dictionary(grouping: zip(points, outputs), by: \.0).sorted { $0.key < $1.key }
            .map { ($0.key, $0.value.map(\.1)) }
    }

    /// As `OutputPublisher` says: each mount has its own lane, so that one that hangs delays no
    /// other.
    package func publish(
        _ token: PublishedToken, to outputs: [OutputSpecification]
    ) async -> PublicationReport {
        let parts = byMount(outputs)
        let causes: [Cause]
        if parts.count == 1 {
            // The usual case, for which a task would cost more than the files.
            causes = await publish(token, to: outputs, on: parts[0].0)
        } else {
            causes = await withTaskGroup(of: [Cause].self) { group in
                for (mount, outputs) in parts {
                    group.addTask { await self.publish(token, to: outputs, on: mount) }
                }
                return await group.reduce(into: []) { $0 += $1 }
            }
        }
        return PublicationReport(
            Self.together(causes), isAnyWritten: causes.count < outputs.count)
    }

    /// One cause for several: the kind and remedy of the first, with all problems in its detail.
    private static func together(_ causes: [Cause]) -> Cause? {
        let sorted = causes.sorted { $0.problem < $1.problem }
        guard var first = sorted.first, sorted.count > 1 else { return sorted.first }
        first.facts.detail = sorted.compactMap { $0.facts.detail }.joined(separator: "; ")
        return first
    }

    /// - Returns: The problem of each output that does not have the token now.
    private func publish(
        _ token: PublishedToken, to outputs: [OutputSpecification], on mount: String
    ) async -> [Cause] {
        let causes = await lanes.run(
            key: "\(token.credential)\0\(mount)", holder: mount, within: Self.patience.writing,
            // Behind a write that hangs only the newest token is worth writing.
            mostWaiting: 1
        ) {
            self.publishNow(token, to: outputs, on: mount)
        }
        return causes
            ?? outputs.map { output in
                let detail = "\(output.path): its file system (\(mount)) does not answer"
                return Cause(.outputSilent, CauseFacts(file: output.path, detail: detail))
            }
    }

    /// Files of one folder follow each other: it is opened once for all of them.
    private func publishNow(
        _ token: PublishedToken, to outputs: [OutputSpecification], on mount: String
    ) -> [Cause] {
        var causes: [Cause] = []
        var rest = outputs[...]
        while let first = rest.first {
            let place = Place(first.path)
            let some = rest.prefix { Place($0.path).isBeside(place) }
            rest = rest.dropFirst(some.count)
            causes += publishNow(token, toFolderOf: some, on: mount)
        }
        return causes
    }

    private func publishNow(
        _ token: PublishedToken, toFolderOf outputs: ArraySlice<OutputSpecification>,
        on mount: String
    ) -> [Cause] {
        var causes: [Cause] = []
        var folder: Int32?
        defer { if let folder { close(folder) } }
        for output in outputs {
            guard let bytes = token.bytes(as: output.format) else {
                let detail = "\(output.path): its template names a value that this token has not"
                causes.append(
                    Cause(.outputValueMissing, CauseFacts(file: output.path, detail: detail)))
                continue
            }
            do throws(SystemError) {
                marks.forget(output.path)
                let identity = try write(bytes, to: output, in: &folder)
                marks.note(
                    OutputMarks.Mark(credential: token.credential, identity: identity),
                    of: output.path, on: mount)
            } catch { causes.append(error.cause(of: output, in: path)) }
        }
        return causes
    }

    /// Runs in order with the publications of the same credential.
    package func remove(_ outputs: [OutputSpecification], of credential: String) async {
        for (mount, outputs) in byMount(outputs) {
            await lanes.run(
                key: "\(credential)\0\(mount)", holder: mount, within: Self.patience.writing
            ) { self.remove(outputs) }
        }
    }

    private func remove(_ outputs: [OutputSpecification]) {
        for output in outputs {
            let place = Place(output.path)
            marks.forget(output.path)
            guard let folder = try? self.openFolder(place, output, create: false) else {
                continue
            }
            unlinkat(folder, place.name, 0)
            unlinkat(folder, AtomicFile.temporary(place.name), 0)
            fsync(folder)
            close(folder)
            // A credential's own folder is removed with its last file.
            if !place.isAbsolute, let parent = place.folders.first, place.folders.count == 1 {
                unlinkat(self.directory, parent, AT_REMOVEDIR)
            }
        }
    }

    /// As `OutputPublisher` says. An unreadable file, or one that is not JSON, gives no token.
    package func published(
        in outputs: [OutputSpecification], of credential: String
    ) async -> [Secret] {
        var tokens: [Secret] = []
        for (mount, outputs) in byMount(outputs.filter { $0.format == .json }) {
            let found = await lanes.run(
                key: "\(credential)\0\(mount)", holder: mount,
                within: Self.patience.looking
            ) { outputs.compactMap { self.token(in: $0, credential) } }
            tokens += found ?? []
        }
        return tokens
    }

    private func token(in output: OutputSpecification, _ credential: String) -> Secret? {
        let place = Place(output.path)
        guard let folder = try? openFolder(place, output, create: false) else { return nil }
        defer { close(folder) }
        let file = clinux_openat(folder, place.name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0)
        guard file >= 0 else { return nil }
        defer { close(file) }
        guard let bytes = try? readAll(file, limit: 1 << 20, what: output.path),
            let json = try? JSONReader.read(bytes),
            json["credential"]?.text?.hasSameBytes(as: credential) == true
        else { return nil }
        return json["access_token"]?.text.map { Secret($0) }
    }

    private struct Place {
        var isAbsolute: Bool
        var folders: [String]
        var name: String

        init(_ path: String) {
            isAbsolute = path.hasPrefix("/")
            var parts = path.split(separator: "/").map(String.init)
            name = parts.popLast() ?? ""
            folders = parts
        }

        /// Whether both files are in the same folder.
        func isBeside(_ other: Place) -> Bool {
            isAbsolute == other.isAbsolute && folders == other.folders
        }
    }

    /// All published files that were deleted, overwritten or replaced since.
    package func altered() async -> [AlteredOutput] {
        await withTaskGroup(of: [AlteredOutput].self) { group in
            for mount in marks.mounts {
                group.addTask {
                    await self.lanes.run(
                        key: "look\0\(mount)", holder: mount,
                        within: Self.patience.looking, mostWaiting: 1
                    ) { self.altered(on: mount) } ?? []
                }
            }
            return await group.reduce(into: []) { $0 += $1 }
        }
    }

    /// One stat(2) for each file. Links in the path do not matter: it is the same file or not.
    private func altered(on mount: String) -> [AlteredOutput] {
        let directory = self.directory
        var (altered, position): ([AlteredOutput], Int) = ([], 0)
        while let part = marks.part(of: mount, from: position) {
            position = part.next
            for entry in part.entries {
                let found = FileIdentity(entry.path, in: directory)
                // Another publication may have changed it meanwhile.
                guard found != entry.mark.identity,
                    marks.has(entry.mark, of: entry.path, on: mount)
                else { continue }
                altered.append(
                    AlteredOutput(
                        credential: entry.mark.credential, path: entry.path,
                        isMissing: found == nil))
            }
        }
        return altered
    }

    /// - Parameter folder: Opened unless it is open.
    /// - Returns: The identity of the written file.
    private func write(
        _ bytes: [UInt8], to output: OutputSpecification, in folder: inout Int32?
    ) throws(SystemError) -> FileIdentity {
        let place = Place(output.path)
        let file = AtomicFile(
            owner: try account(output.owner, Accounts.user, "user"),
            group: try account(output.group, Accounts.group, "group"), mode: output.mode)
        let open: Int32
        if let folder { open = folder } else { open = try openFolder(place, output, create: true) }
        folder = open
        try OutputPlace.require(place.name, in: open, place: output.path)
        if output.isWrittenInPlace {
            try InPlaceFile(attributes: file, mayPad: output.format == .json)
                .write(bytes, name: place.name, in: open, place: output.path)
        } else {
            try file.write(bytes, name: place.name, in: open, place: output.path)
        }
        return FileIdentity(place.name, in: open) ?? .none
    }

    private func account<ID>(
        _ name: String?, _ lookUp: (String) -> ID?, _ kind: String
    ) throws(SystemError) -> ID? {
        guard let name else { return nil }
        guard let id = lookUp(name) else {
            var error = SystemError("find the \(kind) \(name)", code: ENOENT)
            error.isOfAccount = true
            throw error
        }
        return id
    }

    /// Opens the folder of a file. Missing folders below the token directory are created with mode
    /// 0750 and the output's group; the folder of an absolute path must exist.
    private func openFolder(
        _ place: Place, _ output: OutputSpecification, create: Bool
    ) throws(SystemError) -> Int32 {
        if place.isAbsolute {
            let parent = "/" + place.folders.joined(separator: "/")
            let folder = clinux_open_directory_strictly(-1, parent)
            guard folder >= 0 else { throw SystemError("open the directory \(parent)") }
            return folder
        }
        let root = directory
        let name = place.folders.isEmpty ? "." : place.folders.joined(separator: "/")
        var folder = clinux_open_directory_strictly(root, name)
        if folder < 0, errno == ENOENT, create {
            var relative = ""
            for part in place.folders {
                relative += relative.isEmpty ? part : "/" + part
                try makeFolder(relative, in: root, output)
            }
            folder = clinux_open_directory_strictly(root, name)
        }
        guard folder >= 0 else { throw SystemError("open the directory \(path)/\(name)") }
        return folder
    }

    private func makeFolder(
        _ name: String, in root: Int32, _ output: OutputSpecification
    ) throws(SystemError) {
        guard mkdirat(root, name, 0o750) == 0 else {
            if errno == EEXIST { return }
            throw SystemError("make the directory \(path)/\(name)")
        }
        let folder = clinux_open_directory_strictly(root, name)
        guard folder >= 0 else { throw SystemError("open the directory \(path)/\(name)") }
        defer { close(folder) }
        let group = try account(output.group, Accounts.group, "group")
        try AtomicFile(group: group, mode: 0o750).giveAway(folder, "\(path)/\(name)")
        guard fchmod(folder, 0o750) == 0, fsync(root) == 0 else {
            throw SystemError("save the directory \(path)/\(name)")
        }
    }
}
