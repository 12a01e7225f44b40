// swift-tools-version: 6.2
import PackageDescription

/// Warnings are errors; imports say what they are for (see Tests/HouseRulesTests).
let house: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
]

let package = Package(
    name: "evertoken",
    products: [
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto", exact: "4.5.2"),
    ],
    targets: [
        .target(name: "CLinux"),
        .target(
            name: "TokenCore",
            dependencies: [.product(name: "Crypto", package: "swift-crypto")],
            resources: [.embedInCode("Profiles")],
            swiftSettings: house),
        .target(name: "TokenEngine", dependencies: ["TokenCore"], swiftSettings: house),
    ],
    swiftLanguageModes: [.v6]
)
