/// SplitMix64: small, fast, and a value, so that all decisions of a simulation replay from one
/// seed.
///
/// For jitter only, never for secrets. Source: Steele, Lea, Flood, "Fast splittable pseudorandom
/// number generators", OOPSLA 2014.
package struct RandomSource: RandomNumberGenerator, Sendable {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// A uniformly random part of `duration`.
    package mutating func part(of duration: Duration) -> Duration {
        guard duration > .zero else { return .zero }
        return .nanoseconds(Int64.random(in: 0...duration.nanoseconds, using: &self))
    }
}
