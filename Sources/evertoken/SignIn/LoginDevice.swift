internal import ArgumentParser
internal import Glibc
internal import TokenAdapters
internal import TokenControl
internal import TokenFormats
internal import TokenProviders

/// The device flow (RFC 8628): the daemon polls while the user approves on another device.
struct DeviceSignIn {
    let session: SignInSession
    /// `nil`: the lifetime of the code.
    let limit: Duration?
    let opensBrowser: Bool

    func run(_ device: DeviceAuthorization) throws {
        let opened = show(device)
        defer { withExtendedLifetime(opened) {} }
        let clock = SystemClock()
        let end = clock.now().uptime.advanced(by: min(device.lifetime, limit ?? device.lifetime))
        var interval = device.interval
        var told: String?
        while true {
            let left = clock.now().uptime.duration(to: end)
            guard left > .zero else { throw expired() }
            usleep(UInt32(min(interval, left).nanoseconds / 1000))
            let reply = try session.order(.device(code: device.deviceCode))
            guard let pending = reply.pending else { return }
            guard pending.slowDown else { continue }
            // Section 3.5: `slow_down` adds five seconds; after a connection failure the interval
            // doubles.
            guard let problem = pending.problem else {
                interval += .seconds(5)
                continue
            }
            interval = min(interval * 2, .seconds(60))
            if problem != told {
                printError("evertoken: \(session.name): \(problem); asking again")
            }
            told = problem
        }
    }

    private func show(_ device: DeviceAuthorization) -> OpenedPage? {
        let address = device.completeURI ?? device.verificationURI
        let opened = opensBrowser ? BrowserLauncher.open(address) : nil
        let place = opened != nil ? "Approve on the page that opens now, or here:" : nil
        say(place ?? "Approve on this page:")
        say("\n  \(device.verificationURI)\n\nwith the code\n\n  \(device.userCode)\n")
        if let complete = device.completeURI {
            say("or open this address, which contains the code:\n\n  \(complete)\n")
        }
        say("The code is valid for \(describe(device.lifetime)).")
        return opened
    }

    private func expired() -> ExitCode {
        fail(
            EX_TEMPFAIL,
            "\(session.name): the code was not approved in time; run this again for a new one")
    }
}
