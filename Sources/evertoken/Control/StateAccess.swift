internal import ArgumentParser
internal import Glibc
internal import TokenAdapters
internal import TokenConfiguration
internal import TokenControl
internal import TokenFormats

/// Options of commands that also work without the daemon.
struct OfflineOptions: ParsableArguments {
    @Flag(help: "Work on the state directory itself; the daemon must not be running.")
    var offline = false

    @Option(
        help: ArgumentHelp("That directory, where nothing else says it.", valueName: "dir"),
        completion: .directory)
    var stateDir: String?
}

/// The access to a credential's state: the daemon, or the state directory while no daemon runs.
/// Both accept the same requests, and each request uses what is available at that moment.
final class StateAccess {
    private let daemon: DaemonOptions
    private let options: OfflineOptions
    private var offline: OfflineControl?

    init(daemon: DaemonOptions, offline: OfflineOptions) {
        (self.daemon, options) = (daemon, offline)
    }

    /// - Throws: `ExitCode`, after printing why there is no response.
    func request(_ request: ControlRequest) throws -> ControlReply {
        if options.offline { return try alone(request, absent: nil) }
        let client = try daemon.client()
        do throws(ControlClient.Unanswered) {
            return try client.quietRequest(request, timeout: 120).message
        } catch {
            guard error.isAbsent, !daemon.isSocketNamed || daemon.config != nil else {
                throw client.failure(error)
            }
            return try alone(request, absent: (client, error))
        }
    }

    func failure(_ reply: ControlReply) -> ExitCode {
        ControlClient(path: "").failure(reply)
    }

    /// - Parameter absent: The failed connection to the daemon.
    private func alone(
        _ request: ControlRequest,
        absent: (client: ControlClient, error: ControlClient.Unanswered)?
    ) throws -> ControlReply {
        let path = daemon.config ?? defaultConfigurationPath
        if offline == nil {
            if let absent, access(path, R_OK) != 0, errno != EACCES {
                throw absent.client.failure(absent.error)
            }
            let (configuration, loader) = try loadConfiguration(path)
            let places = serviceDirectories(
                configuration, loader, stateOverride: options.stateDir)
            if let absent, access(places.state, F_OK) != 0 {
                throw absent.client.failure(absent.error)
            }
            offline = try open(configuration, places, loader)
        }
        guard let offline else { throw ExitCode(EX_SOFTWARE) }
        do throws(StorageFailure) { return try offline.answer(request) } catch {
            throw refused(error, socket: absent?.client.path)
        }
    }

    private func open(
        _ configuration: Configuration, _ places: Directories, _ loader: ConfigurationLoader
    ) throws -> OfflineControl {
        printError("evertoken: without a daemon, in the state directory \(places.state)")
        do throws(StorageFailure) { try StateOwner.become(ownerOf: places.state) } catch {
            throw refused(error, socket: nil)
        }
        return OfflineControl(
            configuration: configuration, directories: places, base: loader.directory,
            note: { printError("evertoken: " + $0) })
    }

    private func refused(_ failure: StorageFailure, socket: String?) -> ExitCode {
        if failure.isHeldByAnother {
            let place = socket.map { ", and cannot be reached at \($0)" } ?? ""
            return fail(
                EX_TEMPFAIL,
                "nothing was changed: a running evertokend holds the state directory\(place); "
                    + (socket == nil
                        ? "leave --offline out" : "name its socket with --socket, or stop it"))
        }
        return fail(
            failure.isForbidden ? EX_NOPERM : EX_TEMPFAIL,
            "nothing was changed: \(failure.problem)"
                + (failure.isForbidden ? "; run this as root, or as the daemon's user" : ""))
    }
}

let defaultConfigurationPath = "/etc/evertoken/evertoken.json"

/// The directories of a configuration's daemon.
func serviceDirectories(
    _ configuration: Configuration, _ loader: ConfigurationLoader, stateOverride: String? = nil
) -> Directories {
    var places = Directories(
        configuration: configuration, base: loader.directory, stateOverride: stateOverride)
    // The service's defaults: systemd passes its directories only to the service.
    guard loader.path == defaultConfigurationPath else { return places }
    if stateOverride == nil, configuration.stateDirectory == nil, getenv("STATE_DIRECTORY") == nil {
        places.state = "/var/lib/evertoken"
    }
    if configuration.tokenDirectory == nil, getenv("RUNTIME_DIRECTORY") == nil {
        places.token = "/run/evertoken"
    }
    return places
}
