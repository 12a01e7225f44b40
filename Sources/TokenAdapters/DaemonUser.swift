internal import Glibc
public import TokenCore

/// The user that a daemon runs as, for root to look with its rights and no more.
public struct DaemonUser: Sendable {
    /// The account's name, or its number where it has none.
    public let name: String
    private let user: uid_t
    private let group: gid_t
    /// Groups that it has by its unit besides those of its account.
    private let further: [gid_t]

    /// - Parameters:
    ///   - name: A user's name, or its number. `nil`: the owner of the state, or else the user that
    ///     the package makes for the service.
    ///   - isService: It is the configuration of the service, not one that is tried by hand.
    ///   - groups: To which outputs are given: its unit must have them.
    /// - Returns: `nil` where there is no such user, or nothing tells which one it is.
    public init?(named name: String?, state: String, isService: Bool, groups: [String]) {
        var about = stat()
        let number: uid_t?
        if let name {
            number = Accounts.user(name)
        } else if stat(state, &about) == 0 {
            number = about.st_uid
        } else {
            number = isService ? Accounts.user("evertoken") : nil
        }
        guard let number else { return nil }
        user = number
        self.name = Accounts.name(ofUser: number) ?? String(number)
        // A user without an account has the group that its state has.
        group = Accounts.mainGroup(of: number) ?? (about.st_uid == number ? about.st_gid : number)
        further = groups.compactMap(Accounts.group)
    }

    /// Whether this process is that user anyway.
    public var isSelf: Bool { user == geteuid() }

    /// For the words of a finding.
    public var described: CheckedUser {
        guard user != 0 else { return CheckedUser(name: name, group: nil) }
        return CheckedUser(name: name, group: Accounts.name(ofGroup: group) ?? String(group))
    }

    /// The daemon itself, for whose user files are made.
    public static var own: CheckedUser {
        let user = geteuid()
        let name = Accounts.name(ofUser: user) ?? String(user)
        guard user != 0 else { return CheckedUser(name: name, group: nil) }
        let group = getegid()
        return CheckedUser(name: name, group: Accounts.name(ofGroup: group) ?? String(group))
    }

    /// The user of this process.
    public static var current: CheckedUser {
        let user = geteuid()
        return CheckedUser(name: Accounts.name(ofUser: user) ?? String(user), group: nil)
    }

    /// Runs `body` with the rights of that user: all threads have its user, its groups and no
    /// capability, so that the kernel itself says what it may. Only root can; for another user it
    /// runs as it is.
    ///
    /// - Returns: What `body` returned; `nil` where the kernel refused the change.
    public func withRights<Value>(_ body: () -> Value) -> Value? {
        guard geteuid() == 0, user != 0 else { return body() }
        let group = getegid()
        var groups = [gid_t](repeating: 0, count: Int(max(0, getgroups(0, nil))))
        let count = groups.isEmpty ? 0 : getgroups(Int32(groups.count), &groups)
        // The group first: a user that is not root may not change it any more.
        guard count >= 0, setGroups(), setegid(self.group) == 0, seteuid(user) == 0 else {
            restore(group, groups)
            return nil
        }
        defer { restore(group, groups) }
        return body()
    }

    private func setGroups() -> Bool {
        var all = [gid_t](repeating: 0, count: 256)
        var count = Int32(all.count)
        if getgrouplist(name, group, &all, &count) < 0 { (all[0], count) = (group, 1) }
        let groups = Array(all.prefix(Int(count))) + further
        return setgroups(groups.count, groups) == 0
    }

    private func restore(_ group: gid_t, _ groups: [gid_t]) {
        guard seteuid(0) == 0, setegid(group) == 0, setgroups(groups.count, groups) == 0 else {
            // With neither the one's rights nor the other's nothing more can be said.
            exit(EX_OSERR)
        }
    }
}
