internal import ArgumentParser
internal import Glibc
internal import TokenFormats
internal import TokenProviders

struct Providers: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List the built-in provider profiles, or show what one needs.",
        discussion: """
            With a name: what to set, how long its tokens live, and a credential to paste.

              evertoken providers | grep -i zoho
              evertoken providers --output wide
              evertoken providers zoho
              evertoken providers zoho --json
            """)

    @Argument(help: "A provider's name.", completion: .profileNames)
    var name: String?

    @Flag(help: "Print JSON.")
    var json = false

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("wide: with the addresses of their pages.", valueName: "form"))
    var output: String?

    func validate() throws {
        guard output ?? "wide" == "wide" else {
            throw ValidationError("\"\(output ?? "")\" is not an output format; write wide")
        }
    }

    func run() throws {
        guard let name else { return list() }
        guard let profile = BuiltInProfiles.profile(named: name) else {
            let near = BuiltInProfiles.nearestName(to: name).map { "; did you mean \($0)?" }
            throw fail(
                EX_DATAERR, "there is no provider '\(name)'\(near ?? "; see evertoken providers")")
        }
        let description = ProfileDescription(profile)
        print(json ? text(description.json) : page(description))
    }

    private func list() {
        let profiles = BuiltInProfiles.shippedNames.compactMap {
            BuiltInProfiles.profile(named: $0)
        }
        guard !json else {
            let nodes = profiles.map {
                JSONNode.object([
                    ("name", .string($0.name)), ("docs", $0.docs.map { .string($0) }),
                    ("summary", .string(ProfileDescription($0).summary)),
                ])
            }
            return print(text(.array(nodes)))
        }
        let lines = profiles.map { profile in
            [profile.name, ProfileDescription(profile).summary]
                + (output == nil ? [] : [profile.docs ?? ""])
        }
        let widths = (0..<2).map { column in lines.map { $0[column].count }.max() ?? 0 }
        for line in lines {
            let parts = line.enumerated().map { column, text in
                let isLast = column == line.count - 1
                let gap = isLast ? 0 : widths[column] - text.count + 2
                return text + String(repeating: " ", count: gap)
            }
            print(parts.joined())
        }
    }

    private func page(_ description: ProfileDescription) -> String {
        let profile = description.profile
        var lines = [profile.name + "  " + (profile.docs ?? ""), "", "set"]
        let optional = description.optionalKeys.map { "\($0) (optional)" }
        lines.append("  " + (description.keys + optional).joined(separator: ", "))
        lines += (description.keys + description.optionalKeys).compactMap { key in
            description.note(on: key).map { "  \(key): \($0)" }
        }
        if !description.variables.isEmpty { lines += ["", "variables"] }
        for variable in description.variables {
            let need = variable.isRequired ? ["required"] : []
            lines.append("  \(variable.name): " + (need + variable.notes).joined(separator: "; "))
        }
        lines += ["", "lifetimes", "  access token: " + description.accessTokenLife]
        if let life = description.refreshTokenLife { lines.append("  refresh token: " + life) }
        lines += description.remarks.map { "  " + $0 }
        lines += signIn(description)
        let name = "my-\(profile.name)"
        lines += [
            "", "a credential to paste into \"credentials\"", "",
            "\"\(name)\": " + text(description.credential(named: name)),
        ]
        return lines.joined(separator: "\n")
    }

    private func signIn(_ description: ProfileDescription) -> [String] {
        guard description.signIn != nil || description.issuer != nil else { return [] }
        var lines = ["", "sign in at"]
        if let url = description.signIn { lines.append("  " + url) }
        lines += description.signInParameters.map { "  with \($0.name)=\($0.value)" }
        if let url = description.deviceSignIn, url != description.signIn {
            lines.append("  or by --device: " + url)
        }
        if let issuer = description.issuer { lines.append("  issuer: " + issuer) }
        if let obstacle = description.signInObstacle {
            lines.append("  not by evertoken login: " + obstacle)
        }
        return lines
    }

    private func text(_ node: JSONNode) -> String {
        String(decoding: node.serialized(indented: true), as: UTF8.self)
    }
}

extension ProfileDescription {
    var json: JSONNode {
        let text = { (text: String?) -> JSONNode? in text.map { .string($0) } }
        let texts = { (texts: [String]) -> JSONNode in .array(texts.map { .string($0) }) }
        let variables = self.variables.map { variable in
            JSONNode.object([
                ("name", .string(variable.name)), ("required", .bool(variable.isRequired)),
                ("notes", texts(variable.notes)),
            ])
        }
        let parameters = signInParameters.map { ($0.name, text($0.value)) }
        let members: [(String, JSONNode?)] = [
            ("name", text(profile.name)), ("docs", text(profile.docs)), ("keys", texts(keys)),
            ("optional_keys", texts(optionalKeys)), ("variables", .array(variables)),
            ("access_token_lifetime", text(accessTokenLife)),
            ("refresh_token_lifetime", text(refreshTokenLife)), ("remarks", texts(remarks)),
            ("sign_in", text(signIn)), ("sign_in_parameters", .object(parameters)),
            ("device_sign_in", text(deviceSignIn)), ("issuer", text(issuer)),
            ("sign_in_obstacle", text(signInObstacle)),
            ("credential", credential(named: "my-\(profile.name)")),
        ]
        return .object(members)
    }
}
