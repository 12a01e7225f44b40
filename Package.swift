// swift-tools-version: 6.2
import Foundation
import PackageDescription

/// Warnings are errors; imports say what they are for (see Tests/Unit/HouseRules).
let house: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
]

/// Everything pure: no target of these reads a clock, a file or the network.
let belowScheduling: [Target.Dependency] = [
    "TokenConfiguration", "TokenSlots", "TokenProviders", "TokenFormats",
]
let core = ["TokenControl", "TokenScheduling"] + belowScheduling

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
        // The floors: each may import those above it here, none below (Tests/Unit/HouseRules).
        .target(name: "TokenFormats", swiftSettings: house),
        .target(
            name: "TokenProviders",
            dependencies: [
                "TokenFormats", "CInflate",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
            ],
            resources: [.embedInCode("Profiles")],
            swiftSettings: house),
        .target(
            name: "TokenSlots",
            dependencies: [
                "TokenProviders", "TokenFormats",
                .product(name: "Crypto", package: "swift-crypto"),
            ],
            swiftSettings: house),
        .target(
            name: "TokenConfiguration",
            dependencies: [
                "TokenProviders", "TokenFormats",
                .product(name: "Crypto", package: "swift-crypto"),
            ],
            swiftSettings: house),
        .target(
            name: "TokenScheduling",
            dependencies: ["TokenConfiguration", "TokenSlots", "TokenProviders", "TokenFormats"],
            swiftSettings: house),
        .target(
            name: "TokenControl", dependencies: ["TokenScheduling"] + belowScheduling,
            swiftSettings: house),
        .target(name: "TokenEngine", dependencies: core, swiftSettings: house),
        .target(
            name: "TokenAdapters",
            dependencies: ["TokenEngine", "CSystemd", "CCurl", "CLinux", "CVerification"] + core,
            swiftSettings: house),
        .executableTarget(
            name: "evertokend",
            dependencies: [
                "TokenAdapters", "TokenEngine",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ] + core,
            swiftSettings: house),
        .executableTarget(
            name: "evertoken",
            dependencies: [
                "TokenAdapters",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ] + core,
            swiftSettings: house),
        .testTarget(
            name: "UnitTests",
            dependencies: [
                "evertoken", "TokenAdapters", "TokenEngine",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
            ] + core,
            path: "Tests/Unit", exclude: ["Fixtures"], swiftSettings: house),
    ],
    swiftLanguageModes: [.v6]
)

// Not for users: Tests/simulate asks for it.
if ProcessInfo.processInfo.environment["EVERTOKEN_SIMULATION"] != nil {
    package.targets.append(
        .executableTarget(
            name: "evertoken-simulation", dependencies: ["TokenEngine"] + core,
            path: "Tests/Simulation", swiftSettings: house))
}

// Not for users either: Tests/Measurements/reading-cost asks for it.
if ProcessInfo.processInfo.environment["EVERTOKEN_READING_COST"] != nil {
    package.targets.append(
        .executableTarget(
            name: "evertoken-reading-cost", dependencies: belowScheduling,
            path: "Tests/Measurements/ReadingCost", swiftSettings: house))
}

// Nor this: Tests/docs asks for it, so that no build of a user fetches the plugin.
if ProcessInfo.processInfo.environment["EVERTOKEN_DOCS"] != nil {
    package.dependencies.append(
        .package(url: "https://github.com/swiftlang/swift-docc-plugin", exact: "1.5.0"))
}
