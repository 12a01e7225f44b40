import ArgumentParser
import Glibc
import TokenCore

struct Providers: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List the shipped provider profiles, or show what one needs.",
        discussion: """
            With a name: what to set, how long its tokens live, and a credential to paste.

              evertoken providers
              evertoken providers zoho
              evertoken providers zoho --json
            """)

    @Argument(help: "A provider's name.")
    var name: String?

    @Flag(help: "Print JSON.")
    var json = false

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
                ])
            }
            return print(text(.array(nodes)))
        }
        let width = profiles.map(\.name.count).max() ?? 0
        for profile in profiles {
            let gap = String(repeating: " ", count: width - profile.name.count + 2)
            print(profile.name + gap + (profile.docs ?? ""))
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
        if let url = description.signIn {
            lines += ["", "sign in at", "  " + url]
            lines += description.signInParameters.map { "  with \($0.name)=\($0.value)" }
        }
        let name = "my-\(profile.name)"
        lines += [
            "", "a credential to paste into \"credentials\"", "",
            "\"\(name)\": " + text(description.credential(named: name)),
        ]
        return lines.joined(separator: "\n")
    }

    private func text(_ node: JSONNode) -> String {
        String(decoding: node.serialized(indented: true), as: UTF8.self)
    }
}

extension ProfileDescription {
    var json: JSONNode {
        .object([
            ("name", .string(profile.name)), ("docs", profile.docs.map { .string($0) }),
            ("keys", .array(keys.map { .string($0) })),
            ("optional_keys", .array(optionalKeys.map { .string($0) })),
            (
                "variables",
                .array(
                    variables.map { variable in
                        .object([
                            ("name", .string(variable.name)),
                            ("required", .bool(variable.isRequired)),
                            ("notes", .array(variable.notes.map { .string($0) })),
                        ])
                    })
            ),
            ("access_token_lifetime", .string(accessTokenLife)),
            ("refresh_token_lifetime", refreshTokenLife.map { .string($0) } ?? nil),
            ("remarks", .array(remarks.map { .string($0) })),
            ("sign_in", signIn.map { .string($0) } ?? nil),
            (
                "sign_in_parameters",
                .object(signInParameters.map { ($0.name, .string($0.value)) })
            ),
            ("credential", credential(named: "my-\(profile.name)")),
        ])
    }
}
