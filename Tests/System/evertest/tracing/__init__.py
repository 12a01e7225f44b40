"""A program's system calls: the tracer that kills at one, and the record of every byte."""
