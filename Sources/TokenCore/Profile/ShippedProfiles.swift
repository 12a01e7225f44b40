/// The files of `Profiles/`, compiled in. A test holds the list to the folder.
enum ShippedProfiles {
    /// In name order.
    static let files: [(name: String, bytes: [UInt8])] = [
        ("febbox", PackageResources.febbox_json),
        ("fxiaoke", PackageResources.fxiaoke_json),
        ("xee", PackageResources.xee_json),
    ]
}
