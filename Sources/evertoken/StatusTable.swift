import TokenCore

/// The daemon's status as a table for people: 80 columns, one line a credential, problems below.
struct StatusTable {
    let status: JSONNode
    let now: WallTime

    var lines: [String] {
        let credentials = status["credentials"]?.elements ?? []
        let names = credentials.map { $0["name"]?.text ?? "" }
        let width = min(28, max(10, names.map(\.count).max() ?? 0))
        var lines = [
            pad("CREDENTIAL", width) + "  " + pad("STATE", 14) + "  " + pad("EXPIRES IN", 11)
                + "  " + "NEXT REFRESH"
        ]
        for credential in credentials { lines.append(line(credential, width: width)) }
        for credential in credentials { lines += problem(credential) }
        for mistake in status["configuration_mistakes"]?.elements ?? [] {
            lines.append("the last reload was refused: \(mistake.text ?? "")")
        }
        return lines
    }

    private func line(_ credential: JSONNode, width: Int) -> String {
        let state = credential["state"]?.text ?? ""
        return pad(credential["name"]?.text ?? "", width) + "  " + pad(state, 14) + "  "
            + pad(time(credential["expires_at"], past: "expired"), 11) + "  "
            + time(credential["next_refresh_at"], past: "now")
    }

    private func time(_ node: JSONNode?, past: String) -> String {
        guard let seconds = node?.integer else { return "-" }
        let left = now.duration(to: WallTime(epochSeconds: seconds))
        return left <= .zero ? past : describe(left)
    }

    private func problem(_ credential: JSONNode) -> [String] {
        guard let error = credential["last_error"], let problem = error["problem"]?.text else {
            return []
        }
        let name = credential["name"]?.text ?? ""
        return wrapped("\(name): \(problem) (\(error["class"]?.text ?? "")).", indent: "")
            + wrapped((error["remedy"]?.text ?? "") + ".", indent: "  ")
    }

    private func wrapped(_ text: String, indent: String) -> [String] {
        var lines: [String] = []
        var line = indent
        for word in text.split(separator: " ") {
            if line.count + word.count > 79, line.count > indent.count {
                lines.append(line)
                line = indent + "  "
            }
            line += line.last == " " || line.isEmpty ? String(word) : " " + word
        }
        return lines + [line]
    }

    private func pad(_ text: String, _ width: Int) -> String {
        text.count >= width
            ? String(text.prefix(width))
            : text + String(repeating: " ", count: width - text.count)
    }
}
