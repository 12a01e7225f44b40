internal import TokenControl
internal import TokenScheduling

// The names that the journal uses for an input that blocked the loop: its kind, never its contents.

extension Engine.Input {
    var kind: String {
        switch self {
        case .woke: "timer"
        case .reload: "reload"
        case .stop: "stop"
        case .request(let request, _): "request: " + request.kind
        case .lifecycle(_, let event): "event: " + event.kind
        case .accepted: "accepted"
        case .unsaved: "unsaved answer"
        case .configurationLoaded: "configuration read"
        case .configuring: "configuration applied"
        case .outputsLooked: "files looked at"
        case .initialTokensLooked: "initial tokens looked at"
        case .surveyed: "configuration looked at"
        }
    }
}

extension LifecycleEvent {
    fileprivate var kind: String {
        switch self {
        case .recovered: "recovered"
        case .attemptEnded: "attempt ended"
        case .published: "published"
        case .hookEnded: "program ended"
        case .outputsAltered: "files altered"
        default: "order"
        }
    }
}

extension ControlRequest {
    /// Its name in the interface, without its parameters.
    var kind: String {
        switch self {
        case .status: "status"
        case .credential: "credential"
        case .token: "token"
        case .refresh: "refresh"
        case .order: "order"
        case .signIn: "sign-in"
        case .accept: "accept"
        case .stored: "stored"
        case .forget: "forget"
        case .reload: "reload"
        case .health: "health"
        case .liveness: "liveness"
        case .metrics: "metrics"
        case .check: "check"
        }
    }
}
