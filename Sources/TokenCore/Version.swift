/// The version of both programs.
public let evertokenVersion = "0.1.0"
