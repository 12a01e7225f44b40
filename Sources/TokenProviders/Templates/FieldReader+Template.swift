package import TokenFormats

extension FieldReader {
    /// A template that must not be empty.
    package func nonEmptyTemplate(_ example: String) -> Template? {
        nonEmptyString(example).flatMap { _ in template() }
    }

    /// A template; a malformed one is a mistake.
    package func template() -> Template? {
        guard let text = string("\"${access_token}\"") else { return nil }
        do { return try Template(text) } catch {
            mistake(error.problem, error.remedy)
            return nil
        }
    }
}
