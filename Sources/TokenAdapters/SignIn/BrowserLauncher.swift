internal import CLinux
internal import Glibc
internal import TokenProviders

/// Opens a URL in the user's browser, if there is one. Not as root: a browser must not run with all
/// privileges.
package enum BrowserLauncher {
    /// Runs xdg-open(1) without a shell, in its own process group; does not wait for it.
    ///
    /// Any user can read the arguments of a process, and a user who learns the URL of a sign-in can
    /// complete it with another account. So the argument is a file that only this user can read.
    ///
    /// - Returns: `nil` if no browser was started.
    package static func open(_ url: String) -> OpenedPage? {
        let hasDisplay = ["DISPLAY", "WAYLAND_DISPLAY"].contains { (name: String) in
            getenv(name).map { $0.pointee != 0 } ?? false
        }
        guard hasDisplay, geteuid() != 0, let program = path(of: "xdg-open"),
            let file = redirect(to: url)
        else { return nil }
        let page = OpenedPage(path: file)
        return start(program, file) ? page : nil
    }

    /// A page in `$XDG_RUNTIME_DIR`, which only this user can read (XDG Base Directory
    /// Specification).
    private static func redirect(to url: String) -> String? {
        guard let folder = getenv("XDG_RUNTIME_DIR").map({ String(cString: $0) }),
            folder.hasPrefix("/")
        else { return nil }
        var template = Array((folder + "/evertoken-XXXXXX.html").utf8CString)
        let descriptor = mkstemps(&template, 5)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        let path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        let page =
            "<!doctype html><title>evertoken</title>"
            + "<meta http-equiv=\"refresh\" content=\"0; url=\(escapedHTML(url))\">\n"
        guard (try? writeAll(Array(page.utf8), to: descriptor, what: path)) != nil else {
            unlink(path)
            return nil
        }
        return path
    }

    private static func start(_ program: String, _ file: String) -> Bool {
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
        let words = [strdup(program), strdup(file), nil]
        defer { for word in words { free(word) } }
        return posix_spawn(&process, program, &actions, &attributes, words, environ) == 0
    }

    private static func path(of program: String) -> String? {
        let folders = getenv("PATH").map { String(cString: $0) } ?? "/usr/local/bin:/usr/bin:/bin"
        return folders.split(separator: ":").filter { $0.hasPrefix("/") }
            .map { "\($0)/\(program)" }.first { access($0, X_OK) == 0 }
    }
}

/// The file that redirects the browser; deleted with this object.
package final class OpenedPage: Sendable {
    private let path: String

    init(path: String) { self.path = path }
    deinit { unlink(path) }
}
