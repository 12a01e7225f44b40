internal import Glibc
internal import TokenConfiguration
internal import TokenFormats

extension SystemError {
    /// Why a token file was not written.
    ///
    /// - Parameter root: The token directory.
    func cause(of output: OutputSpecification, in root: String) -> Cause {
        let path = output.isAbsolute ? output.path : root + "/" + output.path
        var facts = CauseFacts(self, file: path)
        facts.folder = String(path[..<(path.lastIndex(of: "/") ?? path.endIndex)])
        facts.account = output.group ?? output.owner
        return Cause(kind(output, path, root: root, &facts), facts)
    }

    private func kind(
        _ output: OutputSpecification, _ path: String, root: String, _ facts: inout CauseFacts
    ) -> CauseKind {
        switch code {
        case ENOSPC, EDQUOT: return .outputFull
        case EROFS: return .outputReadOnly
        case EPERM where output.group != nil || output.owner != nil:
            facts.account = output.group
            return .outputGroupForbidden
        case EPERM: return .outputGroupInherited
        case EACCES: return .outputForbidden
        case ENOENT where isOfAccount: return .outputAccountUnknown
        case ENOENT: return .outputDirectoryMissing
        case EBUSY, EXDEV: return .outputIsMountPoint
        case ELOOP:
            let root = output.isAbsolute ? "" : root + "/"
            // A link at the file itself is already reported (``OutputPlace``).
            if let link = OutputPlace.link(in: path, below: root), link.path != path {
                facts.advice = "\(link.path) is a symbolic link; \(link.remedy)"
            }
            return .outputIsLink
        case EEXIST, EMLINK, EISDIR: return .outputIsOther
        case ETIMEDOUT, EHOSTDOWN, ESTALE: return .outputSilent
        default: return .outputFails
        }
    }
}
