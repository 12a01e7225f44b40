"""The connection, the process, and permissions."""

from mutants import mutant, without

CURL = "TokenAdapters/Curl/CurlTransfer.swift"
ENDPOINT = "TokenAdapters/Curl/CurlEndpoint.swift"
SECRET = "TokenFormats/Secrets/Secret.swift"
HTTP = "TokenAdapters/HTTP/HTTPMessages.swift"
CLOCKS = "TokenAdapters/Time/Clocks.swift"
CHILD = "TokenAdapters/Processes/ChildProcess.swift"
CREDENTIALS = "TokenAdapters/UnitSocket/CredentialSocket.swift"
NOT_TRUSTED = "test_wire_tls:not_trusted_is_told_nothing"
SIGNALS = "for number in [SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV] {"

MUTANTS = [
    mutant(150, CURL, "a connection of its own for each request", "set(CURLOPT_FRESH_CONNECT, 1)",
           "set(CURLOPT_FRESH_CONNECT, $M ? 0 : 1)", "test_wire:connection_is_ever_used_twice",
           also=(("set(CURLOPT_FORBID_REUSE, 1)", "set(CURLOPT_FORBID_REUSE, $M ? 0 : 1)"),
                 ('("Connection", "close"),', '("Connection", $M ? "keep-alive" : "close"),'))),
    mutant(151, CURL, "no redirects", "set(CURLOPT_FOLLOWLOCATION, 0)",
           "set(CURLOPT_FOLLOWLOCATION, $M ? 1 : 0)", "test_wire:redirect_is_never_followed"),
    mutant(152, CURL, "verification of the certificate", "set(CURLOPT_SSL_VERIFYPEER, 1)",
           "set(CURLOPT_SSL_VERIFYPEER, $M ? 0 : 1)", NOT_TRUSTED),
    mutant(153, CURL, "verification of the host's name", "set(CURLOPT_SSL_VERIFYHOST, 2)",
           "set(CURLOPT_SSL_VERIFYHOST, $M ? 0 : 2)", NOT_TRUSTED),
    mutant(154, CURL, "the oldest TLS that will do",
           "Int(CURL_SSLVERSION_TLSv1_2)",
           "Int($M ? CURL_SSLVERSION_TLSv1_0 : CURL_SSLVERSION_TLSv1_2)",
           "test_wire_tls:allows_old_versions"),
    mutant(155, CURL, "no proxies of the environment", "set(CURLOPT_PROXY, proxy)",
           "set(CURLOPT_PROXY, $M && proxy.isEmpty ? nil : proxy)", "test_wire:proxy_variables",
           also=(('proxy.isEmpty ? "*" : "")', 'proxy.isEmpty ? ($M ? nil : "*") : "")'),)),
    mutant(156, CURL, "the limit of a body", "Self.maximumBodyBytes - body.count",
           "($M ? Int.max : Self.maximumBodyBytes) - body.count",
           "test_wire_limits:pays_for_an_endless_body"),
    without(157, CURL, "the limit of headers", "headerBytes <= Self.maximumHeaderBytes",
            "test_wire_limits:16_kib_of_headers"),
    mutant(158, CURL, "that a request is known to have been sent", "        isSent = true\n",
           "        isSent = !$M\n", "test_wire:seen_as_ambiguous"),
    mutant(161, ENDPOINT, "a last look before a transfer's time is up", "for _ in 0..<64 {",
           "for _ in 0..<($M ? 0 : 64) {", "HeldUpTests/lateLook"),
    mutant(162, ENDPOINT, "the end of a transfer's time",
           "guard let transfer = transfers.removeValue(forKey: handle) else { return }",
           "guard !$M, let transfer = transfers.removeValue(forKey: handle) else { return }",
           "test_wire_limits:one_byte_a_second"),
    mutant(163, "TokenAdapters/Curl/RequestSockets.swift", "the tie of a connection to its process",
           "where clinux_tie_connection(copy,", "where !$M && clinux_tie_connection(copy,",
           "test_sockets:killed_daemon"),
    mutant(164, "TokenAdapters/Curl/RequestSockets.swift", "the end in order of a whole response",
           "isWhole ? clinux_untie", "isWhole && !$M ? clinux_untie",
           "test_sockets:whole_response_it_ends_in_order"),
    # The process.
    without(170, CLOCKS, "the ban on cores and tracers", "clinux_make_undumpable() == 0",
            "test_secrecy_processes:another_process_of_the_same_user"),
    mutant(171, CLOCKS, "default signals instead of Swift's crash reports", SIGNALS,
           "for number in $M ? [] : [SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, "
           "SIGFPE, SIGSEGV] {", "test_secrecy_processes:no_handler_waits_for_a_crash"),
    mutant(173, SECRET, "what a secret prints as", 'var description: String { "«secret»" }',
           'var description: String { $M ? text : "«secret»" }', "ValueTests/secret"),
    mutant(174, SECRET, "what a secret prints as in the debugger",
           'var debugDescription: String { "«secret»" }',
           'var debugDescription: String { $M ? text : "«secret»" }', "ValueTests/secret"),
    mutant(175, SECRET, "what dump() shows of a secret", "Mirror(self, children: [])",
           'Mirror(\n            self, children: $M ? [(label: "text", value: text as Any)] : [])',
            "ValueTests/secret"),
    # Permissions.
    mutant(180, "TokenAdapters/Control/ControlServer.swift", "who may ask what",
           "guard isAllowed else", "guard $M || isAllowed else",
           "test_control_access:exactly_what_is_theirs"),
    mutant(181, "TokenAdapters/HTTP/ConnectionHost.swift", "the caller's own credentials",
           "peer = Peer(pid: pid, uid: uid, gid: gid)",
           "peer = Peer(pid: pid, uid: $M ? 0 : uid, gid: gid)",
           "test_control_access:exactly_what_is_theirs"),
    without(182, HTTP, "the limit of a request's body", "length <= Self.maximumBody",
            "test_control_socket_abuse:too_large"),
    mutant(183, HTTP, "the limit of a request's head", "bytes.count > Self.maximumHead",
           "!$M && bytes.count > Self.maximumHead", "test_control_socket_abuse:too_large",
           also=(("guard end <= Self.maximumHead", "guard $M || end <= Self.maximumHead"),)),
    mutant(184, "TokenAdapters/Posix/UnixListener.swift", "the mode of the control socket",
           'return chmod("/proc/self/fd/\\(node)", mode) == 0',
           'return chmod("/proc/self/fd/\\(node)", $M ? 0o666 : mode) == 0',
           "test_control_socket:is_0660"),
    without(190, CREDENTIALS, "root as the only one who is believed", "uid == 0",
            "test_credential_socket:itself_only_root"),
    mutant(191, CREDENTIALS, "the mode of the credential socket", "mode: 0o600",
           "mode: $M ? 0o666 : 0o600", "test_credential_socket:itself_only_root"),
    without(192, "TokenConfiguration/Reading/UnitNames.swift", "which credential a unit may have",
            "id == wanted.id", "UnitTests/reading"),
    without(193, CREDENTIALS, "what a reload has taken away meanwhile",
            "state.withLock({ $0.policy.entry(for: wanted) == entry })",
            "test_credential_socket:itself_what_was_taken"),
    # Programs that it starts.
    mutant(194, CHILD, "the end of a program's group", "        kill(-process, SIGKILL)",
           "        if !$M { kill(-process, SIGKILL) }", "ProcessTests/group"),
    mutant(195, CHILD, "the end of what left that group", "if let mark {", "if !$M, let mark {",
           "test_hooks:leaves_behind"),
]
