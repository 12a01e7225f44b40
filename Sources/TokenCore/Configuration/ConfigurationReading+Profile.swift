extension Configuration {
    /// A profile that a new credential of these files could name, built in or their own.
    ///
    /// - Throws: The mistakes in it; for an unknown name one that says which was meant.
    public static func profile(
        named name: String, files: [ConfigurationFile]
    ) throws(ConfigurationMistakes) -> ProviderProfile {
        let reading = ConfigurationReading()
        for (index, file) in files.enumerated() { reading.addFile(file, isMain: index == 0) }
        let document = ConfigurationDocument(file: "--provider", bytes: [])
        let field = FieldReader(
            .string(name), path: "", fallbackOffset: 0, document: document)
        let catalogue = ProfileCatalogue(configured: reading.providers)
        if let profile = catalogue.profile(named: name, usedBy: field) { return profile }
        throw ConfigurationMistakes(document.mistakes + reading.documents.flatMap(\.mistakes))
    }
}
