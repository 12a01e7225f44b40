import Testing

@testable import TokenConfiguration
@testable import TokenFormats
@testable import TokenProviders
@testable import TokenSlots

@Suite("When a person is asked") struct ReauthTests {
    @Test("I34: two answers are not three, however long there is between them")
    func twoAnswers() throws {
        let profile = try Examples.credential().profile
        var grant = Examples.held
        for hour in [0, 1] {
            grant.fail(
                Refusal(.reauth, httpStatus: 400, problem: "p"), spends: true,
                at: Examples.noon.advanced(by: .seconds(3600 * hour)), profile: profile)
        }
        #expect(grant.attempts.reauthResponses == 2 && !grant.attempts.isLoginRequired)
        grant.fail(
            Refusal(.reauth, httpStatus: 400, problem: "p"), spends: true,
            at: Examples.noon.advanced(by: .seconds(7200)), profile: profile)
        #expect(grant.attempts.isLoginRequired)
    }
}
