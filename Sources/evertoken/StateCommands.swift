import ArgumentParser
import TokenCore

struct Accept: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Trust the stored state of a quarantined credential from now on.",
        discussion: """
            A state that was copied, restored from a backup or moved to another machine may hold a \
            refresh token that has been spent since; sending it can end the whole sign-in. Look \
            first whether the original is still in use or has been used since the copy was made. \
            A state that cannot be read is set aside, and the credential begins anew.

              evertoken status crm
              evertoken accept crm
            """)

    @Argument(help: "The credential.") var name: String
    @OptionGroup var daemon: DaemonOptions

    func run() throws {
        _ = try daemon.client().successful("POST", "\(try credentialPath(name))/accept")
        print("\(name): accepted")
    }
}

struct Forget: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Erase all that is stored of a credential.",
        discussion: """
            For one that was removed from the configuration, whose state is kept otherwise. One \
            that is still configured begins anew with its refresh_token, if the provider still \
            takes that.

              evertoken forget crm
            """)

    @Argument(help: "The credential.") var name: String
    @OptionGroup var daemon: DaemonOptions

    func run() throws {
        _ = try daemon.client().successful("POST", "\(try credentialPath(name))/forget")
        print("\(name): forgotten")
    }
}
