"""Programs one after the other: ``commands.py curl -s URL ; sha256sum file ;``."""

import subprocess
import sys

from serve import serve

commands = [[]]
for part in sys.argv[1:]:
    if part == ";":
        commands.append([])
    else:
        commands[-1].append(part)


def run():
    for command in filter(None, commands):
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


serve(run)
