"""What is the case outside: clock, git, files, evidence runs; the only subprocesses."""
