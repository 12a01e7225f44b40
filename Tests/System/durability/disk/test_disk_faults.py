"""Disks that are full, fail, turn read-only or vanish.

The daemon loses no refresh token, sends none twice, says what is wrong, keeps what is published,
and goes on by itself when the disk is good. Real faults are made with ext4 in loop-mounted images;
those that no real disk makes to order, by Support/fault_shim.c, which stands between the daemon and
the C library. Most tests only wait, so they run side by side.

Needs root, gcc and, from Debian: e2fsprogs, mount, util-linux. Environment:
EVERTOKEN_FAULT_TRIALS=N makes at most N trials of the sweep (300), `all` makes all of them, with
six more errors; EVERTOKEN_SEED repeats the choice."""

from __future__ import annotations

from durability.disk import (fault_flushes, fault_injected, fault_links, fault_real_state,
                             fault_real_tokens, fault_sweep)
from evertest.faults.runs import side_by_side
from evertest.suite import Suite

SUITE = Suite(minutes=0.9)

MODULES = (fault_sweep, fault_flushes, fault_injected, fault_links, fault_real_state,
           fault_real_tokens)


def load_tests(loader, _tests, _pattern):
    return side_by_side(loader.loadTestsFromModule(module) for module in MODULES)
