"""The files of the repository, as git knows them."""

import subprocess


def tracked(*patterns: str) -> list[str]:
    """Tracked files that match one of git's path patterns (all without any), relative to the repository's root."""
    # CI may check out as another user than it runs as.
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--", *patterns]
    return [name for name in subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\0") if name]
