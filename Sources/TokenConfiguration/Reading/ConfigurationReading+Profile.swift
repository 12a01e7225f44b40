package import TokenFormats
package import TokenProviders

extension Configuration {
    /// A profile that a new credential in these files could name: built in, or defined in the
    /// files.
    ///
    /// - Throws: The mistakes in it; for an unknown name a mistake that suggests the nearest one.
    package static func profile(
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
