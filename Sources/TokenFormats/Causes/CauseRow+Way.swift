// Failures on the way to the provider, and of trust in it. Nothing was sent.
extension CauseRow {
    private static let look = "Look from here: curl -v {origin}"
    private static let dns = "Check this host's DNS: resolvectl query {name}"

    static let way: [CauseKind: CauseRow] = [
        .nameNotResolved: CauseRow(.way, "the name {name} cannot be resolved", dns),
        .nameServersSilent: CauseRow(
            .way, "the name {name} cannot be resolved in time: no name server answers", dns),
        .nameLookupsFull: CauseRow(
            .way,
            "the name {name} is not looked up: too many look-ups wait for name servers that do "
                + "not answer", dns),
        .connectionRefused: CauseRow(
            .way, "{host} does not accept connections[ ({errno})]",
            look + "; a firewall or \"proxy\" on the way refuses it, or the provider is down: see "
                + "its status page"),
        .connectionTimedOut: CauseRow(
            .way, "{host} cannot be reached in time",
            look + "; a firewall or a missing \"proxy\" swallows it, or the provider is down: see "
                + "its status page"),
        .connectionBroke: CauseRow(
            .way, "the connection to {host} broke before anything was sent",
            look + "; a firewall or a proxy on the way may cut it, or see the provider's status "
                + "page"),
        .proxyNameNotResolved: CauseRow(
            .way, "the name of the proxy, {name}, cannot be resolved",
            dns + "; or correct \"proxy\" in the configuration"),
        .proxyUnreachable: CauseRow(
            .way, "the proxy {host} cannot be reached",
            "Check that the proxy runs, or correct \"proxy\" in the configuration"),
        .proxyWantsLogin: CauseRow(
            .way, "the proxy {host} wants a login (407)",
            "Write the right user and password into \"proxy\" (http://USER:PASSWORD@{host}), or "
                + "have the proxy let this host through without"),
        .proxyRefuses: CauseRow(
            .way, "the proxy {host} refuses the way to the provider[ ({status})]",
            "Have the proxy allow connections to the provider, or correct \"proxy\" in the "
                + "configuration"),
        .proxyCannotConnect: CauseRow(
            .way, "the proxy {host} finds no way to the provider[ ({status})]",
            "Check from the proxy's host that the provider can be reached, then the provider's "
                + "status page"),
        .urlUnusable: CauseRow(
            .setting, "the token URL is not valid",
            "Correct {key}; evertoken check {credential} --show-request prints it"),
        .transferFailed: CauseRow(.way, "the request could not be sent[: {detail}]", look),
    ]

    private static let place = "the certificate of {host} is not trusted: "
    private static let tellProvider = "Tell the provider; nothing is sent to it as it is"

    static let trust: [CauseKind: CauseRow] = [
        .tlsTooOld: CauseRow(
            .way, "{host} offers no TLS version from 1.2 on",
            "Ask the provider to offer TLS 1.2 or 1.3; nothing is sent over an older one"),
        .tlsNoSecureRenegotiation: CauseRow(
            .way, "{host} offers no secure renegotiation of TLS (RFC 5746)",
            "Ask the provider to renew the TLS software of its server, or whatever inspects TLS "
                + "on the way; nothing is sent over it as it is"),
        .tlsWeakKey: CauseRow(
            .way, "a key or signature that {host} uses for TLS is too weak",
            "Ask the provider for a longer key; nothing is sent over this one"),
        .tlsNotSpoken: CauseRow(
            .way, "{host} does not speak TLS",
            look + "; the port is wrong, or a proxy answers in the provider's place"),
        .tlsRefused: CauseRow(
            .way, "{host} refused the TLS handshake",
            look + "; it may want a client certificate (\"tls\" in the provider's \"request\")"),
        .tlsFailed: CauseRow(.way, "the TLS handshake with {host} failed", look),
        .certificateExpired: CauseRow(
            .way, place + "it has expired[ (on {date})]",
            "Tell the provider that its certificate ended[ on {date}]; if that is in the future, "
                + "correct this host's clock: timedatectl"),
        .caCertificateExpired: CauseRow(
            .way, place + "the CA certificate[ \"{subject}\"] behind it has expired[ (on {date})]",
            "[Put the CA's new certificate into {file} (\"ca_file\")|Run: update-ca-certificates]; "
                + "if there is no newer one, tell the provider"),
        .certificateNotYetValid: CauseRow(
            .way, place + "it is not valid yet[, but from {date} on]",
            "Check this host's clock: timedatectl"),
        .certificateSelfSigned: CauseRow(
            .way, place + "it is self-signed",
            "Name it in \"ca_file\" if it is the provider's own; if not, something answers in the "
                + "provider's place: curl -v {origin}"),
        .certificateIssuerUnknown: CauseRow(
            .way, place + "its issuer is unknown[ (\"{subject}\")]",
            "Name your CA in \"ca_file\"[ (now {file})], or run: update-ca-certificates"),
        .certificateForOtherHost: CauseRow(
            .way, place + "it is for another host[ (\"{subject}\")]",
            "Correct the host in {key}, or find what answers in the provider's place: curl -v "
                + "{origin}"),
        .certificateRevoked: CauseRow(.way, place + "it was revoked", tellProvider),
        .certificateNotTrusted: CauseRow(
            .way, "the certificate of {host} is not trusted[ ({detail})]",
            look + "; nothing is sent to it as it is"),
        .caFileUnusable: CauseRow(
            .setting, "the CA file {file} cannot be used[: {errno}]",
            "Put PEM certificates into {file}, readable for the user evertoken, or correct "
                + "\"ca_file\""),
        .caBundleUnusable: CauseRow(
            .setting, "the CA file of this system[, {file},] cannot be used[: {errno}]",
            "Run: update-ca-certificates (package ca-certificates)"),
        .clientCertificateUnusable: CauseRow(
            .setting, "the client certificate or its key[ ({file})] cannot be used",
            "Give PEM files that exist, fit together and are not encrypted"),
        .clientCertificateWanted: CauseRow(
            .way, "{host} wants another client certificate, or wants one at all",
            "Name a certificate that the provider knows under \"tls\" in the provider's "
                + "\"request\""),
    ]
}
