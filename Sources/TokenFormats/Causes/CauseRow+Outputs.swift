// Token files: the token is renewed and stored, but its readers do not have it.
extension CauseRow {
    private static let edit = "Run systemctl edit evertoken and add under {service}: "
    private static let restart =
        "; then: systemctl restart evertoken (evertoken check prints the lines)"

    static let outputs: [CauseKind: CauseRow] = [
        .outputFull: CauseRow(
            .output, "{detail}",
            "Make room on its file system: df -h {folder}; it is written again by itself"),
        .outputGroupForbidden: CauseRow(
            .output, "{detail}",
            edit + "[SupplementaryGroups={account} and ]SystemCallFilter=@chown" + restart),
        .outputGroupInherited: CauseRow(
            .output, "{detail}",
            "Run: chmod g-s {folder} (the directory hands on its group); or "
                + "add SystemCallFilter=@chown with systemctl edit evertoken"),
        .outputAccountUnknown: CauseRow(
            .output, "{detail}", "Create {account}, or correct \"group\" or \"owner\" of the output"
        ),
        .outputReadOnly: CauseRow(
            .output, "{detail}", edit + "ReadWritePaths={folder}" + restart),
        .outputForbidden: CauseRow(
            .output, "{detail}",
            "Make {folder} writable for the user evertoken; it is written again by itself"),
        .outputDirectoryMissing: CauseRow(
            .output, "{detail}", "Run: mkdir -p {folder}, and give it to the user evertoken"),
        .outputIsMountPoint: CauseRow(
            .output, "{detail}: it is a mount point",
            "Mount its directory, {folder}, instead of the file; or write it with \"write\": "
                + "\"in-place\""),
        .outputIsLink: CauseRow(
            .output, "{detail}[; {advice}]",
            "Name the real path of the output in the configuration, then run: evertoken reload"),
        .outputIsOther: CauseRow(
            .output, "{detail}", "Move away what stands there; it is written again by itself"),
        .outputValueMissing: CauseRow(
            .output, "{detail}",
            "Take the value out of the output's template, then run: evertoken reload"),
        .outputSilent: CauseRow(
            .output, "{detail}", "Mend the file server or unmount it; it is written again by itself"
        ),
        .outputFails: CauseRow(
            .output, "{detail}", "Check {folder}: its owner, its mode and its file system"),
        .outputAltered: CauseRow(
            .output, "{detail}; it is written again",
            "Find what changes it: only evertokend may write there"),
    ]
}
