internal import Glibc
package import TokenConfiguration

/// The user that a daemon runs as, so that root can check files with exactly its rights.
package struct DaemonUser: Sendable {
    /// The account's name, or its number without an account.
    package let name: String
    private let user: uid_t
    private let group: gid_t
    /// Groups that its unit adds to those of its account.
    private let further: [gid_t]

    /// - Parameters:
    ///   - name: A user's name or number. `nil`: the owner of the state, or else the user that the
    ///     package creates for the service.
    ///   - state: The state directory.
    ///   - isService: Whether this is the service's configuration, not one of a manual test.
    ///   - groups: The groups of outputs: its unit must have them.
    /// - Returns: `nil` if there is no such user, or it cannot be determined.
    package init?(named name: String?, state: String, isService: Bool, groups: [String]) {
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
        // A user without an account gets the group of its state.
        group = Accounts.mainGroup(of: number) ?? (about.st_uid == number ? about.st_gid : number)
        further = groups.compactMap(Accounts.group)
    }

    /// Whether this process runs as that user already.
    package var isSelf: Bool { user == geteuid() }

    /// The user in the words of a finding.
    package var described: CheckedUser {
        guard user != 0 else { return CheckedUser(name: name, group: nil) }
        return CheckedUser(name: name, group: Accounts.name(ofGroup: group) ?? String(group))
    }

    /// The user of the daemon itself, for which files are created.
    package static var own: CheckedUser {
        let user = geteuid()
        let name = Accounts.name(ofUser: user) ?? String(user)
        guard user != 0 else { return CheckedUser(name: name, group: nil) }
        let group = getegid()
        return CheckedUser(name: name, group: Accounts.name(ofGroup: group) ?? String(group))
    }

    /// The user of this process.
    package static var current: CheckedUser {
        let user = geteuid()
        return CheckedUser(name: Accounts.name(ofUser: user) ?? String(user), group: nil)
    }

    /// Runs `body` with the rights of that user: all threads get its user and groups and no
    /// capability, so that the kernel decides each access. Only root can do this; other users run
    /// `body` unchanged.
    ///
    /// - Returns: The result of `body`; `nil` if the kernel refused the change.
    package func withRights<Value>(_ body: () -> Value) -> Value? {
        guard geteuid() == 0, user != 0 else { return body() }
        let group = getegid()
        var groups = [gid_t](repeating: 0, count: Int(max(0, getgroups(0, nil))))
        let count = groups.isEmpty ? 0 : getgroups(Int32(groups.count), &groups)
        // The group first: a non-root user cannot change it.
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
            // With a mixture of both users' rights the process must not continue.
            exit(EX_OSERR)
        }
    }
}
