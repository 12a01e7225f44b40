import Testing

@testable import TokenConfiguration
@testable import TokenEngine
@testable import TokenFormats
@testable import TokenProviders
@testable import TokenScheduling
@testable import TokenSlots

@Suite("What a credential costs in memory") struct CredentialMemoryTests {
    @Test("its values take less than 2 KiB, and a profile is one pointer")
    func sizes() {
        #expect(MemoryLayout<CredentialLifecycle>.stride <= 1792)
        #expect(MemoryLayout<CredentialConfiguration>.stride <= 272)
        #expect(MemoryLayout<ProviderProfile>.stride == 8)
        #expect(MemoryLayout<Cause>.stride == 16)
        #expect(MemoryLayout<Rare<CauseFacts>>.stride == 8)
    }

    @Test("all credentials of a provider share its profile")
    func sharedProfile() throws {
        let credentials = try Examples.configuration(of: ["a", "b", "c"]).credentials
        #expect(Set(credentials.map(\.profile.identity)).count == 1)
    }

    @Test("a profile with another name is another one, and leaves the first as it was")
    func changedProfile() throws {
        let first = try Examples.configuration(of: ["a"]).credentials[0].profile
        var second = first
        #expect(second == first && second.identity == first.identity)
        second.name = "other"
        #expect(second != first && first.name == "as" && second.refresh == first.refresh)
    }

    @Test("a rare value is there or not, and copies do not change together")
    func rare() {
        var first = Rare(CauseFacts(file: "a"))
        let second = first
        first.wrappedValue?.file = "b"
        #expect(first.value?.file == "b" && second.value?.file == "a" && first != second)
        first.wrappedValue = nil
        #expect(first.value == nil && first == Rare())
    }

    @Test("facts that are taken away again leave an equal cause")
    func facts() {
        var cause = Cause(.stateFails)
        cause.facts.detail = "d"
        #expect(cause != Cause(.stateFails) && cause.facts == CauseFacts(detail: "d"))
        cause.facts.detail = nil
        #expect(cause == Cause(.stateFails))
    }
}
