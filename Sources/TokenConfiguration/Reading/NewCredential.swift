package import TokenFormats
package import TokenProviders

/// A credential that `evertoken add` builds from answers: the questions to ask, and the resulting
/// file and secrets.
package struct NewCredential: Sendable {
    /// One value that the profile knows.
    package struct Question: Sendable, Equatable {
        /// `client_id`, `client_secret`, `refresh_token`, `scope`, or the name of a variable.
        package var name: String
        package var isRequired: Bool
        /// Goes to a file of its own and is never shown.
        package var isSecret = false
        /// Has several lines, such as a private key; its file exists already.
        package var isMultiline = false
        /// What the value is and what form it must have, for the user.
        package var notes: [String] = []
        /// Belongs to the credential's `variables`.
        package var isVariable = false
    }

    package let name: String
    package let profile: ProviderProfile
    /// In the order of asking.
    package let questions: [Question]
    /// Directory of the secrets; empty means relative paths beside the main file.
    private let directory: String
    private var values: [String: JSONNode] = [:]

    /// - Parameters:
    ///   - name: The name of the credential, or of the variable to set.
    ///   - profile: The description of its provider.
    ///   - directory: Directory of the main configuration file.
    package init(name: String, profile: ProviderProfile, directory: String) {
        (self.name, self.profile) = (name, profile)
        self.directory = directory.hasPrefix("/") ? (directory == "/" ? "" : directory) : "."
        questions = Self.questions(of: profile)
    }

    private static func questions(of profile: ProviderProfile) -> [Question] {
        let description = ProfileDescription(profile)
        let keys = (description.keys + description.optionalKeys).map { key in
            var question = Question(
                name: key, isRequired: description.keys.contains(key) && key != "refresh_token")
            question.isSecret = key == "client_secret" || key == "refresh_token"
            question.isMultiline = question.isSecret && profile.shape(of: key) == .lines
            question.notes = [description.note(on: key)].compactMap { $0 }
            return question
        }
        let variables = description.variables.map { about in
            let variable = profile.variables[about.name]
            let isFile = variable?.isFromFile ?? false
            var question = Question(name: about.name, isRequired: about.isRequired)
            question.isSecret = (variable?.isSecret ?? false) && !isFile
            question.isMultiline = question.isSecret && profile.shape(of: about.name) == .lines
            question.notes = about.notes.filter { !$0.hasPrefix("secret: ") }
            question.isVariable = true
            return question
        }
        return keys + variables
    }

    /// Unanswered questions that the credential cannot work without.
    package var missing: [Question] {
        questions.filter { $0.isRequired && values[$0.name] == nil }
    }

    package func isAnswered(_ name: String) -> Bool { values[name] != nil }

    /// - Parameters:
    ///   - name: The name of the credential, or of the variable to set.
    ///   - value: A text; a secret can also be a source, such as `{"file": PATH}`.
    /// - Throws: ``RequestError``; it quotes no value.
    package mutating func answer(_ name: String, _ value: JSONNode) throws(RequestError) {
        guard let question = questions.first(where: { $0.name == name }) else {
            let names = questions.map(\.name).joined(separator: ", ")
            throw RequestError(
                problem: "provider \"\(profile.name)\" has no value of this name: \(name)",
                remedy: "give one of \(names)")
        }
        if let text = value.text { try check(text, question) }
        values[name] = value
    }

    private func check(_ text: String, _ question: Question) throws(RequestError) {
        let isLine = text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
        guard !text.isEmpty, isLine || question.isMultiline else {
            throw RequestError(
                problem: "\(question.name) \(text.isEmpty ? "is empty" : "is not one line")",
                remedy: "give it as the provider's pages show it")
        }
        guard let pattern = profile.variables[question.name]?.pattern,
            !pattern.matchesWhole(text)
        else { return }
        throw RequestError(
            problem: "\(question.name) does not match \(pattern.text)", remedy: "correct it")
    }

    /// The drop-in file, in the order and style of a hand-written one.
    package var document: JSONNode {
        var members: [(String, JSONNode?)] = [("provider", .string(profile.name))]
        members += questions.filter { !$0.isVariable }.map { ($0.name, written($0)) }
        let variables = questions.filter(\.isVariable).map { ($0.name, written($0)) }
        if variables.contains(where: { $0.1 != nil }) {
            members.append(("variables", .object(variables)))
        }
        return .object([("credentials", .object([(name, .object(members))]))])
    }

    private func written(_ question: Question) -> JSONNode? {
        guard question.isSecret, values[question.name]?.text != nil else {
            return values[question.name]
        }
        let prefix = directory == "." ? "" : directory + "/"
        return ["file": .string(prefix + fileName(question.name))]
    }

    private func fileName(_ key: String) -> String { "\(name).\(key)" }

    /// The secrets with the names of their files in the main file's directory.
    package var secrets: [(file: String, text: Secret)] {
        questions.filter(\.isSecret).compactMap { question in
            values[question.name]?.text.map { (fileName(question.name), Secret($0)) }
        }
    }
}

/// Answers from a file: a JSON object, or lines `name=value`.
package struct WrittenAnswers: Sendable {
    package var members: [(name: String, value: JSONNode)] = []

    /// - Throws: ``RequestError``; it quotes no value.
    package init(_ bytes: [UInt8]) throws(RequestError) {
        guard String(validating: bytes, as: UTF8.self) != nil else {
            throw RequestError(problem: "it is not UTF-8", remedy: "write it as UTF-8")
        }
        let expected = "expected lines client_secret=…, or {\"client_secret\": \"…\"}"
        if bytes.first(where: { !isJSONSpace($0) }) == UInt8(ascii: "{") {
            let node: JSONNode
            do { node = try JSONReader.read(bytes) } catch {
                throw RequestError(problem: "it is not JSON: \(error.problem)", remedy: expected)
            }
            members = (node.members ?? []).map { ($0.key, $0.value) }
            return
        }
        // Split by bytes: Swift treats CR LF as one Character.
        for var line in bytes.split(separator: UInt8(ascii: "\n")) {
            if line.last == UInt8(ascii: "\r") { line.removeLast() }
            guard line.contains(where: { !isJSONSpace($0) }) else { continue }
            guard let mark = line.firstIndex(of: UInt8(ascii: "=")) else {
                throw RequestError(problem: "a line has no =", remedy: expected)
            }
            let name = String(decoding: line[..<mark], as: UTF8.self)
            let value = String(decoding: line[line.index(after: mark)...], as: UTF8.self)
            members.append((name, .string(value)))
        }
    }
}
