internal import TokenFormats

/// File names that the daemon itself uses beside outputs.
package enum OwnNames {
    /// Prefix of the lock and of a file that is being written. No output may begin with it.
    package static let prefix = ".evertoken-"
    /// Maximum bytes of an output's name, so that its temporary name (`.evertoken-NAME.new`) fits
    /// into the 255 bytes that file systems allow.
    package static let longestOutput = 240
}

extension FieldReader {
    /// An output's path: no `..`, no empty name, and no name that the daemon uses itself. Hidden
    /// files (`.netrc`, `.npmrc`) are allowed.
    func outputPath() -> String? {
        guard let text = path("crm/token") else { return nil }
        let slash = UInt8(ascii: "/")
        let names = text.utf8.split(separator: slash, omittingEmptySubsequences: false)
            .dropFirst(text.utf8.first == slash ? 1 : 0)
        guard names.allSatisfy({ !$0.isEmpty && !$0.elementsEqual(".".utf8) }) else {
            mistake("is not the path of a file", "write \"NAME/token\" or an absolute path")
            return nil
        }
        guard !names.contains(where: { $0.starts(with: OwnNames.prefix.utf8) }) else {
            mistake(
                "has a name that begins with \"\(OwnNames.prefix)\", as the daemon's own files do",
                "choose another name")
            return nil
        }
        guard (names.last?.count ?? 0) <= OwnNames.longestOutput else {
            mistake(
                "has a name of more than \(OwnNames.longestOutput) bytes", "choose a shorter name")
            return nil
        }
        return text
    }
}

extension FieldReader {
    /// A file that is written in place must never be removed: its readers would keep a file without
    /// a name.
    func requireKept(_ output: OutputSpecification) {
        guard output.isWrittenInPlace else { return }
        if output.removeOnExpiry {
            mistake(
                "cannot both be written in place and be removed when its token has expired",
                "add \"on_expiry\": \"keep\", or leave out \"write\"")
        }
        if output.mode & 0o200 == 0 {
            mistake(
                "cannot be written in place with a mode that forbids its owner to write",
                "write \"mode\": \"0640\", or leave out \"write\"")
        }
    }
}
