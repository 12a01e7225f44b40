/// The version of both programs.
public let evertokenVersion = "0.2.0"
