internal import CLinux
internal import Glibc

/// Opens an address in the person's own browser, where there is one.
public enum BrowserLauncher {
    /// Runs xdg-open(1), without a shell, in a session of its own; its end is not waited for.
    ///
    /// - Returns: Whether it was started.
    public static func open(_ url: String) -> Bool {
        let hasDisplay = ["DISPLAY", "WAYLAND_DISPLAY"].contains { (name: String) in
            getenv(name).map { $0.pointee != 0 } ?? false
        }
        guard hasDisplay, let program = path(of: "xdg-open") else { return false }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
        clinux_spawn_close_from(&actions, 3)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP))
        var process: pid_t = 0
        let words = [strdup(program), strdup(url), nil]
        defer { for word in words { free(word) } }
        return posix_spawn(&process, program, &actions, &attributes, words, environ) == 0
    }

    private static func path(of program: String) -> String? {
        let folders = getenv("PATH").map { String(cString: $0) } ?? "/usr/local/bin:/usr/bin:/bin"
        return folders.split(separator: ":").filter { $0.hasPrefix("/") }
            .map { "\($0)/\(program)" }.first { access($0, X_OK) == 0 }
    }
}
