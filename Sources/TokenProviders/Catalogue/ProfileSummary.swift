internal import TokenFormats

extension ProfileDescription {
    /// The inputs and the host of this provider, in one line of a list.
    package var summary: String {
        let way: String
        if !profile.usesRefreshToken {
            way = keys.contains("client_secret") ? "client id and secret" : "keys of an app"
        } else if profile.authorization == nil || profile.signInObstacle != nil {
            way = "a long-lived token of yours"
        } else if profile.authorization?.deviceURL != nil {
            way = "sign in by browser or code"
        } else {
            way = "sign in by browser"
        }
        let authorization = profile.authorization
        let address =
            profile.usesRefreshToken
            ? authorization?.url ?? authorization?.deviceURL ?? tokenURL : tokenURL
        let host = knownHost(address)
        let whole = host.isEmpty ? way : "\(way), at \(host)"
        // The list has 80 columns, with the longest name before this text.
        return whole.utf8.count <= 55 ? whole : way
    }

    private var tokenURL: Template? { profile.refresh.last?.request.url }

    /// Empty when each credential has its own host.
    private func knownHost(_ url: Template?) -> String {
        let isSame = url?.variables.allSatisfy { profile.variables[$0]?.defaultValue != nil }
        guard isSame == true, let text = rendered(url) else { return "" }
        return EndpointURL.host(of: text)
    }
}
