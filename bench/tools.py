#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""What run.sh leaves to Python: data, clocks and the table.

    tools.py pick ROOT BYTES       files of ROOT in sorted order, up to BYTES, each with a NUL
    tools.py small DIR COUNT       COUNT files of 0 to 3000 bytes, 1000 to a directory
    tools.py change DIR COUNT N    new content for N of those files, evenly spread
    tools.py run OUT COMMAND...    run with standard output to OUT; prints seconds and KiB
    tools.py table FILE            medians and ratios of the measurements in FILE

Needs no more than python3-minimal.  Data is the same in every run on the same system.
"""
import os
import sys
import time

FILES_PER_DIR = 1000
MAX_SMALL = 3000


def unreadable(entry):
    # A package that is being replaced, for example: the copy must not fail over it.
    return not os.access(entry.path, os.R_OK)


def pick(root, limit):
    """Regular files and symlinks, sorted by path; nothing of CUDA, which is huge and rarely there."""
    left = limit
    stack = [root]
    out = sys.stdout.buffer
    while stack:
        path = stack.pop()
        subdirs = []
        for entry in sorted(os.scandir(path), key=lambda e: os.fsencode(e.name)):
            if entry.is_symlink():
                out.write(os.fsencode(entry.path) + b"\0")
            elif entry.is_dir():
                if not entry.name.startswith("cuda") and os.access(entry.path, os.R_OK | os.X_OK):
                    subdirs.append(entry.path)
            elif entry.is_file() and not unreadable(entry):
                left -= entry.stat().st_size
                if left < 0:
                    return
                out.write(os.fsencode(entry.path) + b"\0")
        stack.extend(reversed(subdirs))


def small_contents(state):
    """Sizes and content come from a fixed generator, so that every run sends the same."""
    # One long line of text to cut pieces from: compressible, as small files are.
    text = b"".join(b"%d bottles of beer on the wall, " % i for i in range(1000))
    while True:
        state = (state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        size = (state >> 33) % (MAX_SMALL + 1)
        start = (state >> 20) % (len(text) - MAX_SMALL)
        yield text[start:start + size]


def small_path(top, nr):
    return "%s/d%03d/file-%06d" % (top, nr // FILES_PER_DIR, nr)


def write_file(path, flags, content):
    fd = os.open(path, os.O_WRONLY | flags, 0o644)
    if content:
        os.write(fd, content)
    os.close(fd)


def small(top, count):
    for nr, content in zip(range(count), small_contents(12345)):
        path = small_path(top, nr)
        if nr % FILES_PER_DIR == 0:
            os.mkdir(os.path.dirname(path))
        write_file(path, os.O_CREAT | os.O_EXCL, content)


def change(top, count, changes):
    for i, content in zip(range(changes), small_contents(67890)):
        write_file(small_path(top, i * count // changes), os.O_TRUNC, content)


def run(out, command):
    """Prints "SECONDS PEAK-KIB", or nothing when the command fails."""
    fd = os.open(out, os.O_WRONLY | os.O_CREAT, 0o644)
    begin = time.monotonic()
    pid = os.fork()
    if pid == 0:
        os.dup2(fd, 1)
        os.execvp(command[0], command)
    status, usage = os.wait4(pid, 0)[1:]
    seconds = time.monotonic() - begin
    if status == 0:
        print("%.4f %d" % (seconds, usage.ru_maxrss))
    return 1 if status else 0


def median(values):
    values = sorted(values)
    middle = len(values) // 2
    if len(values) % 2:
        return values[middle]
    return (values[middle - 1] + values[middle]) / 2


def read_measurements(path):
    """Lines of WHAT TAB WHO TAB TARGET TAB SECONDS TAB KIB, rows in order of appearance."""
    rows = {}
    with open(path) as lines:
        for line in lines:
            what, who, target, seconds, kib = line.rstrip("\n").split("\t")
            row = rows.setdefault(what, {"target": target, "kernel": [], "ours": [], "kib": 0})
            row[who].append(float(seconds))
            if who == "ours":
                row["kib"] = max(row["kib"], int(kib))
    return rows


def digits(value):
    """Two decimals say nothing about a send of a few milliseconds."""
    return ("%.2f" if value >= 1 else "%.3f") % value


def span(values):
    return "%s-%s" % (digits(min(values)), digits(max(values))) if values else "-"


def cell(values):
    return digits(median(values)) + " s" if values else "-"


def table(path):
    rows = read_measurements(path)
    form = "%%-%ds %%9s %%9s %%7s %%7s  %%-14s %%-14s %%9s" % max(len(what) for what in rows)
    print(form % ("what", "kernel", "ours", "ratio", "target", "kernel min-max", "ours min-max",
                  "ours peak"))
    for what, row in rows.items():
        kernel, ours = row["kernel"], row["ours"]
        ratio = "%.1fx" % (median(kernel) / median(ours)) if kernel and ours else "-"
        print(form % (what, cell(kernel), cell(ours), ratio, row["target"], span(kernel),
                      span(ours), "%.0f MiB" % (row["kib"] / 1024)))


def main(argv):
    if argv[1:2] == ["pick"] and len(argv) == 4:
        pick(argv[2], int(argv[3]))
    elif argv[1:2] == ["small"] and len(argv) == 4:
        small(argv[2], int(argv[3]))
    elif argv[1:2] == ["change"] and len(argv) == 5:
        change(argv[2], int(argv[3]), int(argv[4]))
    elif argv[1:2] == ["run"] and len(argv) >= 4:
        return run(argv[2], argv[3:])
    elif argv[1:2] == ["table"] and len(argv) == 3:
        table(argv[2])
    else:
        print(__doc__, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
