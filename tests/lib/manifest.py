#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Print what the kernel shows below a folder, in the form of trans-model.h.

	manifest.py FOLDER
"""
import hashlib
import os
import stat
import sys


def entries(path, out):
    st = os.lstat(path)
    # A subvolume inside a snapshot: an empty directory that only the kernel made up.
    if stat.S_ISDIR(st.st_mode) and st.st_ino == 2:
        out.append(f"{path} stub")
        return
    line = f"{path} mode={st.st_mode:o} ino={st.st_ino} nlink={st.st_nlink} size={st.st_size}"
    if stat.S_ISREG(st.st_mode):
        with open(path, "rb") as file:
            line += " sha256=" + hashlib.file_digest(file, "sha256").hexdigest()
    if stat.S_ISLNK(st.st_mode):
        line += " to=" + os.readlink(path)
    out.append(line)
    for name in os.listxattr(path, follow_symlinks=False):
        if name.startswith("user."):
            value = os.getxattr(path, name, follow_symlinks=False)
            out.append(f"{path} {name}={value.hex()}")
    if stat.S_ISDIR(st.st_mode):
        for name in os.listdir(path):
            entries(f"{path}/{name}", out)


os.chdir(sys.argv[1])
lines = []
entries(".", lines)
for text in sorted(lines):
    print(text)
