// swift-tools-version: 6.2
import Foundation
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
        .executable(name: "evertokend", targets: ["evertokend"]),
        .executable(name: "evertoken", targets: ["evertoken"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto", exact: "4.5.2"),
    ],
    targets: [
        .systemLibrary(
            name: "CSystemd", pkgConfig: "libsystemd", providers: [.apt(["libsystemd-dev"])]),
        .systemLibrary(
            name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .target(name: "CLinux"),
        .target(name: "CInflate", linkerSettings: [.linkedLibrary("z")]),
        // The TLS library of libcurl4-openssl: what it says of certificates.
        .target(
            name: "CVerification",
            linkerSettings: [.linkedLibrary("ssl"), .linkedLibrary("crypto")]),
        .target(
            name: "TokenCore",
            dependencies: [
                "CInflate",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
            ],
            resources: [.embedInCode("Profiles")],
            swiftSettings: house),
        .target(name: "TokenEngine", dependencies: ["TokenCore"], swiftSettings: house),
        .target(
            name: "TokenAdapters",
            dependencies: [
                "TokenEngine", "TokenCore", "CSystemd", "CCurl", "CLinux", "CVerification",
            ],
            swiftSettings: house),
        .executableTarget(
            name: "evertokend",
            dependencies: [
                "TokenAdapters", "TokenEngine", "TokenCore",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: house),
        .executableTarget(
            name: "evertoken",
            dependencies: [
                "TokenAdapters", "TokenCore",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: house),
        .testTarget(
            name: "TokenCoreTests",
            dependencies: [
                "TokenCore", .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
            ],
            exclude: ["Fixtures"], swiftSettings: house),
        .testTarget(
            name: "TokenEngineTests", dependencies: ["TokenEngine", "TokenCore"],
            swiftSettings: house),
        .testTarget(
            name: "TokenAdaptersTests",
            dependencies: ["TokenAdapters", "TokenEngine", "TokenCore"],
            swiftSettings: house),
        .testTarget(
            name: "EvertokenTests", dependencies: ["evertoken", "TokenCore"],
            swiftSettings: house),
        .testTarget(name: "HouseRulesTests", swiftSettings: house),
    ],
    swiftLanguageModes: [.v6]
)

// Not for users: Tests/simulate asks for it.
if ProcessInfo.processInfo.environment["EVERTOKEN_SIMULATION"] != nil {
    package.targets.append(
        .executableTarget(
            name: "evertoken-simulation", dependencies: ["TokenCore", "TokenEngine"],
            path: "Tests/Simulation", swiftSettings: house))
}

// Not for users either: Tests/Measurements/reading-cost asks for it.
if ProcessInfo.processInfo.environment["EVERTOKEN_READING_COST"] != nil {
    package.targets.append(
        .executableTarget(
            name: "evertoken-reading-cost", dependencies: ["TokenCore"],
            path: "Tests/Measurements/ReadingCost", swiftSettings: house))
}

// Nor this: Tests/docs asks for it, so that no build of a user fetches the plugin.
if ProcessInfo.processInfo.environment["EVERTOKEN_DOCS"] != nil {
    package.dependencies.append(
        .package(url: "https://github.com/swiftlang/swift-docc-plugin", exact: "1.5.0"))
}
