// Kinds of values that several parts of the configuration share.
extension FieldReader {
    /// A path without `..`, NUL or an empty name; relative or absolute.
    package func path(_ example: String) -> String? {
        guard let text = nonEmptyString("\"\(example)\"") else { return nil }
        let parts = text.utf8.split(separator: UInt8(ascii: "/"))
        guard !text.utf8.contains(0), !parts.contains(where: { $0.elementsEqual("..".utf8) })
        else {
            mistake("contains '..' or a NUL byte", "write the plain path")
            return nil
        }
        return text
    }

    /// A secret: a string, or exactly one of `file`, `credential`, `env`, `command`, with `"trim":
    /// false` where surrounding white space belongs to the secret.
    package func secret() -> SecretSource? {
        if let text = node.text {
            guard !text.isEmpty else {
                mistake("is empty", "write the secret or where to read it")
                return nil
            }
            return .inline(Secret(text))
        }
        guard node.members != nil else {
            return wrongType("the secret, or {\"file\": \"/etc/evertoken/secret\"}")
        }
        let object = ObjectReader(self)
        let file = object.take("file")?.path("/etc/evertoken/secret").map(SecretSource.file)
        let credential = object.take("credential")?.credentialName()
            .map(SecretSource.credential)
        let environment = object.take("env")?.nonEmptyString("\"CRM_SECRET\"")
            .map(SecretSource.environment)
        let command = object.take("command")?.arguments().map(SecretSource.command)
        let isTrimmed = object.take("trim")?.bool() ?? true
        object.finish(isSecret: true)
        let given = ["file", "credential", "env", "command"].count { node[$0] != nil }
        guard given == 1 else {
            if given > 1 || node["trim"] != nil || node.members?.isEmpty == true {
                mistake(
                    "must say one of file, credential, env, command", "keep exactly one of them")
            }
            return nil
        }
        let source = file ?? credential ?? environment ?? command
        return isTrimmed ? source : source.map { .exact($0) }
    }

    private func credentialName() -> String? {
        guard let name = nonEmptyString("\"crm-secret\"") else { return nil }
        guard !name.contains("/"), name != ".", name != "..", !name.utf8.contains(0) else {
            mistake("is a path", "write the credential's name as in LoadCredential=")
            return nil
        }
        return name
    }

    /// A program with its arguments; the program is required.
    package func arguments() -> [String]? {
        guard let elements = nonEmptyArray() else { return nil }
        let words = elements.compactMap { $0.string("\"/usr/bin/pass\"") }
        guard words.count == elements.count else { return nil }
        guard let program = words.first, !program.isEmpty else {
            mistake("names no program", "write [\"/usr/bin/pass\", \"show\", \"crm\"]")
            return nil
        }
        return words
    }

    /// A user or group: a name, or a number.
    package func accountName() -> String? {
        if let number = node.integer, number >= 0,
            number < UInt32.max
        {
            return String(number)
        }
        guard let text = node.text, !text.isEmpty else {
            return wrongType("a name or a numeric id")
        }
        return text
    }

    /// Path of a Unix socket: the kernel takes 107 bytes (unix(7)).
    package func socketPath(_ example: String) -> String? {
        guard let text = path(example) else { return nil }
        guard text.utf8.count <= 107 else {
            mistake("is longer than 107 bytes", "choose a shorter path")
            return nil
        }
        return text
    }

    /// `127.0.0.1:PORT`, `[::1]:PORT` or `localhost:PORT`: metrics have no other protection.
    package func loopbackAddress() -> String? {
        guard let text = string("\"127.0.0.1:9464\"") else { return nil }
        let hosts = ["127.0.0.1:", "[::1]:", "localhost:"]
        guard let host = hosts.first(where: { text.hasPrefix($0) }),
            UInt16(text.dropFirst(host.count)) != nil
        else { return wrongType("a loopback address with a port, such as \"127.0.0.1:9464\"") }
        return text
    }
}
