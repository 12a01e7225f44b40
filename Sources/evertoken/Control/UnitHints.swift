internal import TokenConfiguration

/// The settings of a systemd drop-in for outputs that the shipped unit does not allow.
struct UnitHints {
    let lines: [String]

    init(_ configuration: Configuration) {
        let outputs = configuration.credentials.flatMap(\.outputs)
        let root = configuration.tokenDirectory ?? "/run/evertoken"
        let folders = outputs.filter(\.isAbsolute).compactMap { output -> String? in
            guard !output.path.hasPrefix(root + "/") else { return nil }
            return output.path.lastIndex(of: "/").map { String(output.path[..<$0]) }
        }
        let groups = Set(
            outputs.compactMap(\.group) + [configuration.control.group].compactMap { $0 }
        )
        .sorted()
        let hasOwner = outputs.contains { $0.owner != nil }
        var settings: [String] = []
        if !folders.isEmpty {
            settings.append("ReadWritePaths=" + Set(folders).sorted().joined(separator: " "))
        }
        if !groups.isEmpty {
            settings.append("SupplementaryGroups=" + groups.joined(separator: " "))
        }
        if !groups.isEmpty || hasOwner { settings.append("SystemCallFilter=@chown") }
        if hasOwner {
            settings += ["CapabilityBoundingSet=CAP_CHOWN", "AmbientCapabilities=CAP_CHOWN"]
        }
        guard !settings.isEmpty else {
            lines = []
            return
        }
        lines =
            ["under systemd, run `systemctl edit evertoken` and add:", "", "  [Service]"]
            + settings.map { "  " + $0 }
    }
}
