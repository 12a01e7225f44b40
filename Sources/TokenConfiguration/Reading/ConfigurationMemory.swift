internal import Crypto
package import TokenFormats
internal import TokenProviders

/// Reads a configuration again and again; of the files of credentials, only those that changed.
///
/// A file is unchanged if its mode and the hash of its contents are. A file with what other files
/// use (the main file, and each one with `providers`) concerns all credentials: after a change of
/// such a file, and where anything is wrong, everything is read.
package struct ConfigurationMemory: Sendable {
    private struct File: Sendable {
        var mode: UInt32
        /// SHA-256 of the contents.
        var digest: [UInt8]
        /// Whether other files use what is in it.
        var isShared: Bool
        /// The credentials in it.
        var names: [String]

        func isSame(as file: ConfigurationFile, _ digest: [UInt8]) -> Bool {
            mode == file.mode && self.digest == digest
        }
    }

    private var files: [String: File] = [:]
    /// The last configuration without mistakes and warnings; ``files`` are those of it.
    private var last: Configuration?
    /// The paths of the files that the last read parsed.
    package private(set) var parsed: [String] = []

    /// A memory of nothing: the first read reads everything.
    package init() {}

    /// Reads as ``Configuration/readTolerantly(main:dropIns:)``.
    package mutating func read(
        main: ConfigurationFile, dropIns: [ConfigurationFile]
    ) throws(ConfigurationMistakes) -> (Configuration, warnings: [ConfigurationMistake]) {
        let all = [main] + dropIns
        let digests = all.map { Array(SHA256.hash(data: $0.bytes)) }
        if let updated = update(all, digests) { return (updated, []) }
        let reading = ConfigurationReading(all)
        parsed = all.map(\.path)
        let (configuration, warnings) = try reading.result(reading.finish())
        last = warnings.isEmpty ? configuration : nil
        files = [:]
        if warnings.isEmpty { remember(all, digests, reading) }
        return (configuration, warnings)
    }

    private mutating func remember(
        _ all: [ConfigurationFile], _ digests: [[UInt8]], _ reading: ConfigurationReading
    ) {
        let names = Dictionary(grouping: reading.credentials) { $0.field.document.file }
        let shared = Set(reading.providers.values.map(\.field.document.file))
        for (file, digest) in zip(all, digests) {
            files[file.path] = File(
                mode: file.mode, digest: digest,
                isShared: file.path == all[0].path || shared.contains(file.path),
                names: names[file.path]?.map(\.name) ?? [])
        }
    }

    /// - Returns: `nil` where everything must be read.
    private mutating func update(
        _ all: [ConfigurationFile], _ digests: [[UInt8]]
    ) -> Configuration? {
        guard let last else { return nil }
        var kept = files
        var changed: [(file: ConfigurationFile, digest: [UInt8])] = []
        for (file, digest) in zip(all, digests) {
            if files[file.path]?.isSame(as: file, digest) == true { continue }
            kept[file.path] = nil
            changed.append((file, digest))
        }
        let paths = Set(all.map(\.path))
        kept = kept.filter { paths.contains($0.key) }
        let wasShared = files.filter(\.value.isShared).keys
        guard kept[all[0].path] != nil, wasShared.allSatisfy({ kept[$0] != nil }) else {
            return nil
        }
        let (new, read) = Self.read(all, changed: changed.map(\.file), kept, last)
        guard let new else { return nil }
        for (file, digest) in changed {
            kept[file.path] = File(
                mode: file.mode, digest: digest, isShared: false, names: read[file.path] ?? [])
        }
        (files, self.last, parsed) = (kept, new, changed.map(\.file.path))
        return new
    }

    /// - Returns: The configuration, with the names in each file that was read; `nil` unless
    ///   nothing is wrong with it.
    private static func read(
        _ all: [ConfigurationFile], changed: [ConfigurationFile], _ kept: [String: File],
        _ last: Configuration
    ) -> (Configuration?, [String: [String]]) {
        let paths = Set(changed.map(\.path))
        let reading = ConfigurationReading(
            all.filter { paths.contains($0.path) || kept[$0.path]?.isShared == true })
        let names = Set(kept.values.flatMap(\.names))
        let former = last.credentials.filter { names.contains($0.name) }
        let used = Set(former.map(\.profile.name))
        var new = reading.finish(only: paths, alsoUsed: used)
        guard reading.isFlawless,
            reading.providers.values.allSatisfy({ !paths.contains($0.field.document.file) })
        else { return (nil, [:]) }
        let added = new.credentials
        // Units are compared across all credentials, when everything is read.
        let hasUnits = { (some: [CredentialConfiguration]) in some.contains { !$0.units.isEmpty } }
        guard !(hasUnits(added) && hasUnits(former)), added.allSatisfy({ !names.contains($0.name) })
        else { return (nil, [:]) }
        new.credentials = (former + added).sorted { $0.name < $1.name }
        var places: Set<String> = []
        for output in new.credentials.lazy.flatMap(\.outputs) {
            guard places.insert(new.place(of: output)).inserted else { return (nil, [:]) }
        }
        let found = Dictionary(grouping: reading.credentials) { $0.field.document.file }
        return (new, found.mapValues { $0.map(\.name) })
    }
}
