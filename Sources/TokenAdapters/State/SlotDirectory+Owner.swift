internal import Glibc

// Checks who created the slots: another user could read the refresh token in its own file.
extension SlotDirectory {
    func mustBeOurs(_ about: stat, _ place: String) throws(SystemError) {
        var own = stat()
        let isOurs =
            about.st_uid == geteuid()
            || (geteuid() == 0 && fstat(directory, &own) == 0 && about.st_uid == own.st_uid)
        guard isOurs else {
            throw SystemError(
                "use \(place), which belongs to user \(about.st_uid); look how it came there, "
                    + "then move it away", code: EPERM)
        }
    }

    func mustBeOurs(folder: Int32, _ place: String) throws(SystemError) {
        var about = stat()
        guard fstat(folder, &about) == 0 else { throw SystemError("look at \(place)") }
        if about.st_uid != 0 { try mustBeOurs(about, place) }
    }
}
