internal import CLinux
internal import Glibc
internal import TokenConfiguration
package import TokenFormats
package import TokenSlots

// The traces of erased credentials: a file beside the credentials' directories, whose name cannot
// be a credential's (``isConfiguredName(_:)``).
extension SlotDirectory {
    private static let suffix = ".spent"
    private static func fileName(_ credential: String) -> String { ".\(credential)\(suffix)" }

    /// As `AttemptStore` says. A file of traces that cannot be read counts as an empty one.
    package func spentTraces() async throws(StorageFailure) -> [String: SpentTraces] {
        try await work.run(key: "", holder: "state") { () throws(StorageFailure) in
            var found: [String: SpentTraces] = [:]
            for entry in try self.entries() {
                guard entry.hasPrefix("."), entry.hasSuffix(Self.suffix) else { continue }
                let name = String(entry.dropFirst().dropLast(Self.suffix.count))
                guard isConfiguredName(name) else { continue }
                found[name] = self.readTraces(entry)
            }
            return found
        }
    }

    private func readTraces(_ entry: String) -> SpentTraces {
        let file = clinux_openat(directory, entry, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0)
        guard file >= 0 else { return SpentTraces([]) }
        defer { close(file) }
        return SpentTraces((try? readAll(file, limit: 1 << 16, what: entry)) ?? [])
    }

    /// As `AttemptStore` says: a new file takes the name, fsynced with its directory.
    package func keep(_ traces: SpentTraces, of credential: String) async throws(StorageFailure) {
        try await work.run(key: credential, holder: "state") { () throws(StorageFailure) in
            let name = Self.fileName(credential)
            let place = "\(self.path)/\(name)"
            do throws(SystemError) {
                guard traces.isEmpty else {
                    return try AtomicFile(mode: 0o600)
                        .write(
                            traces.json.serialized(), name: name, in: self.directory, place: place)
                }
                if unlinkat(self.directory, name, 0) != 0 {
                    guard errno == ENOENT else { throw SystemError("remove \(place)") }
                    return
                }
                guard fsync(self.directory) == 0 else { throw SystemError("save \(self.path)") }
            } catch { throw StorageFailure(error) }
        }
    }
}
