import Testing

@testable import TokenConfiguration
@testable import TokenFormats
@testable import TokenScheduling

@Suite("How long a token is asked to last") struct MinimumLifeTests {
    @Test(
        "what is asked for, or half a life where no token lasts so long",
        arguments: [
            (60, 600, false, 60), (599, 600, false, 599), (600, 600, true, 300),
            (660, 600, true, 300), (0, 0, false, 0),
        ])
    func wanted(_ asked: Int, _ lifetime: Int, _ isBeyondReach: Bool, _ wanted: Int) {
        let life = MinimumLife(asked: .seconds(asked), lifetime: .seconds(lifetime))
        #expect(life.isBeyondReach == isBeyondReach)
        #expect(life.wanted == .seconds(wanted))
    }

    @Test("a token that never ends lasts as long as anything")
    func endless() {
        let life = MinimumLife(asked: .seconds(1 << 40), lifetime: nil)
        #expect(!life.isBeyondReach && life.shortfall(left: nil) == nil)
    }

    @Test("an answer tells what is missing, and nothing where nothing is")
    func shortfall() {
        let life = MinimumLife(asked: .seconds(660), lifetime: .seconds(600))
        #expect(life.shortfall(left: .seconds(660)) == nil)
        let told = life.shortfall(left: .milliseconds(599_900))
        #expect(told == LifeShortfall(asked: 660, left: 599, lifetime: 600))
        #expect(told?.json["met"] == false)
    }
}
