import Testing

@testable import TokenEngine

private actor Passage {
    private(set) var numbers: [Int] = []
    func note(_ number: Int) { numbers.append(number) }
}

@Suite("Gates", .timeLimit(.minutes(20))) struct GateTests {
    @Test("I11: one at a time through the gate of a name, in the order of coming")
    func oneAtATime() async throws {
        let gates = CredentialGates()
        let passed = Passage()
        await gates.enter("mail")
        await withTaskGroup(of: Void.self) { group in
            for number in 1...3 {
                group.addTask {
                    await gates.enter("mail")
                    await passed.note(number)
                    await gates.leave("mail")
                }
                // Until it waits, which only time can show.
                try? await Task.sleep(for: .milliseconds(20))
            }
            #expect(await passed.numbers == [])
            await gates.enter("another")
            await gates.leave("another")
            await gates.leave("mail")
        }
        #expect(await passed.numbers == [1, 2, 3])
    }
}
