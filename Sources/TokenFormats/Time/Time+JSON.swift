extension Duration {
    /// In nanoseconds.
    package var json: JSONNode { .integer(nanoseconds) }
    /// `nil` for any other node.
    package init?(json node: JSONNode) {
        guard let nanoseconds = node.integer else { return nil }
        self = .nanoseconds(nanoseconds)
    }
}

extension Moment {
    /// As records keep it: the boot, and both clocks.
    package var json: JSONNode {
        .object([
            ("boot", .string(bootID)), ("uptime", uptime.sinceBoot.json),
            ("wall", wall.sinceEpoch.json),
        ])
    }
    /// `nil` for any other node.
    package init?(json node: JSONNode) {
        guard let boot = node["boot"]?.text,
            let uptime = node["uptime"].flatMap(Duration.init(json:)),
            let wall = node["wall"].flatMap(Duration.init(json:))
        else { return nil }
        self.init(
            uptime: Uptime(uptime), wall: WallTime(wall), bootID: BootNames.shared(boot))
    }
}

extension JSONNode {
    /// A member in integer epoch seconds.
    package func time(_ key: String) -> WallTime? {
        self[key]?.integer.map(WallTime.init(epochSeconds:))
    }
}
