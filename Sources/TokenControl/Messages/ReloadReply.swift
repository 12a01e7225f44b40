internal import TokenConfiguration
package import TokenFormats

// The reply to a reload that was accepted. A refused one is a problem with its mistakes.
extension ConfigurationChanges {
    /// The reply to `POST /v1/reload`: every key is always present.
    package var json: JSONNode {
        .object([
            ("added", .texts(added)), ("removed", .texts(removed)),
            ("changed", .texts(changed.map(\.name))),
            ("changed_keys", .object(changed.map { ($0.name, .texts($0.keys)) })),
            ("settings", .texts(settings)), ("needs_restart", .texts(needingRestart)),
            ("problems", .texts(problems)), ("warnings", .texts(warnings)),
        ])
    }

    /// Takes what it can use: an older daemon does not name the keys that changed.
    package init(json: JSONNode) {
        self.init()
        (added, removed) = (json.texts("added"), json.texts("removed"))
        let keys = json["changed_keys"] ?? JSONNode(.null)
        changed = json.texts("changed").map { ($0, keys.texts($0)) }
        (settings, needingRestart) = (json.texts("settings"), json.texts("needs_restart"))
        (problems, warnings) = (json.texts("problems"), json.texts("warnings"))
    }
}

extension ConfigurationMistake {
    /// Its form in the reply of a refused reload.
    package var reported: ReportedMistake {
        ReportedMistake(file: file, line: line, column: column, text: text)
    }
}
