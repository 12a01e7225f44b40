package import TokenFormats

/// A provider as the configuration defines it.
package struct ProviderSource {
    package var node: JSONNode
    package var field: FieldReader

    package init(node: JSONNode, field: FieldReader) {
        self.node = node
        self.field = field
    }
}

/// All profiles that a configuration can name: the built-in bases, the shipped profiles and its
/// own.
///
/// A profile is an RFC 7396 merge patch over its base; merging happens on the JSON, reading after,
/// so that a profile in the configuration behaves exactly like a shipped one.
package final class ProfileCatalogue {
    private let configured: [String: ProviderSource]
    private var cache: [String: ProviderProfile?] = [:]
    private var shipped: [String: JSONNode] = [:]

    package init(configured: [String: ProviderSource]) { self.configured = configured }

    /// - Parameter root: A built-in base that replaces the profile's own (`grant_type`).
    /// - Returns: `nil` after recording each mistake at its place.
    package func profile(named name: String, root: String? = nil, usedBy field: FieldReader)
        -> ProviderProfile?
    {
        let key = "\(name) \(root ?? "")"
        if let cached = cache[key] { return cached }
        guard source(named: name) != nil else {
            let near = nearestThree(name, among: knownNames).map { "\"\($0)\"" }
            field.mistake(
                "there is no provider \"\(name)\"",
                nearest(name, among: knownNames).map { "write \"\($0)\"" }
                    ?? "write \(near.joined(separator: ", ")), or define it under \"providers\" "
                    + "(evertoken providers lists all)")
            return nil
        }
        let source = configured[name]
        let place = source?.field ?? field
        let profile = merged(name, root: root, seen: [], at: place).flatMap { node in
            let reader = FieldReader(
                node, path: place.path, fallbackOffset: place.fallbackOffset,
                document: place.document)
            return ProfileReading(
                name: name, field: reader,
                base: { self.merged($0, root: nil, seen: [name], at: $1) },
                rootOf: { self.root(of: $0) }, root: root ?? self.root(of: name)
            ).read()
        }
        cache[key] = .some(profile)
        return profile
    }

    /// A profile as its author wrote it, in the configuration or shipped; shipped ones are parsed
    /// once.
    private func source(named name: String) -> JSONNode? {
        configured[name]?.node ?? shippedNode(name)
    }

    private func shippedNode(_ name: String) -> JSONNode? {
        if shipped[name] == nil { shipped[name] = BuiltInProfiles.json(named: name) }
        return shipped[name]
    }

    /// The built-in base at the end of an `extends` chain; merging detects cycles.
    private func root(of name: String) -> String {
        var name = name
        for _ in 0..<64 where !BuiltInProfiles.baseNames.contains(name) {
            let parent = source(named: name)?["extends"]?.text ?? "refresh_token"
            // It extends the shipped profile of the same name.
            name = parent == name ? shippedNode(name)?["extends"]?.text ?? "refresh_token" : parent
        }
        return name
    }

    private var knownNames: [String] {
        Set(BuiltInProfiles.shippedNames).union(configured.keys).sorted()
    }

    /// The profile's JSON, merged over all its bases.
    ///
    /// - Parameter isShipped: Take the shipped profile, which a configured one of the same name
    ///   extends.
    private func merged(
        _ name: String, root: String?, seen: [String], at place: FieldReader,
        isShipped: Bool = false
    ) -> JSONNode? {
        if let base = BuiltInProfiles.base(named: name) { return base }
        let chain = seen + [isShipped ? "shipped \(name)" : name]
        guard !seen.contains(chain[seen.count]) else {
            place.mistake(
                "extends itself: \(chain.joined(separator: " → "))", "break the circle")
            return nil
        }
        guard let patch = isShipped ? shippedNode(name) : source(named: name) else {
            let near = nearest(name, among: knownNames + BuiltInProfiles.baseNames)
            place.mistake(
                "extends \"\(name)\", which does not exist",
                near.map { "write \"\($0)\"" } ?? "name a shipped or configured provider")
            return nil
        }
        guard patch.members != nil else {
            place.mistake("is \(patch.typeName)", "write an object, { … }")
            return nil
        }
        let parent = patch["extends"]?.text ?? "refresh_token"
        let isBase = BuiltInProfiles.baseNames.contains(parent)
        guard
            let below = merged(
                isBase ? root ?? parent : parent, root: root, seen: chain, at: place,
                isShipped: parent == name && !isShipped && shippedNode(name) != nil)
        else { return nil }
        // Positions in another document would mislead, so only this profile's own are kept.
        let own = configured[name]?.field.document === place.document && seen.isEmpty
        let over = own ? patch : patch.withoutPositions
        // The `name` member is not inherited.
        let inherited = mergePatch(below, ["name": nil])
        return keepingPatches(of: inherited.withoutPositions, and: over)
    }

    /// A profile contains patches (such as `acquire`) that later apply to its request and response:
    /// their nulls must survive the merge.
    private func keepingPatches(of below: JSONNode, and over: JSONNode) -> JSONNode {
        var merged = mergePatch(below, over)
        for path in [
            ["acquire"], ["authorization", "request"], ["authorization", "response"],
            ["assertions", "client"],
        ] {
            let find = { (node: JSONNode) in
                path.reduce(node as JSONNode?) { $0?[$1] }
            }
            guard let patch = find(over), patch.members != nil else { continue }
            merged.replace(path[...], by: composed(find(below), with: patch))
        }
        return merged
    }
}

/// Combines two patches into one: the second wins, `null` included.
private func composed(_ first: JSONNode?, with second: JSONNode) -> JSONNode {
    guard let changes = second.members else { return second }
    var members = first?.members ?? []
    for change in changes {
        if let index = members.firstIndex(where: { $0.key == change.key }) {
            members[index].value = composed(members[index].value, with: change.value)
            members[index].keyOffset = change.keyOffset
        } else {
            members.append(change)
        }
    }
    return JSONNode(.object(members), offset: second.offset)
}

/// RFC 7396: objects merge member by member, `null` deletes, anything else replaces.
package func mergePatch(_ target: JSONNode, _ patch: JSONNode) -> JSONNode {
    guard let changes = patch.members else { return patch }
    var members = target.members ?? []
    for change in changes {
        let index = members.firstIndex { $0.key == change.key }
        if change.value.isNull {
            if let index { members.remove(at: index) }
        } else if let index {
            members[index].value = mergePatch(members[index].value, change.value)
            members[index].keyOffset = change.keyOffset
        } else {
            var added = change
            added.value = mergePatch(
                JSONNode(.object([]), offset: change.value.offset), added.value)
            members.append(added)
        }
    }
    return JSONNode(.object(members), offset: patch.offset)
}

extension JSONNode {
    /// Replaces the value at a path of keys, if it exists.
    fileprivate mutating func replace(_ path: ArraySlice<String>, by node: JSONNode) {
        guard let key = path.first else {
            self = node
            return
        }
        guard case .object(var members) = kind,
            let index = members.firstIndex(where: { $0.key == key })
        else { return }
        members[index].value.replace(path.dropFirst(), by: node)
        kind = .object(members)
    }

    /// The value without offsets, for values from another document or from none.
    var withoutPositions: JSONNode {
        switch kind {
        case .array(let elements):
            JSONNode(.array(elements.map(\.withoutPositions)), offset: -1)
        case .object(let members):
            JSONNode(
                .object(
                    members.map { JSONMember($0.key, $0.value.withoutPositions, keyOffset: -1) }),
                offset: -1)
        default: JSONNode(kind, offset: -1)
        }
    }
}
