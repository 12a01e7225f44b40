#!/usr/bin/python3
"""What many credentials cost: evertokend beside what one would write instead, in one run.

    Tests/Benchmarks/scale.py [--credentials 3,1000,10000,100000] [--json FILE] [--plot FILE]
    Tests/Benchmarks/scale.py --short --check     1,000 credentials in 95 seconds: Tests/run
    Tests/Benchmarks/scale.py --from FILE [--readme] [--plot FILE]     measures nothing

Programs (contenders.py): evertokend; a Go program (x/oauth2, one goroutine a credential); a Python
program (requests-oauthlib) and a loop over curl | jq | mv, both up to 1,000 credentials. Each runs
alone, against the authorization server of this folder (server/main.go): refresh tokens rotate,
every use of a spent one is counted, and how late a refresh comes is measured at the server's door.
Every request has a connection of its own; https is TLS 1.3 with a certificate authority made for
the run. The life of the tokens is chosen so that at most --rate refreshes a second are due.

Of each case: a first start until every token file is written; a window of refreshes; how long
status, metrics, health and a reload take; a stop; a start with the token files in place, and one
without (cases.py). In the cases of overload far more is due than any program can do: that is the
most it can do. Beside them stand two limits of the machine (limits.py): the server under wrk, and a
loop in C with the writes and flushes of a refresh. State lies below --folder, token files below
--token-folder.

targets.py has the ratios that are promised, and what is reached today; --check fails if one is
lost. --json writes the numbers with the machine's description; --plot an SVG; --readme the table
in the README, which a test compares with Tests/Benchmarks/results.json.

Needs the Debian packages golang-go, golang-golang-x-oauth2-dev, python3-requests-oauthlib, curl,
jq, openssl, wrk and gcc, and a release build. Exit status: 0 measured; 1 a promise was lost (with
--check), or a token of evertokend was sent twice or ended; 2 it could not be set up.
"""

import argparse
import json
import os
import pathlib
import resource
import signal
import sys
import tempfile
import time

import limits
import plot
import report
import targets
from cases import Case, Run
from contenders import CONTENDERS, GO, HERE, OURS, ROOT, CannotMeasure, build_go, need, programs
from witness import Trust


def plan(options):
    """The cases, in an order in which the programs alternate."""
    wanted = [CONTENDERS[name] for name in options.programs]
    cases = []
    for count in options.credentials:
        # The ratios are those beside Go; the others take their time.
        able = [one for one in wanted if count <= one.most
                and (one.name in (OURS, GO) or count <= options.others_up_to)]
        for scheme in options.schemes:
            if scheme == "http" or 1000 <= count <= options.https_up_to:
                cases += [Case(one.name, count, scheme) for one in able]
    if options.static:
        cases += [Case(one.name, 1000, rotates=False) for one in wanted
                  if one.name in (OURS, GO)]
    if options.overload:
        cases += [Case(one.name, options.overload, is_overload=True)
                  for one in wanted if one.name in (OURS, GO)]
    return cases


def measured(options):
    """All of it, as the JSON has it."""
    need({"go": "golang-go", "openssl": "openssl"})
    # A goroutine a credential may have a connection each.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory(prefix="evertoken-scale.", dir=options.folder) as name:
        folder = pathlib.Path(name)
        binaries = programs(options.programs, options.bin_dir, folder)
        binaries["server"] = build_go(HERE / "server", folder / "server")
        trust = Trust(folder / "trust") if "https" in options.schemes else None
        result = {"machine": report.machine(folder, options.token_folder),
                  "versions": report.versions(options.programs, binaries),
                  "options": {"rate": options.rate, "seconds": options.seconds,
                              "token_size": options.token_size},
                  "durability": {one: CONTENDERS[one].durability for one in options.programs},
                  "limits": {}, "rows": []}
        if options.limit_seconds:
            result["limits"] = limits.measure(options, binaries, folder, trust)
        for case in plan(options):
            begun = time.monotonic()
            result["rows"].append(Run(case, options, binaries, folder, trust).measure())
            print("%s: measured in %.0f s" % (case, time.monotonic() - begun), file=sys.stderr)
    return result


def show(result):
    report.show(result)
    for one in targets.judged(result):
        print("%-5s %s: %.3g (target %g, reached %g)" % (
            one["verdict"], one["promise"], one["value"], one["target"], one["reached"]))
    if sentence := targets.bottleneck(result):
        print(sentence)


def write(result, options):
    if options.json:
        report.write_json(options.json, result)
    if options.plot:
        options.plot.write_text(plot.svg(result["rows"]), encoding="utf-8")
    if options.readme:
        text = report.README.read_text(encoding="utf-8")
        report.README.write_text(
            report.with_section(text, report.readme_section(result)), encoding="utf-8")


def failures(result, options):
    """What evertokend must not do, as sentences."""
    verdicts = [one for one in targets.judged(result) if one["verdict"] == "LOST"]
    if not options.check:
        # A token that is lost is no matter of noise.
        verdicts = [one for one in verdicts if one["target"] == 0]
    return ["%s: %.3g; the limit is %g" % (one["promise"], one["value"], one["reached"])
            for one in verdicts]


def parsed_options(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--short", action="store_true", help="3 and 1,000 credentials, briefly")
    parser.add_argument("--credentials", type=_numbers, default=[3, 1000, 10_000, 100_000])
    parser.add_argument("--programs", type=_words, default=list(CONTENDERS))
    parser.add_argument("--schemes", type=_words, default=["http", "https"])
    parser.add_argument("--https-up-to", type=int, default=10_000, metavar="CREDENTIALS")
    parser.add_argument("--others-up-to", type=int, default=1000, metavar="CREDENTIALS",
                        help="the Python program and the loop")
    parser.add_argument("--rate", type=float, default=200, help="refreshes a second that are due")
    parser.add_argument("--seconds", type=float, default=20, help="length of a window")
    parser.add_argument("--settle", type=float, default=0.3, metavar="LIVES",
                        help="pause before the window, in mean lives of a token")
    parser.add_argument("--limit-seconds", type=int, default=10, help="for each limit; 0: none")
    parser.add_argument("--overload", type=int, default=10_000, metavar="CREDENTIALS",
                        help="in the cases of overload; 0: none")
    parser.add_argument("--static", action=argparse.BooleanOptionalAction, default=True,
                        help="a case with refresh tokens that do not rotate")
    parser.add_argument("--token-size", type=int, default=1024, help="bytes of each token")
    parser.add_argument("--bin-dir", type=pathlib.Path, default=ROOT / ".build" / "release")
    parser.add_argument("--folder", type=pathlib.Path, help="for the state")
    parser.add_argument("--token-folder", type=pathlib.Path, default=pathlib.Path("/dev/shm"),
                        help="for the token files, as /run")
    parser.add_argument("--json", type=pathlib.Path, help="where the numbers are written")
    parser.add_argument("--plot", type=pathlib.Path, help="where the SVG is written")
    parser.add_argument("--readme", action="store_true", help="write the README's table")
    parser.add_argument("--check", action="store_true", help="fail if a ratio is lost")
    parser.add_argument("--from", dest="source", type=pathlib.Path, help="numbers to report")
    options = parser.parse_args(arguments)
    if unknown := set(options.programs) - set(CONTENDERS):
        parser.error("no such program: " + ", ".join(sorted(unknown)))
    if unknown := set(options.schemes) - {"http", "https"}:
        parser.error("no such scheme: " + ", ".join(sorted(unknown)))
    if max(options.rate, 0) > 500:
        parser.error("--rate is at most 500: the server and the programs share the processors")
    if options.short:
        vars(options).update(credentials=[3, 1000], seconds=6, limit_seconds=2, static=False,
                             overload=2000, others_up_to=0, schemes=["http"])
    options.bin_dir = options.bin_dir.resolve()
    return options


def _numbers(text):
    return [int(word) for word in text.split(",")]


def _words(text):
    return text.split(",")


def main():
    options = parsed_options()
    # So that the programs are stopped and their folders removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(2))
    if os.environ.get("SSL_CERT_FILE"):
        del os.environ["SSL_CERT_FILE"]
    try:
        result = (json.loads(options.source.read_text(encoding="utf-8")) if options.source
                  else measured(options))
    except CannotMeasure as reason:
        print("scale.py: %s" % reason, file=sys.stderr)
        return 2
    write(result, options)
    show(result)
    failed = failures(result, options)
    for sentence in failed:
        print("FAILED: " + sentence, file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
