import Foundation
import Testing

/// The directory of the package, which the tests read files of.
let repositoryRoot = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

/// The files of a kind below a folder of the package; none is an error.
func files(under folder: String, _ suffix: String = "swift") throws -> [(
    name: String, text: String
)] {
    let found = FileManager.default.enumerator(
        at: repositoryRoot.appending(path: folder), includingPropertiesForKeys: nil)
    let urls = (found?.allObjects as? [URL] ?? []).filter { $0.pathExtension == suffix }
    try #require(!urls.isEmpty, "the rule guards nothing: \(folder) is empty")
    return try urls.map { ($0.lastPathComponent, try String(contentsOf: $0, encoding: .utf8)) }
}
