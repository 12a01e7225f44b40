internal import Crypto
package import TokenFormats

/// A code verifier with its challenge (RFC 7636): an intercepted code is useless without it.
package struct CodeVerifier: Sendable, Equatable {
    package static let method = "S256"
    package let verifier: Secret

    /// - Parameter random: 32 unpredictable bytes (section 4.1).
    package init(random: [UInt8]) { verifier = Secret(base64(random, urlSafe: true)) }

    /// Section 4.2: BASE64URL(SHA256(ASCII(verifier))).
    package var challenge: String {
        base64(Array(SHA256.hash(data: Array(verifier.reveal().utf8))), urlSafe: true)
    }
}

/// Compares two texts in constant time.
package func isSameSecret(_ left: String, _ right: String) -> Bool {
    let (first, second) = (Array(left.utf8), Array(right.utf8))
    guard first.count == second.count else { return false }
    var difference: UInt8 = 0
    for (a, b) in zip(first, second) { difference |= a ^ b }
    return difference == 0
}
