internal import CLinux
internal import CSystemd
internal import Glibc
internal import TokenFormats

/// The identity of this machine (machine-id(5)), and whether it is stable across boots.
struct MachineIdentity: Equatable, Sendable {
    enum Standing: Equatable {
        /// The ID is on a disk: another ID means another machine.
        case lasting
        /// The ID is in memory: it may change at each boot.
        case passing
        /// Neither can be determined.
        case unknown
    }
    /// Empty if the file is missing, empty or says `uninitialized`.
    var id: String
    var standing: Standing

    /// Whether it can be compared with another one.
    var isIdentity: Bool { !id.isEmpty && standing != .passing }

    static let current = MachineIdentity(id: applicationID, standing: standing(of: file))
    private static let file = "/etc/machine-id"

    /// Not the machine ID itself, which should not be exposed to other programs (machine-id(5)).
    private static var applicationID: String {
        let application = sd_id128_t(
            bytes: (
                0x6D, 0x29, 0x2B, 0x1D, 0x54, 0xD1, 0x4A, 0x0B, 0x8F, 0x07, 0x3B, 0x0A, 0x5E, 0xC2,
                0x19, 0x86
            ))
        var identity = sd_id128_t()
        guard sd_id128_get_machine_app_specific(application, &identity) >= 0 else { return "" }
        return withUnsafeBytes(of: identity.bytes) { hexadecimal(Array($0)) }
    }

    // linux/magic.h
    private static let memory: Set<Int64> = [0x0102_1994, 0x8584_58F6]
    private static let overlay: Int64 = 0x794C_7630

    /// - Parameters:
    ///   - fileSystem: The file system of the ID file, by its magic number (statfs(2)); -1 if
    ///     unknown.
    ///   - isMountRoot: Whether the file itself is a mount point, as systemd does with an ID for
    ///     one boot; `nil` if the kernel does not report it.
    ///   - upper: The file system of an overlay's upper layer; `nil` if unknown.
    static func standing(fileSystem: Int64, isMountRoot: Bool?, upper: Int64?) -> Standing {
        if isMountRoot == true || memory.contains(fileSystem) { return .passing }
        guard fileSystem == overlay else {
            return isMountRoot == nil || fileSystem < 0 ? .unknown : .lasting
        }
        guard let upper, upper >= 0 else { return .unknown }
        if memory.contains(upper) { return .passing }
        return isMountRoot == nil || upper == overlay ? .unknown : .lasting
    }

    private static func standing(of file: String) -> Standing {
        var mount: UInt64 = 0
        let answer = clinux_mount_of(file, &mount)
        guard answer >= 0 else { return .unknown }
        let type = fileSystem(of: file)
        return standing(
            fileSystem: type, isMountRoot: answer == 2 ? nil : answer == 1,
            upper: type == overlay ? upperDirectory(ofMount: mount).map(fileSystem) : nil)
    }

    private static func fileSystem(of path: String) -> Int64 {
        let descriptor = open(path, clinux_path_only() | O_CLOEXEC)
        guard descriptor >= 0 else { return -1 }
        defer { close(descriptor) }
        return clinux_filesystem_type(descriptor)
    }

    private static func upperDirectory(ofMount mount: UInt64) -> String? {
        let table = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC)
        guard table >= 0 else { return nil }
        defer { close(table) }
        guard let bytes = try? readAll(table, limit: 4 << 20, what: "mountinfo") else { return nil }
        return MountTable.upperDirectory(ofMount: mount, in: bytes)
    }
}
