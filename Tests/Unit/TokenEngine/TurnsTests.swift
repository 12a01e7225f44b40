import Testing

@testable import TokenEngine

@Suite("Turns", .timeLimit(.minutes(5))) struct TurnsTests {
    private actor Record {
        private var running = 0
        private(set) var most = 0
        private(set) var ended: [Int] = []

        func begin() {
            running += 1
            most = max(most, running)
        }

        func end(_ number: Int) {
            running -= 1
            ended.append(number)
        }
    }

    @Test("never more than so many have one, and each of a thousand gets it")
    func limit() async {
        let (turns, record) = (Turns(most: 3), Record())
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<1000 {
                group.addTask {
                    await turns.enter()
                    await record.begin()
                    await Task.yield()
                    await record.end(number)
                    await turns.leave()
                }
            }
        }
        #expect(await record.most == 3)
        #expect(await record.ended.count == 1000)
    }

    @Test("those that wait get it in the order in which they came")
    func order() async {
        let (turns, record) = (Turns(most: 1), Record())
        await turns.enter()
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<20 {
                group.addTask {
                    await turns.enter()
                    await record.end(number)
                    await turns.leave()
                }
                while await turns.waitingCount <= number { await Task.yield() }
            }
            await turns.leave()
        }
        #expect(await record.ended == Array(0..<20))
    }
}
