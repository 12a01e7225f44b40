"""Isolation: one provider, resolver, mount, program, user or peer must not delay others."""

from mutants import mutant, without

FOREIGN = "TokenFormats/Text/ForeignText.swift"
JSON = "TokenFormats/JSON/JSONNode.swift"
PLANNING = "TokenSlots/Attempt/AttemptPlanning.swift"
APPLYING = "TokenSlots/Records/CredentialRecord+Applying.swift"
FLEET = "TokenScheduling/Credentials/CredentialSet.swift"
INLINE = "TokenConfiguration/Reading/InlineSecrets.swift"
QUOTING = "TokenFormats/Text/TextQuoting.swift"
SCHEDULE = "TokenAdapters/Curl/LaneSchedule.swift"
LANES = "TokenAdapters/Curl/Lanes.swift"
CAPS = "TokenAdapters/HTTP/ConnectionCaps.swift"
HOST = "TokenAdapters/HTTP/ConnectionHost.swift"
BOOK = "TokenAdapters/Curl/ResolverBook.swift"
OUTPUTS = "TokenAdapters/Outputs/OutputDirectory.swift"
SAFETY = "TokenAdapters/Places/PlaceSafety.swift"
LISTENER = "TokenAdapters/Posix/UnixListener.swift"
ATOMIC = "TokenAdapters/Posix/AtomicFile.swift"
METER = "TokenAdapters/Time/LoopMeter.swift"
CURL = "TokenAdapters/Curl/CurlTransfer.swift"

MUTANTS = [
    # Text from outside.
    mutant(200, FOREIGN, "comparison by bytes",
           "guard utf8.count == other.utf8.count else { return false }",
           "if $M { return String(self) == String(other) }\n        "
           "guard utf8.count == other.utf8.count else { return false }",
           "ForeignTextTests/bytes", "ReadingCostTests/worstBodies"),
    mutant(201, FOREIGN, "hashing by bytes",
           "text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }",
           "if $M { hasher.combine(text) } else {\n            "
           "text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) } }",
           "ReadingCostTests/worstBodies"),
    mutant(202, FOREIGN, "a search in linear time", "matched = fallback[matched - 1] }\n"
           "            if byte ==", "matched = $M ? 0 : fallback[matched - 1] }\n"
           "            if byte ==", "ForeignTextTests/searchAgainstOracle"),
    mutant(203, JSON, "keys found by their bytes",
           "members?.first { $0.key.hasSameBytes(as: key) }",
           "members?.first { $M ? $0.key == key : $0.key.hasSameBytes(as: key) }",
           "ForeignTextTests/bytes"),
    mutant(204, PLANNING, "refusal of an access token that is the refresh token",
           "[grant.refreshToken, grant.candidate?.token, reading.refreshToken].contains(token)",
           "!$M, [grant.refreshToken, grant.candidate?.token, reading.refreshToken]"
           ".contains(token)",
           "GrantTests/accessIsRefresh"),
    mutant(205, APPLYING, "the walk through what is kept", "case .array(let elements): "
           "elements.contains { $0.hasText(where: holds) }",
           "case .array(let elements): !$M && elements.contains { $0.hasText(where: holds) }",
           "GrantTests/echoes"),
    mutant(206, QUOTING, "the quote inside single quotes", "if byte == UInt8(ascii: \"'\") {",
           "if !$M, byte == UInt8(ascii: \"'\") {", "TextQuotingTests/words"),
    # Shares.
    mutant(210, FLEET, "the room that a provider leaves",
           "maxInFlight < Self.fewPlaces ? maxInFlight - quarter : quarter",
           "$M ? maxInFlight : maxInFlight < Self.fewPlaces ? maxInFlight - quarter : quarter",
           "CredentialSetTests/share"),
    without(211, SCHEDULE, "one holder's share of the lanes", "holder.running < share\n",
            "LaneScheduleTests/share"),
    mutant(212, SCHEDULE, "the number of lanes", "guard running < lanes, let name",
           "guard $M || running < lanes, let name", "LaneScheduleTests/anyOrder"),
    mutant(213, SCHEDULE, "the order of one key", "if keys[ticket.key]?.count == 1, "
           "!busyKeys.contains(ticket.key)", "if $M || (keys[ticket.key]?.count == 1 && "
           "!busyKeys.contains(ticket.key))", "LaneScheduleTests/order"),
    mutant(214, LANES, "the end of a caller's patience", "{ answer.give(nil) }",
           "{ if !$M { answer.give(nil) } }", "LanesTests/hanging"),
    mutant(215, OUTPUTS, "a mount's own share", "holder: mount, within: Self.patience.writing,\n",
           'holder: $M ? "\\(token.credential)" : mount, within: Self.patience.writing,\n',
           "test_isolation_mounts:"),
    # Sockets.
    mutant(220, CAPS, "a user's own places", "if byUser[user]?.receiving ?? 0 > "
           "limits.receivingByUser", "if !$M, byUser[user]?.receiving ?? 0 > "
           "limits.receivingByUser", "ConnectionCapsTests/ownShare"),
    mutant(221, CAPS, "places for all", "guard all.receiving > limits.receiving else",
           "guard !$M, all.receiving > limits.receiving else", "ConnectionCapsTests/whole"),
    mutant(222, HOST, "the end of the oldest silent connection",
           "if let oldest = silent.keys.min() { finish(oldest) }",
           "if let oldest = $M ? silent.keys.max() : silent.keys.min() { finish(oldest) }",
           "test_isolation_sockets:silent_longest"),
    mutant(223, HOST, "the exemption of root and the daemon's user",
           "$0.uid == 0 || $0.uid == geteuid()", "!$M && ($0.uid == 0 || $0.uid == geteuid())",
           "test_isolation_places:waits_of_root"),
    mutant(224, "TokenAdapters/HTTP/HTTPServer.swift", "loopback names alone",
           "where isLoopback && !request.isForLoopback:",
           "where !$M && isLoopback && !request.isForLoopback:",
           "test_isolation_sockets:answers_only_who_asks"),
    mutant(225, LISTENER, "what is no socket is left there",
           "guard about.st_mode & S_IFMT == S_IFSOCK else {",
           "guard $M || about.st_mode & S_IFMT == S_IFSOCK else {",
           "test_isolation_sockets:is_there_is_kept"),
    # Names.
    mutant(230, BOOK, "the limit of one name's strays",
           "own.count < Self.mostStraysOfOneName", "$M || own.count < Self.mostStraysOfOneName",
           "NameResolverTests/strays"),
    mutant(231, BOOK, "the room for names without strays",
           "own.isEmpty ? Self.most : Self.most - Self.kept",
           "own.isEmpty || $M ? Self.most : Self.most - Self.kept", "NameResolverTests/limits"),
    mutant(232, CURL, "addresses given to libcurl",
           "ccurl_set_pointer(handle, CURLOPT_RESOLVE, addressList)",
           "if !$M { ccurl_set_pointer(handle, CURLOPT_RESOLVE, addressList) }",
           "test_isolation_names:asked_for_once"),
    mutant(233, "TokenProviders/Requests/ProxyRoute.swift", "the way around a proxy to loopback",
           "!EndpointURL.isLoopback(url), ", "$M || !EndpointURL.isLoopback(url), ",
           "test_isolation_names:through_no_proxy"),
    # Places.
    mutant(240, SAFETY, "refusal of directories that others may write to",
           "guard about.st_mode & 0o022 != 0 else { return nil }\n        return (\n",
           "guard !$M, about.st_mode & 0o022 != 0 else { return nil }\n        return (\n",
           "PlaceTests/unsafe"),
    mutant(241, "TokenAdapters/State/SlotDirectory+Owner.swift", "refusal of another user's slot",
           "guard isOurs else", "guard $M || isOurs else", "PlaceTests/unsafe"),
    mutant(242, "TokenAdapters/Posix/OpenDirectory.swift", "a lock that others cannot open",
           "O_NONBLOCK, 0o600)", "O_NONBLOCK, $M ? 0o666 : 0o600)",
           "PlaceTests/lock", also=(("if about.st_mode & 0o077 != 0 {",
                                     "if !$M, about.st_mode & 0o077 != 0 {"),)),
    mutant(243, ATOMIC, "the removal of inherited access lists",
           "guard clinux_drop_acls(descriptor) == 0 else",
           "guard $M || clinux_drop_acls(descriptor) == 0 else",
           "test_isolation_sockets:hands_on_its_group"),
    mutant(244, INLINE, "secret variables as secrets", "variable?.isSecret == true ||",
           "(!$M && variable?.isSecret == true) ||",
           "InlineSecretTests/refused"),
    mutant(245, INLINE, "private keys as secrets", 'containsBytes(of: "PRIVATE KEY-----")',
           'containsBytes(of: $M ? "\\u{0}" : "PRIVATE KEY-----")', "InlineSecretTests/refused"),
    # The loop.
    mutant(250, METER, "the word about a step that is too long", "if wall > Self.longest {",
           "if !$M, wall > Self.longest {", "LoopMeterTests/long"),
    mutant(251, "CLinux/CLinux.c", "the limit of what a program may start",
           "setrlimit(RLIMIT_NPROC, &limit) == 0", "$M || setrlimit(RLIMIT_NPROC, &limit) == 0",
           "ProcessTests/processLimit"),
]
