/// One mistake in a configuration file: where, what, and what to write instead.
package struct ConfigurationMistake: Error, Sendable, Equatable, CustomStringConvertible {
    /// Path of the file.
    package var file: String
    /// Both count from 1; the column counts bytes. 0 when the file could not be read at all.
    package var line: Int
    /// See ``line``.
    package var column: Int
    /// `credentials.crm.refresh.at`; empty for the whole document.
    package var path: String
    /// What is wrong, without a full stop; quotes no secret.
    package var problem: String
    /// An imperative sentence without its full stop.
    package var remedy: String

    /// - Parameters:
    ///   - file: The path of the file.
    ///   - line: From 1; 0 when the file could not be read at all.
    ///   - column: From 1, in characters; 0 where it is unknown.
    ///   - path: Empty for the whole document.
    ///   - problem: What is wrong, without a full stop; quotes no secret.
    ///   - remedy: What to do, as an imperative sentence without its full stop.
    package init(
        file: String, line: Int = 0, column: Int = 0, path: String = "", problem: String,
        remedy: String
    ) {
        (self.file, self.line, self.column, self.path) = (file, line, column, path)
        (self.problem, self.remedy) = (problem, remedy)
    }

    /// Mistakes are the same if they have the same place.
    package struct Place: Hashable {
        private let file: String
        private let line: Int
        private let column: Int
        private let problem: String

        fileprivate init(_ mistake: ConfigurationMistake) {
            (file, line, column) = (mistake.file, mistake.line, mistake.column)
            problem = mistake.problem
        }
    }

    /// Where it is, with what is wrong there.
    package var place: Place { Place(self) }

    /// `FILE:LINE:COLUMN: JSON.PATH: what is wrong; what to write instead`
    package var description: String {
        let place = line == 0 ? file : "\(file):\(line):\(column)"
        return "\(place): \(text)"
    }

    package var text: String { "\(path.isEmpty ? "" : path + ": ")\(problem); \(remedy)" }
}

/// Every mistake of a configuration, never empty.
package struct ConfigurationMistakes: Error, Sendable {
    /// In the order in which they were found.
    package var all: [ConfigurationMistake]
    /// A file could not be read because access was denied.
    package var isForbidden = false

    /// - Parameter all: Not empty.
    package init(_ all: [ConfigurationMistake]) { self.all = all }

    /// Ordered for a reader: file by file, from the top.
    package var sorted: [ConfigurationMistake] {
        all.enumerated().sorted { left, right in
            let (one, other) = (left.element, right.element)
            return (one.file, one.line, one.column, left.offset)
                < (other.file, other.line, other.column, right.offset)
        }.map(\.element)
    }
}

/// One file of the configuration with the mistakes found in it so far.
package final class ConfigurationDocument {
    package let file: String
    private let bytes: [UInt8]
    /// Permission bits of the file.
    package let mode: UInt32
    package private(set) var mistakes: [ConfigurationMistake] = []
    /// Mistakes that the previous version accepted: a start warns of them, every other command
    /// refuses them.
    package private(set) var tightened: [ConfigurationMistake] = []

    package init(file: String, bytes: [UInt8], mode: UInt32 = 0o600) {
        (self.file, self.bytes, self.mode) = (file, bytes, mode)
    }

    package func record(at offset: Int, path: String, _ problem: String, _ remedy: String) {
        mistakes.append(mistake(offset, path, problem, remedy))
    }

    package func recordTightened(at offset: Int, path: String, _ problem: String, _ remedy: String)
    {
        tightened.append(mistake(offset, path, problem, remedy))
    }

    private func mistake(
        _ offset: Int, _ path: String, _ problem: String, _ remedy: String
    ) -> ConfigurationMistake {
        let (line, column) = position(of: offset)
        return ConfigurationMistake(
            file: file, line: line, column: column, path: path, problem: problem, remedy: remedy)
    }

    /// Offsets of the first byte of each line; found with the first mistake.
    private lazy var lineStarts: [Int] =
        [0] + bytes.indices.filter { bytes[$0] == 0x0A }.map { $0 + 1 }

    private func position(of offset: Int) -> (line: Int, column: Int) {
        let offset = min(max(0, offset), bytes.count)
        var (low, high) = (0, lineStarts.count)
        // The last line that does not begin behind it.
        while high - low > 1 {
            let middle = (low + high) / 2
            if lineStarts[middle] <= offset { low = middle } else { high = middle }
        }
        return (low + 1, offset - lineStarts[low] + 1)
    }
}
