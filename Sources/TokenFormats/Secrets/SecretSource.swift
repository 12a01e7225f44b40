/// Where a secret comes from. The source is read again at every use.
package indirect enum SecretSource: Sendable, Hashable {
    case inline(Secret)
    case file(String)
    /// A file in `$CREDENTIALS_DIRECTORY` (systemd.exec(5), `LoadCredential=`).
    case credential(String)
    case environment(String)
    /// Standard output of a program, run without a shell.
    case command([String])
    /// The whole text of another source, white space included (`"trim": false`).
    case exact(SecretSource)

    /// The source without the wish to keep white space.
    package var place: SecretSource {
        if case .exact(let source) = self { source.place } else { self }
    }
}
