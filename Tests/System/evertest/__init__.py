"""The library of the system tests: everything that is no test by itself.

basics    where things are, directories that go away, waiting
daemon    the daemon; programs: the command line too; sandbox: both under a real systemd
servers/  authorization servers, real and made up; certificates; proxies
oracle/   records that judge: what a server was asked, what readers saw of the token files
disks/    file systems in images, which can be filled, broken, frozen and cut off
faults/   a daemon under pressure; shims/: libraries that make its system calls fail
tracing/  every system call, to kill at; every byte written, to search
kills/ power/ hostile/ isolation/ secrecy/ profiles/   the campaigns, that suites run
"""
