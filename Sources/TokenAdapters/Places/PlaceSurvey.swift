internal import Glibc
internal import Synchronization
package import TokenConfiguration
internal import TokenEngine

/// Checks everything that a configuration names, as the user of this process: failures are found
/// before a refresh meets them. A file system that hangs delays only the checks of its own files.
package final class PlaceSurvey: ConfigurationSurvey {
    private let base: String
    private let tokenDirectory: String
    private let user: CheckedUser
    private let isInService: Bool
    private let lanes = Lanes("check", count: 4)
    private let mounts = MountTable()
    private static let patience = Duration.seconds(10)
    private let calls = Atomic<UInt64>(0)

    /// - Parameters:
    ///   - base: The directory of the configuration file.
    ///   - tokenDirectory: The directory of relative outputs.
    ///   - user: The checking user, for the texts of findings.
    ///   - isInService: Whether this process has the service's environment.
    package init(base: String, tokenDirectory: String, user: CheckedUser, isInService: Bool) {
        (self.base, self.tokenDirectory) = (absolutePath(base), absolutePath(tokenDirectory))
        (self.user, self.isInService) = (user, isInService)
    }

    /// As `ConfigurationSurvey` says: settings without effect first, then places, in name order.
    package func findings(in configuration: Configuration) async -> [CheckFinding] {
        // With many credentials the listing takes a while.
        let listed = await lanes.run(key: newKey, holder: "") { [self] in
            (settings: configuration.settingFindings, places: places(in: configuration))
        }
        return await listed.settings + listed.places.findings + look(at: listed.places.all)
    }

    private func places(in configuration: Configuration) -> CheckedPlaces {
        CheckedPlaces(
            configuration.credentials, caFile: configuration.caFile, base: base,
            tokenDirectory: tokenDirectory)
    }

    private var newKey: String { String(calls.wrappingAdd(1, ordering: .relaxed).newValue) }

    /// - Returns: The findings in the order of `places`.
    package func look(at places: [CheckedPlace]) async -> [CheckFinding] {
        // A user's shell has other variables than the service.
        let places = places.filter { place in
            if case .variable = place.kind { isInService } else { true }
        }
        let byMount = Dictionary(grouping: places.indices) { mounts.point(of: places[$0].path) }
        return await withTaskGroup(of: [(Int, CheckFinding)].self) { group in
            for (mount, indices) in byMount {
                group.addTask { [self] in await look(at: places, indices, on: mount) }
            }
            var found: [(Int, CheckFinding)] = []
            for await some in group { found += some }
            return found.sorted { $0.0 < $1.0 }.map(\.1)
        }
    }

    private func look(
        at places: [CheckedPlace], _ indices: [Int], on mount: String
    ) async -> [(Int, CheckFinding)] {
        let look = PlaceLook(user: user)
        let seen = Seen()
        let isDone = await lanes.run(key: newKey, holder: mount, within: Self.patience) {
            for index in indices { seen.note(index, look.finding(at: places[index])) }
            return true
        }
        let answers = seen.all
        let found = answers.compactMap { index, finding in finding.map { (index, $0) } }
        guard isDone == nil else { return found }
        let answered = Set(answers.map(\.0))
        let silent = indices.filter { !answered.contains($0) }
        return found + silent.map { ($0, places[$0].finding(.silent(mount: mount))) }
    }

    /// The results of a lane so far; a check that hangs continues.
    private final class Seen: Sendable {
        private let answers = Mutex<[(Int, CheckFinding?)]>([])
        func note(_ index: Int, _ finding: CheckFinding?) {
            answers.withLock { $0.append((index, finding)) }
        }
        var all: [(Int, CheckFinding?)] { answers.withLock { $0 } }
    }
}

extension PlaceSurvey {
    /// Blocks until the survey ends, for a program without concurrent work.
    ///
    /// - Parameters:
    ///   - configuration: The configuration to check.
    ///   - files: The configuration's own files, which the daemon must be able to read too.
    package func findingsNow(
        in configuration: Configuration, files: [String]
    ) -> [CheckFinding] {
        let places = files.map { file in
            CheckedPlace(
                credential: nil, key: "configuration", path: absolutePath(file),
                kind: .configuration)
        }
        return LoopExecutor.run {
            await self.look(at: places) + self.findings(in: configuration)
        }
    }
}

/// A path that does not depend on the working directory.
func absolutePath(_ path: String) -> String {
    if path.hasPrefix("/") { return path }
    guard let directory = getcwd(nil, 0) else { return path }
    defer { free(directory) }
    let here = String(cString: directory)
    let rest = path.hasPrefix("./") ? String(path.dropFirst(2)) : path
    return rest == "." || rest.isEmpty ? here : here + "/" + rest
}
